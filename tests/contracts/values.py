"""Small values for the tests of the database and of dispatch."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from faultline.alerting.alerts import Alert, Evaluation, Suppression
from faultline.model import (
    Ack,
    AlertKey,
    AlertState,
    AlertSummary,
    ErrorCount,
    Labels,
    Notification,
    NotificationKind,
    OffsetRange,
    TopicPartition,
    Transition,
)

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
BUCKET = 10 * SECOND
P0 = TopicPartition("app-logs", "t1", 0)
P1 = TopicPartition("app-logs", "t1", 1)
KEY = AlertKey("DbDown", Labels(environment="prod"))
ACK = Ack("e1", "alice", NOON, "on it")


def count(number: int = 1, *, bucket: int = 0, offset: int = 0, sample: str = "boom", **labels: str) -> ErrorCount:
    """A count of one bucket; ``bucket`` counts them from noon."""
    start = NOON + bucket * BUCKET
    return ErrorCount(
        bucket_start=start,
        labels=Labels({"topic": "app-logs", "service": "db", **labels}),
        count=number,
        first_ts=start + offset * timedelta(microseconds=1),
        last_ts=start + SECOND,
        fingerprint="v1:0123456789ab",
        sample=sample,
        sample_partition=0,
        sample_offset=offset,
    )


def span(start: int, end: int, partition: TopicPartition = P0) -> OffsetRange:
    return OffsetRange(partition, start, end)


def alert(state: AlertState = AlertState.FIRING, *, number: int = 20, rule: str = "DbDown") -> Alert:
    key = AlertKey(rule, Labels(environment="prod"))
    return Alert(key=key, state=state, labels=Labels(environment="prod"), starts_at=NOON, count=number)


def notification(
    kind: NotificationKind = NotificationKind.FIRING,
    *,
    receiver: str = "ops",
    sequence: int = 1,
    episode: str = "e1",
    sample: str = "boom",
) -> Notification:
    effect = AlertSummary(
        AlertKey("CheckoutFailed", Labels(environment="prod")), AlertState.SUPPRESSED, NOON, None, 7, "20 in 5m"
    )
    summary = AlertSummary(
        alert=KEY,
        state=AlertState.RESOLVED if kind == NotificationKind.RESOLVED else AlertState.FIRING,
        starts_at=NOON,
        ends_at=NOON + 60 * SECOND if kind == NotificationKind.RESOLVED else None,
        count=42,
        threshold="20 in 5m",
        first_seen=NOON,
        last_seen=NOON + 30 * SECOND,
        labels={"environment": "prod", "severity": "critical"},
        annotations={"summary": "42 DB errors", "runbook_url": "https://wiki.example/db"},
        samples=(sample,),
    )
    return Notification(episode, receiver, kind, sequence, "threshold crossed", NOON, summary, (effect,))


def evaluation(*notifications: Notification, alerts: tuple[Alert, ...] = (), at: datetime = NOON) -> Evaluation:
    step = Transition("e1", KEY, AlertState.PENDING, AlertState.FIRING, at, "threshold crossed")
    ledger = Suppression("e2", 1, AlertKey("CheckoutFailed", Labels()), (), "0" * 16, NOON)
    return Evaluation(at, at - 30 * SECOND, "0" * 16, alerts, (step,), notifications, (ledger,))
