"""What a silence reaches: what it matches now, what it would have matched lately, what it has kept quiet. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from faultline.adapters.database import Kept, Outline
from faultline.alerting.matchers import Matcher, matches_all
from faultline.alerting.silences import Silence
from faultline.page.trees import ENDED


@dataclass(frozen=True, slots=True)
class Matched:
    """Alerts that matchers match: all of them as they were given, how many of each rule, most frequent first."""

    alerts: tuple[Outline, ...]

    @property
    def rules(self) -> list[tuple[str, int]]:
        """How many alerts of each rule, the rule with the most first."""
        return Counter(alert.rule for alert in self.alerts).most_common()


@dataclass(frozen=True, slots=True)
class KeptQuiet:
    """What a silence has kept from receivers so far."""

    episodes: int
    records: int
    since: datetime | None


def matched_now(matchers: Sequence[Matcher], outlines: Iterable[Outline]) -> Matched:
    """The alerts that go on and match."""
    return matched(matchers, (outline for outline in outlines if outline.state not in ENDED))


def matched(matchers: Sequence[Matcher], outlines: Iterable[Outline]) -> Matched:
    """The alerts that match."""
    return Matched(tuple(outline for outline in outlines if matches_all(matchers, outline.labels)))


def kept_quiet(silence: Silence, kept: Iterable[Kept]) -> KeptQuiet:
    """Of what was silenced, what matches, from the silence's start on; two that match the same both count it."""
    rows = [
        each.suppression
        for each in kept
        if (each.suppression.ends_at is None or each.suppression.ends_at > silence.starts_at)
        and each.suppression.starts_at < silence.ends_at
        and matches_all(silence.parsed, each.labels)
    ]
    since = min((row.starts_at for row in rows), default=None)
    return KeptQuiet(len({row.episode for row in rows}), sum(row.count for row in rows), since)
