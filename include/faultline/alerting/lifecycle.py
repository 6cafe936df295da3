"""The life of an alert, one step at a time:

    inactive → pending → held → firing | suppressed → recovering → resolved

Decides from the alert, its activity and its explanation; every step has a reason. A hold delays, it never drops: what
was held is either explained by a cause or fires.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

from faultline.alerting.alerts import Alert, Cause
from faultline.alerting.causes import Explanation
from faultline.alerting.episodes import ends_at, interrupted, matured
from faultline.alerting.rulekinds import BaseRule
from faultline.alerting.tallies import Tally
from faultline.alerting.windows import Activity, Horizon
from faultline.model import AlertState, Transition
from faultline.settings import format_duration


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything a decision about one alert rests on; ``hold`` is how long it may wait for a cause."""

    rule: BaseRule
    tally: Tally
    activity: Activity
    explanation: Explanation
    horizon: Horizon
    hold: timedelta
    page_due: bool


Verdict = tuple[AlertState, str]


def step(alert: Alert, scene: Scene) -> tuple[Alert, Transition | None]:
    """The alert after this evaluation and the transition, if it made one."""
    state, reason = _DECISIONS[alert.state](alert, scene)
    after = _entered(alert, state, scene)
    if state is alert.state:
        return after, None
    by = tuple(cause.alert for cause in after.causes) if after.muted else ()
    return after, Transition(alert.episode, alert.key, alert.state, state, scene.horizon.at, reason, by)


def _begin(alert: Alert, scene: Scene) -> Verdict:
    if scene.activity.over and interrupted(alert, scene.activity, scene.horizon):
        return AlertState.INACTIVE, "below the threshold for a while"
    if matured(alert, scene.rule, scene.activity, scene.horizon):
        if alert.starts_at < scene.horizon.at - scene.rule.max_alert_age:
            oldest = format_duration(scene.rule.max_alert_age)
            return AlertState.EXPIRED, f"would have fired: it started longer than {oldest} ago"
        return _judge(alert, scene)
    if not scene.activity.over:
        return AlertState.INACTIVE, "below the threshold again"
    return AlertState.PENDING, f"{scene.rule.crossed}, waits for {format_duration(scene.rule.for_)}"


def _judge(alert: Alert, scene: Scene) -> Verdict:
    explanation = scene.explanation
    if explanation.active:
        return AlertState.SUPPRESSED, f"explained by {explanation.active[0].alert}"
    if explanation.ended:
        return AlertState.RECOVERING, f"started after its cause {explanation.ended[0].alert} had ended"
    if not _hold_is_over(alert, scene):
        return AlertState.HELD, f"waits {format_duration(scene.hold)} for a cause"
    return AlertState.FIRING, scene.rule.crossed + (", no cause in sight" if scene.hold else "")


def _hold_is_over(alert: Alert, scene: Scene) -> bool:
    """No cause can come in time any more, or the clock has run as long as the hold: a stalled pipeline must page."""
    horizon = scene.horizon
    if not scene.hold or horizon.has_closed(alert.starts_at + horizon.bucket + scene.hold):
        return True
    return alert.held_since is not None and horizon.at >= alert.held_since + scene.hold


def _go_on_firing(alert: Alert, scene: Scene) -> Verdict:
    if not alert.told and scene.explanation.active:
        return AlertState.SUPPRESSED, f"explained by {scene.explanation.active[0].alert} before it was sent"
    if not scene.page_due and ends_at(alert, scene.rule, scene.horizon):
        return AlertState.RESOLVED, scene.rule.cleared
    return AlertState.FIRING, ""


def _go_on_suppressed(alert: Alert, scene: Scene) -> Verdict:
    if ends_at(alert, scene.rule, scene.horizon):
        return AlertState.RESOLVED, "cleared with its cause"
    if scene.explanation.active:
        return AlertState.SUPPRESSED, ""
    if scene.explanation.ended:
        return AlertState.RECOVERING, f"its cause {scene.explanation.ended[0].alert} has ended"
    return AlertState.FIRING, "the rules do not explain it any more"


def _go_on_recovering(alert: Alert, scene: Scene) -> Verdict:
    if ends_at(alert, scene.rule, scene.horizon):
        return AlertState.RESOLVED, "cleared after its cause"
    if scene.explanation.active:
        return AlertState.SUPPRESSED, f"explained by {scene.explanation.active[0].alert}"
    if _still_failing(alert, scene):
        return AlertState.FIRING, "still failing after its cause had ended"
    return AlertState.RECOVERING, ""


def _still_failing(alert: Alert, scene: Scene) -> bool:
    """Whether the grace is over and a closed bucket that starts after the cause's end has new records."""
    closed, ended = scene.horizon.closed, alert.recovering_from
    if closed is None or ended is None or alert.recovering_until is None:
        return False
    return scene.activity.over and closed >= alert.recovering_until and scene.tally.total(ended, closed) > 0


_DECISIONS: dict[AlertState, Callable[[Alert, Scene], Verdict]] = {
    AlertState.INACTIVE: _begin,
    AlertState.PENDING: _begin,
    AlertState.HELD: _judge,
    AlertState.FIRING: _go_on_firing,
    AlertState.SUPPRESSED: _go_on_suppressed,
    AlertState.RECOVERING: _go_on_recovering,
}


def _entered(alert: Alert, state: AlertState, scene: Scene) -> Alert:
    """The alert in its new state, or in its old one with the causes known now."""
    new = state is not alert.state
    active, ended = scene.explanation.active, scene.explanation.ended
    if not new and state not in (AlertState.FIRING, AlertState.SUPPRESSED):
        return alert
    match state:
        case AlertState.HELD if new:
            return replace(alert, state=state, held_since=scene.horizon.at)
        case AlertState.FIRING | AlertState.SUPPRESSED if not new:
            causes = _merged(active, alert.causes)
            return alert if causes == alert.causes else replace(alert, causes=causes)
        case AlertState.FIRING:
            causes = _merged(active, alert.causes)
            return replace(alert, state=state, firing_since=scene.horizon.at, causes=causes)
        case AlertState.SUPPRESSED:
            causes = _merged(active, alert.causes)
            return replace(alert, state=state, causes=causes, recovering_from=None, recovering_until=None)
        case AlertState.RECOVERING if new:
            start = max(scene.explanation.ended_at or alert.starts_at, alert.starts_at)
            causes = _merged(alert.causes, ended)
            until = start + scene.explanation.grace
            return replace(alert, state=state, causes=causes, recovering_from=start, recovering_until=until)
        case AlertState.RESOLVED:
            return replace(alert, state=state, ends_at=ends_at(alert, scene.rule, scene.horizon))
    return replace(alert, state=state)


def _merged(first: tuple[Cause, ...], then: tuple[Cause, ...]) -> tuple[Cause, ...]:
    known = {cause.episode for cause in first}
    return (*first, *(cause for cause in then if cause.episode not in known))
