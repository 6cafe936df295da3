"""How a provider writes bold, code and links, and how any text is made harmless in between.

A message's template is the same for all of them. Every value it prints goes through ``escape`` on the way, whether its
author thought of that or not; only what a Markup itself has built is taken as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from faultline.dispatch.text import block, lines, one_line

# Look-alikes for what Markdown gives a meaning to. The chat robots' own dialects differ on backslashes, and none of
# them can read these as markup, a mention or a tag.
_LOOKALIKES = str.maketrans(
    {"[": "［", "]": "］", "<": "＜", ">": "＞", "`": "ˋ", "@": "＠", "*": "＊", "~": "～", "#": "＃", "|": "｜"}
    | {"$": "＄", "!": "！", "\\": "＼", "{": "｛", "}": "｝"}
)
_IN_CODE = str.maketrans({"`": "ˋ", "<": "＜", ">": "＞", "@": "＠"})


class Safe(str):
    """Text that is the provider's markup already."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Markup:
    """One provider's dialect. ``escape`` gives one harmless line; ``code`` a block that its text cannot leave."""

    escape: Callable[[str], str]
    code: Callable[[str], str]
    bold: Callable[[str], str]
    link: Callable[[str, str], str]


def lookalike(text: str) -> str:
    """One line in which nothing is markup, a mention or a tag to any Markdown."""
    return one_line(text).translate(_LOOKALIKES)


def fence(text: str) -> str:
    """A code block; the text has no backtick left to close it with, nor a tag or mention some dialect reads in code."""
    return "```\n" + "\n".join(lines(text)).translate(_IN_CODE) + "\n```"


def quote_lines(text: str) -> str:
    """A quotation, for a Markdown without code blocks."""
    return "\n".join("> " + line.translate(_LOOKALIKES) for line in lines(text))


def web_address(url: str) -> str | None:
    """An http address with nothing in it that could end a link early; None for anything else."""
    try:
        known = urlsplit(url).scheme in ("http", "https") and bool(urlsplit(url).hostname)
    except ValueError:
        return None
    return quote(url.encode("utf-8", "replace"), safe="/:?&=#%+,;@$!~._-") if known else None


def markdown_link(text: str, url: str) -> str:
    """``[text](url)``, or both as text when the address is none."""
    safe = web_address(url)
    return f"[{lookalike(text)}]({safe})" if safe else lookalike(f"{text}: {url}")


PLAIN = Markup(one_line, block, one_line, lambda text, url: one_line(f"{text}: {url}"))
# The subset of Markdown that DingTalk and WeCom robots show.
QUOTING = Markup(lookalike, quote_lines, lambda text: f"**{lookalike(text)}**", markdown_link)
FENCED = Markup(lookalike, fence, lambda text: f"**{lookalike(text)}**", markdown_link)
