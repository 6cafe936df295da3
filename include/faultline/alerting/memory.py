"""``Memory``: what an evaluator carries from one evaluation to the next, so that each costs what is new.

All of it can be made again from what is stored: the alerts, the last watermark, the terms and the counts of the
lookback. Whoever fails to store an evaluation makes it again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property

from faultline.alerting.alerts import Alert, Term, Told
from faultline.alerting.causes import Explanation
from faultline.alerting.pacing import Pace, paces_of
from faultline.alerting.rules import Rules
from faultline.alerting.silences import Silence
from faultline.alerting.tallies import Tallies, Tally
from faultline.alerting.windows import floor, window_width
from faultline.model import AlertKey, ErrorCount

Edges = tuple[datetime | None, datetime, frozenset[Silence], tuple[bool, ...]]


@dataclass
class Memory:
    """``alerts`` has every episode that is remembered, ``latest`` the last one of each alert by rule.

    ``at`` is when the last evaluation was, ``since`` its watermark, ``paces`` what groups with an interval of their own
    have not seen yet, ``watched`` since when each rule is evaluated, ``seen`` the bucket edges of the last evaluation
    and what was muted then. ``restless`` are episodes that time alone may change. ``explanations`` hold until a cause
    stirs; until ``quiet_until`` is closed, only counts and causes can change an episode. Until ``cold_until`` nothing
    is sent unless there is a watermark: after a start from nothing, effects may be counted before their causes.
    ``lateness`` is how long a closed bucket still takes records. ``awaited`` are the messages whose delivery is not
    known yet, and the episodes they tell of.
    """

    rules: Rules
    bucket: timedelta
    tallies: Tallies
    since: datetime | None = None
    watched: dict[str, datetime] = field(default_factory=dict)
    at: datetime | None = None
    paces: dict[timedelta, Pace] = field(default_factory=dict)
    alerts: dict[str, Alert] = field(default_factory=dict)
    latest: dict[str, dict[AlertKey, Alert]] = field(default_factory=dict)
    seen: Edges | None = None
    restless: set[str] = field(default_factory=set)
    effects: dict[str, list[str]] = field(default_factory=dict)
    explanations: dict[str, Explanation] = field(default_factory=dict)
    quiet_until: dict[str, datetime] = field(default_factory=dict)
    cold_until: datetime | None = None
    lateness: timedelta = timedelta(0)
    awaited: dict[str, set[str]] = field(default_factory=dict)

    @classmethod
    def restore(
        cls,
        rules: Rules,
        bucket: timedelta,
        *,
        alerts: Iterable[Alert] = (),
        at: datetime | None = None,
        since: datetime | None = None,
        watched: Mapping[str, datetime] | None = None,
        terms: Iterable[Term] = (),
        counts: Iterable[ErrorCount] = (),
        cold_until: datetime | None = None,
        lateness: timedelta = timedelta(0),
    ) -> Memory:
        """A memory from what is stored; without any, an empty one.

        ``counts`` are those of the buckets that start after the last watermark less the ``lookback``.
        What a new_term rule finds in them when it is watched for the first time is known, not new.
        """
        memory = cls(rules, bucket, Tallies(list(rules.rules.values())), since, dict(watched or {}))
        memory.cold_until, memory.lateness, memory.at = cold_until, lateness, at
        memory.paces = paces_of(rules.intervals.values(), since, lateness)
        for term in terms:
            tallies = memory.tallies.of.get(term.alert.rule)
            if tallies is not None:
                tallies[term.alert] = Tally(
                    novel_at=term.novel_at, seen_at=term.seen_at, noted_at=term.seen_at, known_at=term.known_at
                )
        memory.learn(counts)
        for alert in sorted(alerts, key=lambda alert: alert.starts_at):
            memory.put(alert)
        return memory

    def learn(self, counts: Iterable[ErrorCount]) -> None:
        """Count what was before; what a rule that is not watched yet finds in it is known, not new."""
        self.tallies.restore(counts)
        for name in set(self.tallies.of) - set(self.watched):
            for tally in self.tallies.of[name].values():
                tally.novel_at = None

    def put(self, alert: Alert) -> None:
        """Remember the alert as it is now."""
        before = self.alerts.get(alert.episode)
        told = before.told if before else ()
        if told is not alert.told:
            self._await(alert.episode, told, alert.told)
        self.alerts[alert.episode] = alert
        self.latest.setdefault(alert.key.rule, {})[alert.key] = alert

    def drop(self, episode: str) -> None:
        """Forget an episode."""
        alert = self.alerts.pop(episode)
        self._await(episode, alert.told, ())
        latest = self.latest[alert.key.rule]
        if latest.get(alert.key) is alert:
            del latest[alert.key]
        self.restless.discard(episode)
        self.explanations.pop(episode, None)
        self.quiet_until.pop(episode, None)

    def _await(self, episode: str, before: Iterable[Told], after: Iterable[Told]) -> None:
        for key in (told.awaits for told in before if told.awaits is not None):
            self.awaited[key].discard(episode)
            if not self.awaited[key]:
                del self.awaited[key]
        for key in (told.awaits for told in after if told.awaits is not None):
            self.awaited.setdefault(key, set()).add(episode)

    @cached_property
    def reaches(self) -> Mapping[str, timedelta]:
        """How long after its end an alert of each rule may explain others, or come back."""
        graph, bucket = self.rules.graph, self.bucket
        return {
            name: max(graph.memory(name), 2 * window_width(rule, bucket)) + bucket + self.rules.interval(name)
            for name, rule in self.rules.rules.items()
        }

    def is_live(self, episode: str) -> bool:
        """Whether the episode is remembered and goes on."""
        alert = self.alerts.get(episode)
        return alert is not None and alert.live

    def is_cold(self, at: datetime, watermark: datetime | None) -> bool:
        """Whether it is too early to send anything. When it no longer is, everything is looked at."""
        if self.cold_until is None:
            return False
        if watermark is None and at < self.cold_until:
            self.seen = None
            return True
        self.cold_until = None
        return False

    def watch(self, at: datetime) -> tuple[str, ...]:
        """Note the rules that are evaluated for the first time, and return them."""
        fresh = tuple(name for name in self.rules.rules if name not in self.watched)
        self.watched |= dict.fromkeys(fresh, floor(at, self.bucket))
        return fresh


def lookback(rules: Rules, bucket: timedelta, lateness: timedelta) -> timedelta:
    """How far back counts are needed: the longest reach of a window that may change, and a bucket at both ends."""
    slowest = max(rules.intervals.values(), default=None)
    unseen = timedelta(0) if slowest is None else slowest + lateness
    return max((rule.reach for rule in rules.rules.values()), default=timedelta(0)) + unseen + lateness + 2 * bucket
