"""Label matchers in Alertmanager's grammar: ``service="payments"``, ``level=~"ERROR|CRITICAL"``, ``{a="b", c!="d"}``.

An absent label counts as an empty one, as in Alertmanager, and a regular expression must match the whole value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

Operator = Literal["=", "!=", "=~", "!~"]

_QUOTED = r'"(?:[^"\\]|\\.)*"'
_BARE = r"[A-Za-z_:][A-Za-z0-9_:.-]*"
_MATCHER = re.compile(
    rf"\s*(?P<name>{_QUOTED}|{_BARE})\s*(?P<operator>=~|!~|!=|=)"
    rf"\s*(?P<value>{_QUOTED}|[^{{}}!=~,\\\"'`\s]*)\s*(?:,|$)"
)
_WORDS = re.compile(r"[\w-]+(?:\|[\w-]+)*")
_ESCAPES = {r"\\": "\\", r"\"": '"', r"\n": "\n"}


@dataclass(frozen=True, slots=True)
class Matcher:
    """One condition on one label; ValueError when ``value`` is not the regular expression it has to be."""

    name: str
    operator: Operator
    value: str
    _pattern: re.Pattern[str] | None = field(init=False, repr=False, compare=False, default=None)

    def __post_init__(self) -> None:
        if self.operator in ("=~", "!~"):
            try:
                object.__setattr__(self, "_pattern", re.compile(self.value, re.DOTALL))
            except re.error as error:
                raise ValueError(f"not a regular expression: {self.value!r}: {error}") from None

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether the labels meet the condition."""
        value = labels.get(self.name, "")
        same = self._pattern.fullmatch(value) is not None if self._pattern else value == self.value
        return same if self.operator in ("=", "=~") else not same

    @property
    def values(self) -> tuple[str, ...] | None:
        """All the values that meet the condition; None where they are not written out."""
        if self.operator == "=":
            return (self.value,)
        return tuple(self.value.split("|")) if self.operator == "=~" and _WORDS.fullmatch(self.value) else None

    def __str__(self) -> str:
        name = self.name if re.fullmatch(_BARE, self.name) else _quote(self.name)
        return f"{name}{self.operator}{_quote(self.value)}"


Condition = tuple[Matcher, ...]


def parse_matchers(text: str) -> tuple[Matcher, ...]:
    """All matchers of one string, with or without braces; ValueError says where it stops making sense."""
    stripped = text.strip()
    inside = stripped[1:-1] if stripped.startswith("{") and stripped.endswith("}") else stripped
    matchers, position = [], 0
    while position < len(inside):
        found = _MATCHER.match(inside, position)
        if found is None:
            raise _not_a_matcher(inside[position:].strip())
        matchers.append(Matcher(_unquote(found["name"]), _operator(found["operator"]), _unquote(found["value"])))
        position = found.end()
    if not matchers:
        raise _not_a_matcher(text)
    return tuple(matchers)


def matches_all(matchers: Sequence[Matcher], labels: Mapping[str, str]) -> bool:
    """Whether the labels meet every condition; none at all is met by everything."""
    return not matchers or all(matcher.matches(labels) for matcher in matchers)


def may_both_match(first: Sequence[Matcher], then: Sequence[Matcher]) -> bool:
    """Whether some labels may meet both, as far as values that are written out tell."""
    pairs = [(one, other) for one in first for other in then if one.name == other.name]
    return not any(_contradicts(one, other) or _contradicts(other, one) for one, other in pairs)


def _contradicts(one: Matcher, other: Matcher) -> bool:
    return one.values is not None and not any(other.matches({other.name: value}) for value in one.values)


def _not_a_matcher(text: str) -> ValueError:
    return ValueError(f"""not a matcher: {text!r}; write name="value" with =, !=, =~ or !~""")


def _operator(text: str) -> Operator:
    operators: dict[str, Operator] = {"=": "=", "!=": "!=", "=~": "=~", "!~": "!~"}
    return operators[text]


def _quote(text: str) -> str:
    escaped = text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
    return f'"{escaped}"'


def _unquote(text: str) -> str:
    if not text.startswith('"'):
        return text
    return re.sub(r"\\.", lambda found: _ESCAPES.get(found[0], found[0]), text[1:-1])
