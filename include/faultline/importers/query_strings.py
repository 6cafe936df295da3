"""Lucene's query strings, as far as they are conditions on labels that all must hold.

What is understood: ``field:value``, quoted values, ``field:(a OR b)``, ``*`` and ``?`` in values, ``_exists_:field``,
NOT, AND, parentheses, and OR between conditions on the same field. Everything else is refused, and says so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from faultline.alerting.matchers import Matcher, Operator
from faultline.importers.elastalert_fields import label_of, value_of

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<open>\()|(?P<close>\))|(?P<and>AND\b|&&)|(?P<or>OR\b|\|\|)|(?P<not>NOT\b|!)
        |(?P<field>(?:[^\s()"\\:!]|\\.)+):\s*(?=\S)
        |"(?P<quoted>(?:[^"\\]|\\.)*)"(?=[\s()]|$)
        |(?P<bare>(?:[^\s()"\\:]|\\.)+)
    )""",
    re.VERBOSE,
)
_BEYOND = re.compile(r"^[-+/\[{<>]|[~^]\d*\.?\d*$|^[\]}]")
_DEEPEST = 20
_OPPOSITES: dict[Operator, Operator] = {"=": "!=", "!=": "=", "=~": "!~", "!~": "=~"}


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str


def query_matchers(query: str) -> list[Matcher]:
    """The matchers that all must hold; ValueError says what is more than that."""
    reader = _Reader(list(_tokens(query)))
    found = reader.conditions(0)
    if reader.kind:
        raise ValueError(f"not understood from {reader.shown!r} on")
    return found


def _tokens(query: str) -> Iterator[_Token]:
    position, end = 0, len(query.rstrip())
    while position < end:
        found = _TOKEN.match(query, position)
        if found is None:
            raise ValueError(f"not understood from {query[position:].strip()[:20]!r} on")
        kind = str(found.lastgroup)
        yield _Token(kind, found[kind])
        position = found.end()


class _Reader:
    """Recursive descent; each level gives matchers that all must hold."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._at = 0

    @property
    def kind(self) -> str:
        """What comes next; empty at the end."""
        return self._tokens[self._at].kind if self._at < len(self._tokens) else ""

    @property
    def shown(self) -> str:
        """What comes next, as written."""
        return self._tokens[self._at].text if self.kind else "the end"

    def conditions(self, depth: int) -> list[Matcher]:
        """Conditions joined by AND, or by OR, up to a closing parenthesis or the end."""
        return self._joined(lambda: self._condition(depth))

    def _joined(self, read: Callable[[], list[Matcher]]) -> list[Matcher]:
        found, joint = [read()], ""
        while self.kind in ("and", "or"):
            if joint and joint != self.kind:
                raise ValueError("AND beside OR without parentheses")
            joint = self._next().kind
            found.append(read())
        if self.kind not in ("", "close"):
            raise ValueError(f"no AND or OR before {self.shown!r}")
        return [one_of(found)] if joint == "or" else [matcher for each in found for matcher in each]

    def _condition(self, depth: int) -> list[Matcher]:
        if depth > _DEEPEST:
            raise ValueError("too many parentheses and NOTs inside of each other")
        if self.kind == "not":
            self._next()
            return [opposite(self._condition(depth + 1))]
        if self.kind == "open":
            return self._inside(lambda: self.conditions(depth + 1))
        if self.kind != "field":
            raise ValueError(f"{self.shown!r} is looked for in texts; rules count by labels")
        return self._of_field(_unescaped(self._next().text))

    def _inside(self, read: Callable[[], list[Matcher]]) -> list[Matcher]:
        self._next()
        found = read()
        if self.kind != "close":
            raise ValueError("a parenthesis that is not closed")
        self._next()
        return found

    def _of_field(self, field: str) -> list[Matcher]:
        if _BEYOND.search(field):
            raise ValueError(f"{field!r}: + and - are not understood; write AND and NOT")
        if field == "_exists_":
            return [Matcher(label_of(self._word()), "!=", "")]
        label = label_of(field)
        if self.kind == "open":
            return self._inside(lambda: self._joined(lambda: self._value(label)))
        return self._value(label)

    def _value(self, label: str) -> list[Matcher]:
        if self.kind == "not":
            self._next()
            return [opposite([self._of_value(label)])]
        return [self._of_value(label)]

    def _of_value(self, label: str) -> Matcher:
        if self.kind == "quoted":
            return Matcher(label, "=", value_of(label, _unescaped(self._next().text)))
        return _matcher_of(label, self._word())

    def _word(self) -> str:
        if self.kind != "bare":
            raise ValueError(f"no value before {self.shown!r}")
        return self._next().text

    def _next(self) -> _Token:
        self._at += 1
        return self._tokens[self._at - 1]


def _matcher_of(label: str, word: str) -> Matcher:
    """A word with its wildcards."""
    if _BEYOND.search(word):
        raise ValueError(f"{word!r} is a range, an expression or a likeness; rules know values and wildcards")
    if word == "*":
        return Matcher(label, "!=", "")
    pieces = re.findall(r"\\.|[*?]|[^\\*?]+", word)
    if not {"*", "?"} & set(pieces):
        return Matcher(label, "=", value_of(label, _unescaped(word)))
    wild = {"*": ".*", "?": "."}
    return like(label, "".join(wild.get(piece) or escaped(_unescaped(piece)) for piece in pieces))


def one_of(alternatives: list[list[Matcher]]) -> Matcher:
    """A matcher that is met when one of these is; ValueError when they are not single values of one label."""
    matchers = [matcher for each in alternatives for matcher in each]
    if any(len(each) != 1 for each in alternatives) or len({matcher.name for matcher in matchers}) != 1:
        raise ValueError("OR between different fields; write a rule for each")
    if any(matcher.operator not in ("=", "=~") for matcher in matchers):
        raise ValueError("OR with NOT; write a rule for each")
    if len(matchers) == 1:
        return matchers[0]
    patterns = [each.value if each.operator == "=~" else escaped(each.value) for each in matchers]
    return Matcher(matchers[0].name, "=~", "|".join(dict.fromkeys(patterns)))


def like(label: str, pattern: str) -> Matcher:
    """A matcher of a pattern; levels are counted in capitals, whatever their writers call them."""
    return Matcher(label, "=~", pattern.upper() if label == "level" else pattern)


def opposite(matchers: list[Matcher]) -> Matcher:
    """Whatever does not match; ValueError when these are several conditions."""
    if len(matchers) != 1:
        raise ValueError("NOT of several conditions at once; write a rule for each")
    [matcher] = matchers
    return Matcher(matcher.name, _OPPOSITES[matcher.operator], matcher.value)


def escaped(value: str) -> str:
    """The value as a regular expression that only it matches, and that people can read."""
    return re.sub(r"([.^$*+?{}\[\]\\|()])", r"\\\1", value)


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)
