"""The query language: text → Query, or a QueryError that points at the place.

    query   = all {"or" all}
    all     = term {["and"] term}
    term    = ("not" | "-") term | "(" query ")" | field operator value | word
    operator: = == != =~ !~ < <= > >=

A word or value is quoted where it has a space, a parenthesis or, for a word, an operator in it.
"""

from __future__ import annotations

import re
import unicodedata

from faultline.archive.search.query import EVERYTHING, And, Not, Or, Query, Word
from faultline.archive.search.values import compare, find_field
from faultline.errors import PermanentError

_SPACE = re.compile(r"\s*")
_OPERATOR = re.compile(r"=~|!~|==|!=|<=|>=|=|<|>")
_BARE = re.compile(r"""[^\s()"'=<>!][^\s()"=<>!]*""")
_VALUE = re.compile(r"""[^\s()"'][^\s()"]*""")
_QUOTED = re.compile(r""""((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)\'""", re.DOTALL)
_DEEPEST = 50


class QueryError(PermanentError):
    """The query cannot be understood; ``position`` counts characters of ``text`` from 0."""

    def __init__(self, text: str, position: int, reason: str) -> None:
        self.text, self.position, self.reason = text, position, reason
        # Each character takes the columns it takes in a terminal, so that the caret stands below its place.
        shown = "".join(each if each.isprintable() else " " for each in text)
        before = sum(2 if unicodedata.east_asian_width(each) in "WF" else 1 for each in shown[:position])
        super().__init__(f"{reason}\n  {shown}\n  {' ' * before}^")


def parse_query(text: str) -> Query:
    """What the text asks; nothing asks for everything."""
    parser = _Parser(text)
    if parser.at_end():
        return EVERYTHING
    query = parser.query()
    if not parser.at_end():
        raise parser.error("expected a word, a comparison, 'and' or 'or'")
    return query


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._position = 0
        self._depth = 0

    def error(self, reason: str, position: int | None = None) -> QueryError:
        return QueryError(self._text, self._position if position is None else position, reason)

    def at_end(self) -> bool:
        self._take(_SPACE)
        return self._position == len(self._text)

    def query(self) -> Query:
        operands = [self._all()]
        while self._keyword("or"):
            operands.append(self._all())
        return operands[0] if len(operands) == 1 else Or(tuple(operands))

    def _all(self) -> Query:
        operands = [self._term()]
        while self._keyword("and") or not (self.at_end() or self._ahead(")") or self._keyword_ahead("or")):
            operands.append(self._term())
        return operands[0] if len(operands) == 1 else And(tuple(operands))

    def _term(self) -> Query:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self.error(f"nested deeper than {_DEEPEST} levels")
        term = self._negation() or self._group() or self._comparison_or_word()
        self._depth -= 1
        return term

    def _negation(self) -> Query | None:
        if self._keyword("not") or self._sign("-"):
            return Not(self._term())
        return None

    def _group(self) -> Query | None:
        start = self._position
        if not self._sign("("):
            return None
        query = self.query()
        if not self._sign(")"):
            raise self.error("this parenthesis is not closed", start)
        return query

    def _comparison_or_word(self) -> Query:
        start = self._position
        if (quoted := self._quoted()) is not None:
            return self._word(quoted, start)
        if self._keyword_ahead("and", "or"):
            raise self.error("expected a word or a comparison; quote it to search for it as a word")
        name = self._take(_BARE)
        if not name:
            raise self.error("expected a word, a comparison or '('")
        self._take(_SPACE)
        operator = self._take(_OPERATOR)
        return self._comparison(name, operator, start) if operator else self._word(name, start)

    def _word(self, text: str, start: int) -> Word:
        if not text:
            raise self.error("expected a text between the quotes", start)
        return Word(text)

    def _comparison(self, name: str, operator: str, start: int) -> Query:
        try:
            field = find_field(name)
        except ValueError as fault:
            raise self.error(str(fault), start) from None
        self._take(_SPACE)
        place = self._position
        pattern = operator.endswith("~")
        value = self._quoted(pattern=pattern)
        if value is None:
            value = self._pattern() if pattern else self._take(_VALUE)
            if not value:
                raise self.error(f"expected a value after {operator!r}")
        try:
            return compare(field, "=" if operator == "==" else operator, value)
        except ValueError as fault:
            raise self.error(str(fault), place) from None

    def _quoted(self, *, pattern: bool = False) -> str | None:
        """A quoted text; in a pattern every backslash but that before a quote is the pattern's own."""
        if not (self._ahead('"') or self._ahead("'")):
            return None
        found = _QUOTED.match(self._text, self._position)
        if not found:
            raise self.error("this quote is not closed")
        self._position = found.end()
        return re.sub(r"""\\(["'])""" if pattern else r"""\\(["'\\])""", r"\1", found[1] or found[2] or "")

    def _pattern(self) -> str:
        """Up to a space or the parenthesis that closes a group around the comparison."""
        start, depth = self._position, 0
        for place, character in enumerate(self._text[start:], start):
            depth += {"(": 1, ")": -1}.get(character, 0)
            if character.isspace() or depth < 0:
                break
            self._position = place + 1
        return self._text[start : self._position]

    def _keyword_ahead(self, *names: str) -> bool:
        word = _BARE.match(self._text, self._position)
        return word is not None and word[0].lower() in names

    def _keyword(self, name: str) -> bool:
        self._take(_SPACE)
        if not self._keyword_ahead(name):
            return False
        self._position += len(name)
        self._take(_SPACE)
        return True

    def _ahead(self, sign: str) -> bool:
        return self._text.startswith(sign, self._position)

    def _sign(self, sign: str) -> bool:
        self._take(_SPACE)
        if not self._ahead(sign):
            return False
        self._position += len(sign)
        self._take(_SPACE)
        return True

    def _take(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self._text, self._position)
        if not found:
            return ""
        self._position = found.end()
        return found[0]
