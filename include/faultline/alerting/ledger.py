"""The ledger of suppressions: what was not sent, because of whom, for how long, and how it ended."""

from __future__ import annotations

import dataclasses
from datetime import datetime

from faultline.alerting.alerts import Alert, MuteReason, Silencing, Suppression, SuppressionOutcome, replace
from faultline.model import AlertState


def keep_ledger(
    before: AlertState, alert: Alert, rules_hash: str, at: datetime, silences: tuple[Silencing, ...] = ()
) -> Alert:
    """The alert with its row opened, updated or closed, as its state asks; ``before`` is the state it was in.

    ``silences`` keep it quiet now: also one that was told of has a row while they do.
    """
    row, kept = alert.suppression, alert.muted or bool(silences)
    is_open = row is not None and row.outcome is None
    if row is None or (kept and not is_open):
        return _opened(alert, rules_hash, at, silences) if kept else alert
    if not is_open:
        return alert
    reason = alert.mute or row.reason
    causes = alert.causes or row.causes
    silences = tuple(dict.fromkeys((*row.silences, *silences)))
    news = (causes, alert.count, alert.samples, reason, silences)
    if kept and news == (row.causes, row.count, row.samples, row.reason, row.silences):
        return alert
    row = dataclasses.replace(
        row, causes=causes, count=alert.count, samples=alert.samples, reason=reason, silences=silences
    )
    if not kept:
        row = dataclasses.replace(row, ends_at=at, outcome=_outcome(before, alert))
    return replace(alert, suppression=row)


def _opened(alert: Alert, rules_hash: str, at: datetime, silences: tuple[Silencing, ...]) -> Alert:
    sequence = alert.suppression.sequence + 1 if alert.suppression else 1
    row = Suppression(
        alert.episode,
        sequence,
        alert.key,
        alert.causes,
        rules_hash,
        at,
        count=alert.count,
        samples=alert.samples,
        reason=alert.mute or (MuteReason.SILENCE if silences else MuteReason.CHAIN),
        silences=silences,
        told=not alert.muted,
    )
    return replace(alert, suppression=row)


def _outcome(before: AlertState, alert: Alert) -> SuppressionOutcome:
    if alert.state is AlertState.RESOLVED:
        return SuppressionOutcome.CLEARED_WITH_ROOT
    if alert.released is not None:
        return alert.released
    if before is AlertState.RECOVERING and alert.state is AlertState.FIRING:
        return SuppressionOutcome.OUTLIVED_ROOT
    return SuppressionOutcome.EXPIRED
