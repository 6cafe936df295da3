"""What one alert's row says: its labels, why nobody is told of it, and who was told. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from faultline.adapters.database import Message
from faultline.alerting.alerts import Alert, MuteReason
from faultline.alerting.silences import Silence, silenced_by
from faultline.model import AlertKey, AlertState

# Faultline's own, shown elsewhere in the row.
_NOT_SHOWN = frozenset({"alertname", "severity"})


@dataclass(frozen=True, slots=True)
class Quiet:
    """Why an alert makes no sound: the key of the sentence and what goes into its places."""

    why: str
    places: Mapping[str, Any]
    by: tuple[AlertKey, ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """An alert as it is shown; ``depth`` counts from its root, ``labels`` are those that nothing above it has."""

    alert: Alert
    labels: Mapping[str, str]
    quiet: Quiet | None
    told: tuple[Message, ...]
    depth: int = 0


def make_row(
    alert: Alert,
    *,
    above: Mapping[str, str],
    messages: Iterable[Message],
    silences: Sequence[Silence],
    at: datetime,
    depth: int = 0,
) -> Row:
    """The row of an alert under something that has the labels ``above``; ``messages`` newest first."""
    latest: dict[str, Message] = {}
    for message in messages:
        latest.setdefault(message.target, message)
    return Row(alert, own_labels(alert.labels, above), quiet(alert, silences, at), tuple(latest.values()), depth)


def own_labels(labels: Mapping[str, str], above: Mapping[str, str]) -> dict[str, str]:
    """The labels without those that are shown elsewhere."""
    return {name: value for name, value in labels.items() if name not in _NOT_SHOWN and above.get(name) != value}


def quiet(alert: Alert, silences: Sequence[Silence], at: datetime) -> Quiet | None:
    """Why nobody is told of the alert now; None where receivers are."""
    causes = tuple(cause.alert for cause in alert.causes)
    match alert.state:
        case AlertState.PENDING:
            return Quiet("pending", {})
        case AlertState.HELD:
            return Quiet("held", {"since": alert.held_since})
        case AlertState.ACKED if alert.ack is not None:
            return Quiet("acked", {"by": alert.ack.by, "since": alert.ack.at, "comment": alert.ack.comment})
        case AlertState.RECOVERING:
            return Quiet("recovering", {"since": alert.recovering_from, "until": alert.recovering_until}, causes[:1])
        case AlertState.SUPPRESSED:
            return _suppressed(alert, causes, silences, at)
        case AlertState.FIRING if causes:
            return Quiet("told_before_cause", {}, causes[:1])
    return None


def _suppressed(alert: Alert, causes: tuple[AlertKey, ...], silences: Sequence[Silence], at: datetime) -> Quiet:
    if alert.mute is MuteReason.SILENCE:
        silence = silenced_by(silences, alert.labels, at)
        if silence is not None:
            said = silence.comment or ", ".join(silence.matchers)
            return Quiet("silence", {"by": silence.created_by, "comment": said, "until": silence.ends_at})
        return Quiet("silence_over", {})
    return Quiet(alert.mute or MuteReason.CHAIN, {}, causes)
