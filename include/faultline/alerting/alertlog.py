"""``AlertLog``: what came of rules over a period, in few words an episode, so that months of it fit into memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from faultline.alerting.alerts import Alert, Evaluation, MuteReason
from faultline.alerting.rules import Rules
from faultline.model import AlertKey, AlertState, Interval, NotificationKind

PAGES = frozenset({NotificationKind.FIRING, NotificationKind.PERSISTS})
# An alert that never came further than these was none.
_NOTHING = frozenset({AlertState.INACTIVE, AlertState.PENDING, AlertState.HELD})


@dataclass(slots=True)
class Episode:
    """One alert from its start to its end, None while that is not known.

    ``pages`` is how many messages of kind firing or persists it had in the period, the first of them at ``paged_at``;
    ``told`` that somebody was told of it, also before the period. ``causes`` explained it at some time, each its
    episode and its alert, the root first. ``muted`` says why it was kept back, if it ever was.
    """

    alert: AlertKey
    name: str
    starts_at: datetime
    ends_at: datetime | None = None
    count: int = 0
    pages: int = 0
    paged_at: datetime | None = None
    told: bool = False
    causes: dict[str, AlertKey] = field(default_factory=dict)
    muted: MuteReason | None = None

    @property
    def root(self) -> AlertKey | None:
        """The first of its causes."""
        return next(iter(self.causes.values()), None)

    def overlaps(self, other: Episode) -> bool:
        """Whether there was a time at which both went on."""
        return not (self._ended_before(other) or other._ended_before(self))

    def _ended_before(self, other: Episode) -> bool:
        return self.ends_at is not None and self.ends_at < other.starts_at


@dataclass
class AlertLog:
    """The episodes of a period by their names, in the order in which they began."""

    rules: Rules
    period: Interval
    episodes: dict[str, Episode] = field(default_factory=dict)

    def add(self, evaluation: Evaluation) -> None:
        """Note what an evaluation decided."""
        for alert in evaluation.changed:
            self._note(alert)
        if evaluation.at <= self.period.start:
            return
        for sent in evaluation.notifications:
            if sent.kind in PAGES and (episode := self.episodes.get(sent.episode)) is not None:
                episode.pages += 1
                episode.paged_at = episode.paged_at or evaluation.at

    def by_rule(self) -> dict[str, list[Episode]]:
        """The episodes of each rule of the file."""
        found: dict[str, list[Episode]] = {name: [] for name in self.rules.rules}
        for episode in self.episodes.values():
            found[episode.alert.rule].append(episode)
        return found

    def unexplained(self) -> Iterator[Episode]:
        """Pages of alerts that chains know as effects, of whose causes nobody was told."""
        for episode in self.episodes.values():
            others = self.rules.graph.ancestors(episode.alert.rule) - {episode.alert.rule}
            if episode.pages and (others or episode.causes) and not any(self._told(cause) for cause in episode.causes):
                yield episode

    def _told(self, name: str) -> bool:
        return name in self.episodes and self.episodes[name].told

    def _note(self, alert: Alert) -> None:
        if alert.ends_at is not None and alert.ends_at <= self.period.start:
            self.episodes.pop(alert.episode, None)
            return
        episode = self.episodes.get(alert.episode)
        if episode is None:
            if alert.state in _NOTHING:
                return
            episode = self.episodes[alert.episode] = Episode(alert.key, alert.episode, alert.starts_at)
        episode.ends_at, episode.count = alert.ends_at, alert.count
        episode.told = episode.told or bool(alert.told)
        episode.causes |= {cause.episode: cause.alert for cause in alert.causes}
        if alert.muted:
            episode.muted = alert.mute
