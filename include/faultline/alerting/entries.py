"""What an alert remembers when it enters a state, or stays in one: its causes, since when, at which rate."""

from __future__ import annotations

from faultline.alerting.alerts import Alert, Cause, MuteReason, SuppressionOutcome, replace
from faultline.alerting.causes import UNEXPLAINED
from faultline.alerting.episodes import ends_at
from faultline.alerting.scenes import Scene
from faultline.alerting.windows import window_width
from faultline.model import AlertState

# A root with thousands of siblings need not be named by each of them.
MOST_CAUSES = 50


def entered(alert: Alert, state: AlertState, scene: Scene) -> Alert:
    """The alert in its new state, or in its old one with the causes known now."""
    new = state is not alert.state
    if not new:
        return _kept(alert, scene) if alert.sounding or state is AlertState.SUPPRESSED else alert
    if alert.ack is not None and state is not AlertState.RESOLVED:
        alert = replace(alert, ack=None)  # whoever took it on was told that it is over, or never told of it
    match state:
        case AlertState.HELD:
            return replace(alert, state=state, held_since=scene.horizon.at)
        case AlertState.FIRING:
            if scene.explanation == UNEXPLAINED:
                alert = replace(alert, causes=())  # the rules have changed, or its cause turned out to be none
            return replace(_kept(alert, scene), state=state, firing_since=scene.horizon.at, mute=None)
        case AlertState.ACKED:
            return replace(_kept(alert, scene), state=state, ack=scene.ack)
        case AlertState.SUPPRESSED:
            return replace(
                _kept(replace(alert, state=state), scene),
                mute=_mute(alert, scene),
                recovering_from=None,
                recovering_until=None,
            )
        case AlertState.RECOVERING:
            start = max(scene.explanation.ended_at or alert.starts_at, alert.starts_at)
            causes = _merged(alert.causes, scene.explanation.ended)
            until = start + scene.explanation.grace
            return replace(alert, state=state, causes=causes, recovering_from=start, recovering_until=until)
        case AlertState.RESOLVED:
            if scene.refuted:
                end = max(alert.cleared_at or alert.starts_at, alert.starts_at)
                return replace(alert, state=state, ends_at=end, corrected=True)
            return replace(alert, state=state, ends_at=ends_at(alert, scene.rule, scene.horizon))
    return replace(alert, state=state)


def released_by(alert: Alert, scene: Scene) -> SuppressionOutcome | None:
    """What ends its suppression although its cause goes on: the longest time for it, or many more records."""
    row = alert.suppression
    if alert.released is not None or alert.state is not AlertState.SUPPRESSED or row is None:
        return alert.released
    if ends_at(alert, scene.rule, scene.horizon):
        return None  # it is over, whoever explains it
    at, explanation = scene.horizon.at, scene.explanation
    if explanation.max_suppression is not None and at >= row.starts_at + explanation.max_suppression:
        return SuppressionOutcome.EXPIRED
    if explanation.breakthrough is None or not alert.rate or at < row.starts_at + scene.rule.timeframe:
        return None
    return SuppressionOutcome.BROKE_THROUGH if _rate(scene) > explanation.breakthrough * alert.rate else None


def _kept(alert: Alert, scene: Scene) -> Alert:
    """With the causes known now and, while it is young in its suppression, the rate it has."""
    causes = _merged(scene.explanation.active, alert.causes)
    rate, mute = alert.rate, alert.mute
    if alert.state is AlertState.SUPPRESSED:
        mute = _mute(alert, scene)
        row = alert.suppression
        young = row is None or row.outcome is not None or scene.horizon.at < row.starts_at + scene.rule.timeframe
        if scene.explanation.breakthrough is not None and young:
            rate = max(rate, _rate(scene))
    if (causes, rate, mute) == (alert.causes, alert.rate, alert.mute):
        return alert
    return replace(alert, causes=causes, rate=rate, mute=mute)


def _mute(alert: Alert, scene: Scene) -> MuteReason:
    if (scene.explanation.active and alert.released is None) or scene.mute is None:
        return MuteReason.CHAIN
    return scene.mute.reason


def _rate(scene: Scene) -> int:
    last = scene.horizon.last
    return scene.tally.total(last - window_width(scene.rule, scene.horizon.bucket), last)


def _merged(first: tuple[Cause, ...], then: tuple[Cause, ...]) -> tuple[Cause, ...]:
    known = {cause.episode for cause in first}
    return (*first, *(cause for cause in then if cause.episode not in known))[:MOST_CAUSES]
