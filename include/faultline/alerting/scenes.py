"""``Scene``: what a decision about one alert rests on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from faultline.alerting.alerts import Alert, MuteReason
from faultline.alerting.causes import Explanation
from faultline.alerting.rulekinds import BaseRule
from faultline.alerting.tallies import Tally
from faultline.alerting.windows import Activity, Horizon
from faultline.model import Ack


@dataclass(frozen=True, slots=True)
class Mute:
    """Why no cause, but a person or the hour keeps an alert from its receivers."""

    reason: MuteReason
    text: str


class Surroundings(Protocol):
    """What is around an alert. Most decisions need little of it, so it is found when it is asked for."""

    def explain(self, alert: Alert) -> Explanation:
        """Who explains it."""

    def hold(self, alert: Alert) -> timedelta:
        """How long it may wait for a cause."""

    def owes_a_page(self, alert: Alert) -> bool:
        """Whether somebody is still to be told of it."""

    def mute(self, alert: Alert) -> Mute | None:
        """Whether a person or the hour keeps it from everybody."""


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything a decision about one alert rests on; ``alert`` is as it was before the decision.

    ``ack`` is what somebody has said since the last evaluation who takes it on. ``late`` says that records came late,
    ``refuted`` that they show that the alert never was over its threshold.
    """

    alert: Alert
    rule: BaseRule
    tally: Tally
    activity: Activity
    horizon: Horizon
    around: Surroundings
    ack: Ack | None = None
    late: bool = False
    refuted: bool = False

    @property
    def explanation(self) -> Explanation:
        """Who explains the alert."""
        return self.around.explain(self.alert)

    @property
    def hold(self) -> timedelta:
        """How long it may wait for a cause."""
        return self.around.hold(self.alert)

    @property
    def page_due(self) -> bool:
        """Whether somebody is still to be told of it."""
        return self.around.owes_a_page(self.alert)

    @property
    def mute(self) -> Mute | None:
        """Whether a person or the hour keeps it from everybody."""
        return self.around.mute(self.alert)
