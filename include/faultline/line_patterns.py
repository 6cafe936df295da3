"""Patterns of log lines: the named groups of a user's own, and the pattern that an nginx ``log_format`` means.

Patterns are in RE2's syntax and run in RE2, in time linear in the line whatever the pattern: no line is catastrophic.
"""

from __future__ import annotations

import re
from collections.abc import Collection

# nginx's combined format, of other servers too: the last two may be missing, anything may follow.
COMBINED = (
    r"^(?P<remote_addr>\S+) \S+ (?P<remote_user>.+?) \[(?P<time_local>[^\]]+)\] "
    r'"(?P<request>(?:[^"\\]|\\.)*)" (?P<status>[0-9]{3}) (?P<body_bytes_sent>[0-9]+|-)'
    r'(?: "(?P<http_referer>(?:[^"\\]|\\.)*)" "(?P<http_user_agent>(?:[^"\\]|\\.)*)")?'
)

_STRING = r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|[^\s;'\"]++"
_DIRECTIVE = re.compile(
    rf"log_format\s+[^\s'\"]+\s+(?:escape=(?P<escape>\w+)\s+)?(?P<strings>(?:(?:{_STRING})\s*)+);?", re.DOTALL
)
_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)\})", re.ASCII)

# What tells a variable from its neighbours even where nothing, or only a space, stands between them.
_SHAPES = {
    "time_local": r"[^\s\]]+ [+-][0-9]{4}",
    "status": r"[0-9]{3}|-",
    "request_uri": r"/[^\s\"]*",
    "uri": r"/[^\s\"]*",
    "document_uri": r"/[^\s\"]*",
    "is_args": r"\??",
    "remote_user": r".*?",  # may have spaces
    "request": r".*?",
}
# nginx writes a quote in a value as \x22, Apache as \", and escape=none does not care.
_QUOTED = r"(?:[^\"\\]|\\.)*"
# Without spaces, but for the lists that upstream variables are: "10.0.0.1:80, 10.0.0.2:80 : 10.0.0.3:80".
_WORD = r"\S*?(?:(?:,| :) \S+?)*?"


def group_names(pattern: str) -> tuple[str, ...]:
    """The names of a pattern's groups; ValueError says what is wrong with it."""
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        found = pc.extract_regex(pa.array([""], pa.string()), pattern)
    except pa.ArrowInvalid as error:
        raise ValueError(_refusal(str(error))) from None
    names = tuple(part.name for part in found.type)
    if not names:
        raise ValueError("no group has a name: write (?P<message>…) around what is wanted")
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"two groups are called {twice[0]!r}: write one pattern for each kind of line")
    return names


def _refusal(said: str) -> str:
    if "unnamed groups" in said:
        return "a group has no name: write (?:…) where nothing is wanted of it, (?P<name>…) where something is"
    reason = said.removeprefix("Invalid regular expression: ")
    beyond = "perl operator" in said or "escape sequence" in said
    return f"not RE2: {reason}" + ("; it has no look-around and no back-references" if beyond else "")


def nginx_pattern(log_format: str, wanted: Collection[str] | None = None) -> str:
    """The pattern of a line that nginx writes for a format string, or for a whole ``log_format`` directive.

    Each variable becomes a group of its name (of one that comes twice, the first); with ``wanted`` only these do, which
    is faster. ValueError says what is wrong.
    """
    text = _format_string(log_format.strip())
    parts: list[str] = []
    names: set[str] = set()
    end = 0
    for found in _VARIABLE.finditer(text):
        name, before = found[1] or found[2], text[end : found.start()]
        if names and not before and name not in _SHAPES:
            raise ValueError(f"nothing stands between ${name} and the variable before it: where does one end?")
        quoted = before.endswith('"') and text.startswith('"', found.end())
        shape = _QUOTED if quoted else _SHAPES.get(name, _WORD)
        named = name not in names and (wanted is None or name in wanted)
        parts += [re.escape(before), f"(?P<{name}>{shape})" if named else f"(?:{shape})"]
        names.add(name)
        end = found.end()
    if not names:
        raise ValueError("no $variable is in it")
    return "".join(["^", *parts, re.escape(text[end:]), r"\s*$"])


def _format_string(text: str) -> str:
    """The format itself: of a directive, its strings joined as nginx joins them."""
    if not text.startswith("log_format"):
        return text
    directive = _DIRECTIVE.fullmatch(text)
    if directive is None:
        raise ValueError("not a whole directive: log_format name 'string' …;")
    if directive["escape"] == "json":
        raise ValueError("escape=json makes JSON lines: take `format: json`, and name the variables in `fields`")
    return "".join(map(_unquote, re.findall(_STRING, directive["strings"], re.DOTALL)))


def _unquote(text: str) -> str:
    inner = text[1:-1] if text[0] in "'\"" else text
    return re.sub(r"\\(['\"\\])", r"\1", inner).replace(r"\t", "\t")
