"""The life of an alert, one step at a time:

    inactive → pending → held → firing → acked | suppressed → recovering → resolved

Decides from the alert, its activity and its explanation; every step has a reason. A hold delays, it never drops: what
was held is either explained by a cause or fires.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from faultline.alerting.alerts import Alert, MuteReason, SuppressionOutcome, replace
from faultline.alerting.entries import entered, released_by
from faultline.alerting.episodes import ends_at, interrupted, matured
from faultline.alerting.scenes import Scene
from faultline.alerting.windows import Horizon
from faultline.durations import format_duration
from faultline.model import AlertState, Transition

Verdict = tuple[AlertState, str]


def step(alert: Alert, scene: Scene) -> tuple[Alert, Transition | None]:
    """The alert after this evaluation and the transition, if it made one."""
    released = released_by(alert, scene)
    if released is not alert.released:
        alert = replace(alert, released=released)
    decide = _withdraw if scene.refuted and alert.state in _REFUTABLE else _DECISIONS[alert.state]
    state, reason = decide(alert, scene)
    after = entered(alert, state, scene)
    if state is alert.state:
        return after, None
    if scene.late and not after.told:
        after = replace(after, late=True)
    by = tuple(cause.alert for cause in after.causes) if _has_causes(after) else ()
    return after, Transition(alert.episode, alert.key, alert.state, state, scene.horizon.at, reason, by, scene.late)


def _has_causes(alert: Alert) -> bool:
    return alert.muted and alert.mute in (None, MuteReason.CHAIN)


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


def _withdraw(alert: Alert, scene: Scene) -> Verdict:
    """Whoever was told is told that it was none; what nobody was told of never was."""
    return AlertState.RESOLVED if alert.told or alert.muted else AlertState.INACTIVE, scene.rule.refuted


def _judge(alert: Alert, scene: Scene) -> Verdict:
    explanation = scene.explanation
    if alert.released is None:
        if explanation.active:
            return AlertState.SUPPRESSED, f"explained by {explanation.active[0].alert}"
        if explanation.ended:
            return AlertState.RECOVERING, f"started after its cause {explanation.ended[0].alert} had ended"
    hold = scene.hold
    if alert.released is None and not _hold_is_over(alert, scene.horizon, hold):
        return AlertState.HELD, f"waits {format_duration(hold)} for a cause"
    return _fire(scene, scene.rule.crossed + (", no cause in sight" if hold else ""))


def _fire(scene: Scene, reason: str) -> Verdict:
    """Nothing explains it; but somebody may have silenced it, or it may be an hour in which nothing is sent."""
    return (AlertState.FIRING, reason) if scene.mute is None else (AlertState.SUPPRESSED, scene.mute.text)


def _fire_again(alert: Alert, scene: Scene) -> Verdict:
    """A root that comes back while its effects recover from it: the same episode goes on."""
    state, reason = _judge(alert, scene)
    return state, f"flapping: {reason}"


def _hold_is_over(alert: Alert, horizon: Horizon, hold: timedelta) -> bool:
    """No cause can come in time any more, or the clock has run as long as the hold: a stalled pipeline must page."""
    if not hold or horizon.has_closed(alert.starts_at + horizon.bucket + hold):
        return True
    return alert.held_since is not None and horizon.at >= alert.held_since + hold


def _go_on_firing(alert: Alert, scene: Scene) -> Verdict:
    if not alert.told:
        if scene.explanation.active and alert.released is None:
            return AlertState.SUPPRESSED, f"explained by {scene.explanation.active[0].alert} before it was sent"
        if scene.mute is not None:
            return AlertState.SUPPRESSED, scene.mute.text
    if not scene.page_due and ends_at(alert, scene.rule, scene.horizon):
        return AlertState.RESOLVED, scene.rule.cleared
    if alert.state is AlertState.FIRING and scene.ack is not None:
        return AlertState.ACKED, scene.ack.reason
    return alert.state, ""


def _go_on_suppressed(alert: Alert, scene: Scene) -> Verdict:
    by_chain = alert.mute is MuteReason.CHAIN
    if ends_at(alert, scene.rule, scene.horizon):
        return AlertState.RESOLVED, "cleared with its cause" if by_chain else "cleared while it was muted"
    if by_chain and alert.released is not None:
        return _fire(scene, _RELEASES[alert.released])
    if scene.explanation.active and alert.released is None:
        return AlertState.SUPPRESSED, ""
    if scene.explanation.ended and by_chain:
        return AlertState.RECOVERING, f"its cause {scene.explanation.ended[0].alert} has ended"
    return _fire(scene, "nothing explains it any more" if by_chain else "it is not muted any more")


_RELEASES = {
    SuppressionOutcome.EXPIRED: "suppressed for as long as it may be",
    SuppressionOutcome.BROKE_THROUGH: "many more records than when it was suppressed",
}


def _go_on_recovering(alert: Alert, scene: Scene) -> Verdict:
    if ends_at(alert, scene.rule, scene.horizon):
        return AlertState.RESOLVED, "cleared after its cause"
    if scene.explanation.active:
        return AlertState.SUPPRESSED, f"explained by {scene.explanation.active[0].alert}"
    if _still_failing(alert, scene):
        return _fire(scene, "still failing after its cause had ended")
    return AlertState.RECOVERING, ""


def _still_failing(alert: Alert, scene: Scene) -> bool:
    """Whether the grace is over and a closed bucket that starts after the cause's end has new records."""
    closed, ended = scene.horizon.closed, alert.recovering_from
    if closed is None or ended is None or alert.recovering_until is None:
        return False
    if not scene.activity.over or closed < alert.recovering_until or closed <= ended:
        return False
    return scene.rule.needs_closing or scene.tally.total(ended, closed) > 0


_REFUTABLE = frozenset(
    {AlertState.HELD, AlertState.FIRING, AlertState.ACKED, AlertState.SUPPRESSED, AlertState.RECOVERING}
)
_DECISIONS: dict[AlertState, Callable[[Alert, Scene], Verdict]] = {
    AlertState.INACTIVE: _begin,
    AlertState.PENDING: _begin,
    AlertState.HELD: _judge,
    AlertState.FIRING: _go_on_firing,
    AlertState.ACKED: _go_on_firing,
    AlertState.SUPPRESSED: _go_on_suppressed,
    AlertState.RECOVERING: _go_on_recovering,
    AlertState.RESOLVED: _fire_again,
}
