"""How a YAML or JSON file becomes a model: every fault is reported as ``file:line: message``, all of them at once."""

from __future__ import annotations

import difflib
import hashlib
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.reader import ReaderError

from faultline.errors import ConfigurationError, Fault

# What ruamel lets out for values it cannot make sense of, such as the date 2026-13-45 or a tag on the wrong kind.
_RUAMEL_FAULTS = (ValueError, LookupError, TypeError, AttributeError, RecursionError)


Model = TypeVar("Model", bound=BaseModel)


class StrictModel(BaseModel):
    """Base of every model read from a file: unknown fields are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True, slots=True)
class Document:
    """A text that a person edits; ``source`` is what faults in it call the place it is in."""

    source: str
    text: str

    @property
    def hash(self) -> str:
        """Names this version of the text, in 16 hex digits."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:16]


def read_document(path: Path) -> Document:
    """A file as a document; ConfigurationError when there is none."""
    return Document(str(path), read_text(path))


def read_text(path: Path) -> str:
    """The file's text in UTF-8; ConfigurationError when there is none."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError([Fault(str(path), 0, f"cannot be read: {error}")]) from error


def load_yaml(model: type[Model], text: str, file: str) -> Model:
    """Parse and validate YAML (or JSON) text; ConfigurationError with every fault and its line."""
    data = parse_yaml(text, file)
    try:
        return model.model_validate(plain(data))
    except RecursionError:
        raise ConfigurationError([Fault(file, 1, "not YAML for us: an alias that contains itself")]) from None
    except ValidationError as error:
        raise ConfigurationError(
            [
                Fault(file, line_of(data, detail["loc"]), _sentence(model, _in_document(data, detail["loc"]), detail))
                for detail in error.errors()
            ]
        ) from None


def parse_yaml(text: str, file: str) -> Any:
    """The document with ruamel's line numbers kept; a syntax error is a ConfigurationError with its line."""
    try:
        return YAML(typ="rt").load(io.StringIO(text))
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        # Of a key that is there twice ruamel repeats both values, which may be secrets.
        problem = str(error.problem).partition(" with value ")[0]
        raise ConfigurationError([Fault(file, line, f"not YAML: {problem}")]) from None
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ConfigurationError([Fault(file, line, f"not YAML: {error.reason}")]) from None
    except (YAMLError, *_RUAMEL_FAULTS) as error:
        raise ConfigurationError([Fault(file, 0, f"not YAML: {error}")]) from None


def line_of(data: Any, path: Sequence[str | int]) -> int:
    """The line, from 1, of the deepest part of ``path`` that is in the document."""
    line = 1
    for step in path:
        if isinstance(data, CommentedMap) and step in data:
            # A key that `<<` brought in has no line here.
            line = data.lc.key(step)[0] + 1 if step in (data.lc.data or ()) else line
        elif isinstance(data, CommentedSeq) and isinstance(step, int) and step < len(data):
            # A sequence with a tag has no lines of its own.
            line = data.lc.item(step)[0] + 1 if data.lc.data else line
        else:
            continue
        data = data[step]
    return line


def nearest(name: str, known: Iterable[str]) -> str:
    """``; did you mean 'this'?`` for the known name most like an unknown one; empty when none is like it."""
    near = difflib.get_close_matches(name, sorted(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def plain(data: Any) -> Any:
    """The document without ruamel's line numbers."""
    if isinstance(data, Mapping):
        return {key: plain(value) for key, value in data.items()}
    if isinstance(data, list):
        return [plain(item) for item in data]
    return data


def _sentence(model: type[BaseModel], path: tuple[str | int, ...], detail: ErrorDetails) -> str:
    where = ".".join(str(step) for step in path)
    if detail["type"] == "extra_forbidden":
        return f"unknown field {path[-1]!r}{nearest(str(path[-1]), _field_names(model) - {path[-1]})}"
    if detail["type"] == "missing":
        return f"missing field {where!r}"
    if detail["type"] == "union_tag_invalid":
        tag, known = str(detail["ctx"]["tag"]), detail["ctx"]["expected_tags"].replace("'", "")
        return f"{where}: unknown type {tag!r}{nearest(tag, known.split(', '))}; there are {known}"
    message = detail["msg"].removeprefix("Value error, ")
    return f"{where}: {message}" if where else message


def _in_document(data: Any, path: tuple[str | int, ...]) -> tuple[str | int, ...]:
    """The path without the names of the kinds that pydantic puts into it; the last step may be what is missing."""
    steps: list[str | int] = []
    for number, step in enumerate(path, 1):
        if isinstance(data, Mapping) and step in data:
            data = data[step]
        elif isinstance(data, list) and isinstance(step, int):
            data = data[step] if step < len(data) else None
        elif number < len(path):
            continue
        steps.append(step)
    return tuple(steps)


def _field_names(model: type[BaseModel]) -> set[str]:
    """The names of every field in the model's JSON Schema, nested ones too."""
    schema = model.model_json_schema(mode="serialization")
    parts = [schema, *schema.get("$defs", {}).values()]
    return {name for part in parts for name in part.get("properties", {})}
