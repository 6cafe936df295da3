"""``Scene``: what a decision about one alert rests on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from faultline.alerting.alerts import MuteReason
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


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything a decision about one alert rests on; ``hold`` is how long it may wait for a cause.

    ``ack`` is what somebody has said since the last evaluation who takes it on. ``late`` says that records came late,
    ``refuted`` that they show that the alert never was over its threshold.
    """

    rule: BaseRule
    tally: Tally
    activity: Activity
    explanation: Explanation
    horizon: Horizon
    hold: timedelta
    page_due: bool
    mute: Mute | None = None
    ack: Ack | None = None
    late: bool = False
    refuted: bool = False
