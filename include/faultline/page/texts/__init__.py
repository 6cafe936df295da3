"""The page's words: one table per language beside this file, with the same keys in each.

A text may have places, ``{name}``; one that depends on a number ``n`` has the forms ``one`` and ``other``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any, get_args

from faultline.dispatch.style import Language
from faultline.yaml_files import parse_yaml, plain

LANGUAGES: tuple[Language, ...] = get_args(Language)
_DEFAULT: Language = "en"


@dataclass(frozen=True, slots=True)
class Texts:
    """The words of one language; called with a key such as ``now.title``, and KeyError when there is none."""

    language: Language
    table: Mapping[str, Any]

    def __call__(self, key: str, **places: object) -> str:
        text: Any = self.table
        for part in key.split("."):
            text = text[part]
        if isinstance(text, Mapping):
            text = text["one" if places.get("n") == 1 else "other"]
        shown = {name: f"{value:,}" if isinstance(value, int) else value for name, value in places.items()}
        return str(text).format(**shown)


@lru_cache
def texts_of(language: Language) -> Texts:
    """The table of a language."""
    name = f"{language}.yaml"
    return Texts(language, plain(parse_yaml(files(__name__).joinpath(name).read_text(encoding="utf-8"), name)))


def choose_language(asked: str | None, accepted: str) -> Language:
    """The language asked for, else the first that the browser accepts and we speak; English without either."""
    wanted = [asked or "", *_by_preference(accepted)]
    spoken = (language for each in wanted for language in LANGUAGES if each.lower().split("-")[0] == language)
    return next(spoken, _DEFAULT)


def _by_preference(accepted: str) -> list[str]:
    """The tags of an Accept-Language header, the most wanted first."""
    weighed = []
    for place, part in enumerate(accepted.split(",")):
        tag, _, weight = part.strip().partition(";q=")
        try:
            weighed.append((-float(weight or 1), place, tag))
        except ValueError:
            continue
    return [tag for _, _, tag in sorted(weighed)]
