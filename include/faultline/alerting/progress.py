"""``Progress``: one evaluation under way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from faultline.alerting.alerts import Alert, Suppression
from faultline.alerting.memory import Memory
from faultline.alerting.pacing import Keys
from faultline.alerting.silences import Silence
from faultline.alerting.windows import Horizon
from faultline.model import Ack, Transition


@dataclass
class Progress:
    """``before`` has what changed alerts were, None for those that were not there; ``stirred`` are rules whose alerts
    made a step, ``looked_at`` the episodes that were stepped, ``moved`` says that time passed an edge,
    ``remuted`` that what is silenced or muted is not what it was; ``acks`` are new, by episode. ``paced`` has where
    rules of groups with their own interval stand in time, ``resting`` those of them that are not due.
    """

    memory: Memory
    horizon: Horizon
    silences: tuple[Silence, ...]
    moved: bool
    remuted: bool
    touched: dict[str, Keys]
    acks: Mapping[str, Ack]
    paced: Mapping[str, Horizon] = field(default_factory=dict)
    resting: frozenset[str] = frozenset()
    before: dict[str, Alert | None] = field(default_factory=dict)
    transitions: list[Transition] = field(default_factory=list)
    ended: dict[str, Alert] = field(default_factory=dict)
    looked_at: set[str] = field(default_factory=set)
    stirred: set[str] = field(default_factory=set)

    def horizon_of(self, rule: str) -> Horizon:
        """Where the evaluation of a rule stands in time."""
        return self.paced.get(rule, self.horizon)

    def put(self, before: Alert | None, alert: Alert) -> None:
        """Remember the alert as it is now."""
        if alert is not before:
            self.before.setdefault(alert.episode, before)
            self.memory.put(alert)

    def drop(self, before: Alert, alert: Alert) -> None:
        """Remember it no longer; ``alert`` is what it is in the end."""
        self.before.setdefault(alert.episode, before)
        self.ended[alert.episode] = alert
        self.memory.drop(alert.episode)

    def changed(self) -> tuple[Alert, ...]:
        """The alerts that are not what they were, those too that are remembered no longer."""
        now = ((before, self.memory.alerts.get(name) or self.ended.get(name)) for name, before in self.before.items())
        return tuple(after for before, after in now if after is not None and after is not before)

    def changed_rows(self) -> Iterator[Suppression]:
        """The ledger's rows that are not what they were."""
        for episode, before in self.before.items():
            after = self.memory.alerts.get(episode) or self.ended.get(episode)
            row = after.suppression if after else None
            if row is not None and row != (before.suppression if before else None):
                yield row
