"""A digest as words: its title, and what its templates see."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from faultline.digest import Digest, ErrorTrend, Uncounted
from faultline.dispatch.digest.pictures import sparkline
from faultline.dispatch.text import shorten

_SAMPLE_LENGTH, _NAME_LENGTH = 160, 80
_TITLES = {
    "en": "{errors:,} {noun}{news}{lost} · {span} UTC",
    "zh": "{errors:,} 个错误{news}{lost} · {span}（UTC）",
}
_NEWS = {"en": ", {:,} new", "zh": "，{:,} 种新出现"}
_LOST = {"en": ", {:,} undelivered", "zh": "，{:,} 条消息未送达"}


def title(digest: Digest, language: str) -> str:
    """What there is to know at a glance, without the word for what it is."""
    return _TITLES[language].format(
        errors=digest.errors,
        noun="error" if digest.errors == 1 else "errors",
        news=_NEWS[language].format(digest.news) if digest.news else "",
        lost=_LOST[language].format(digest.lost_messages) if digest.lost_messages else "",
        span=span(digest.start, digest.end),
    )


def span(start: datetime, end: datetime) -> str:
    """The interval, with the date of its end only where that is another."""
    last = f"{end:%H:%M}" if start.date() == end.date() else f"{end:%Y-%m-%d %H:%M}"
    return f"{start:%Y-%m-%d %H:%M} – {last}"


def variables(digest: Digest, *, entries: int, sample_length: int = _SAMPLE_LENGTH) -> dict[str, Any]:
    """What a template of digests sees, of each list at most so many ``entries``."""
    new = {error.fingerprint for error in digest.new}
    length = min(sample_length, _SAMPLE_LENGTH)
    return {
        **{name: getattr(digest, name) for name in ("start", "end", "errors", "errors_before", "known_since")},
        "length": digest.end - digest.start,
        "spark": sparkline(digest.series),
        "fired": [(shorten(rule, _NAME_LENGTH), number) for rule, number in digest.fired[:entries]],
        "more_fired": len(digest.fired[entries:]),
        "top": list(_errors(digest.top[:entries], new, length)),
        "more_kinds": digest.more_kinds + len(digest.top[entries:]),
        "new": list(_errors(digest.new[:entries], new, length)),
        "more_new": digest.more_new + len(digest.new[entries:]),
        "quiet": [asdict(each) for each in digest.quiet],
        "dark": [asdict(each) | {"root": shorten(each.root, _NAME_LENGTH)} for each in digest.dark[:entries]],
        "more_dark": digest.more_dark + len(digest.dark[entries:]),
        "undelivered": [
            asdict(each) | {"answer": shorten(each.answer, _NAME_LENGTH)} for each in digest.undelivered[:entries]
        ],
        "uncounted": [{"topic": each.topic, "parts": list(_parts(each))} for each in digest.uncounted[:entries]],
        "nothing": not (digest.errors or digest.fired or digest.quiet or digest.undelivered or digest.uncounted),
    }


def _parts(uncounted: Uncounted) -> Iterator[tuple[str, int]]:
    """What there is of it, and how many records."""
    for what in ("unparsable", "late", "flooded"):
        if number := getattr(uncounted, what):
            yield what, number


def _errors(errors: Sequence[ErrorTrend], new: Collection[str], length: int) -> Iterator[Mapping[str, Any]]:
    for error in errors:
        yield {
            "name": shorten(" ".join(filter(None, (error.service or error.topic, error.exception_type))), _NAME_LENGTH),
            "level": error.level,
            "count": error.count,
            "before": error.before,
            "spark": sparkline(error.series),
            "hosts": error.hosts,
            "first_seen": error.first_seen,
            "last_seen": error.last_seen,
            "sample": shorten(error.sample.strip(), length) if length else "",
            "fingerprint": error.fingerprint,
            "new": error.fingerprint in new,
        }
