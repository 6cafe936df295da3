"""How a test file writes a series of counts (promtool's shorthand) and an alert (name and identity labels)."""

from __future__ import annotations

import re

from faultline.alerting.matchers import parse_matchers
from faultline.model import AlertKey, Labels

_VALUE = re.compile(r"(?P<first>\d+|_)(?:(?P<step>[+-]\d+))?(?:x(?P<times>\d+))?")
# A typing error must not fill the memory.
_LONGEST = 1_000_000


def parse_counts(text: str) -> tuple[int | None, ...]:
    """One count an interval, None for no data.

    ``a+bxn`` is a, a+b, … a+b·n and ``axn`` is a, n+1 times, as in promtool; ``_xn`` is no data n times. ValueError
    names the part that is none of these.
    """
    return tuple(value for part in text.split() for value in _values(part))


def parse_alert(text: str) -> AlertKey:
    """``Name{label="value", …}``, or the name alone; ValueError when it is neither."""
    name, brace, rest = text.strip().partition("{")
    if not name or (brace and not rest.endswith("}")):
        raise ValueError(f'not an alert: {text!r}; write Name{{label="value"}}')
    inside = rest[:-1].strip()
    matchers = parse_matchers(inside) if inside else ()
    if any(matcher.operator != "=" for matcher in matchers):
        raise ValueError(f"not an alert: {text!r}; its labels are written with =")
    return AlertKey(name.strip(), Labels({matcher.name: matcher.value for matcher in matchers}))


def _values(part: str) -> list[int | None]:
    found = _VALUE.fullmatch(part)
    times = int(found["times"] or 0) if found else 0
    if found is None or times > _LONGEST or (found["first"] == "_" and found["step"]):
        raise ValueError(f"not a series: {part!r}; write counts such as 0x3 30 5+2x10 _x4")
    if found["first"] == "_":
        return [None] * (times if found["times"] else 1)
    first, step = int(found["first"]), int(found["step"] or 0)
    if first + step * times < 0:
        raise ValueError(f"not a series: {part!r} counts below 0")
    return [first + step * number for number in range(times + 1)]
