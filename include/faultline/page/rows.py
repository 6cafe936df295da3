"""What one alert's row says: its labels, why nobody is told of it, and who was told. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from faultline.adapters.database import Message
from faultline.alerting.alerts import Alert, MuteReason
from faultline.alerting.silences import Silence, silenced_by
from faultline.model import Ack, AlertKey, AlertState, Notification


@dataclass(frozen=True, slots=True)
class Quiet:
    """Why an alert makes no sound: the key of the sentence and what goes into its places."""

    why: str
    places: Mapping[str, Any]
    by: tuple[AlertKey, ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """An alert as it is shown; ``depth`` counts from its root, ``labels`` are those that nothing above it has.

    ``annotations`` are those of its latest message.
    """

    alert: Alert
    labels: Mapping[str, str]
    quiet: Quiet | None
    told: tuple[Message, ...]
    annotations: Mapping[str, str]
    depth: int = 0

    @property
    def runbook(self) -> str:
        """Where its runbook is; empty when its annotation has no address a browser should open."""
        address = self.annotations.get("runbook_url", "")
        return address if urlsplit(address).scheme in ("http", "https") else ""


@dataclass(frozen=True)
class Knowledge:
    """What rows are made of: messages by episode, newest first; silences in force; what waits to be heard."""

    alerts: Mapping[str, Alert]
    messages: Mapping[str, Sequence[Message]]
    last: Mapping[str, Notification]
    silences: Sequence[Silence]
    acks: Mapping[str, Ack]
    at: datetime

    def row(self, alert: Alert, above: Mapping[str, str], depth: int = 0) -> Row:
        """The row of an alert under something that has the labels ``above``."""
        latest: dict[str, Message] = {}
        for message in self.messages.get(alert.episode, ()):
            latest.setdefault(message.target, message)
        waiting = self.acks.get(alert.episode) if alert.state is AlertState.FIRING else None
        why = Quiet("ack_waits", _said(waiting)) if waiting else quiet(alert, self.silences, self.at)
        last = self.last.get(alert.episode)
        annotations = last.alert.annotations if last else {}
        return Row(alert, below(above, alert.labels), why, tuple(latest.values()), annotations, depth)


def below(above: Mapping[str, str], labels: Mapping[str, str]) -> dict[str, str]:
    """The labels without those that are shown above them."""
    return {name: value for name, value in labels.items() if above.get(name) != value}


def quiet(alert: Alert, silences: Sequence[Silence], at: datetime) -> Quiet | None:
    """Why nobody is told of the alert now; None where receivers are."""
    causes = tuple(cause.alert for cause in alert.causes)
    match alert.state:
        case AlertState.PENDING:
            return Quiet("pending", {})
        case AlertState.HELD:
            return Quiet("held", {"since": alert.held_since})
        case AlertState.ACKED if alert.ack is not None:
            return Quiet("acked", _said(alert.ack))
        case AlertState.RECOVERING:
            return Quiet("recovering", {"since": alert.recovering_from, "until": alert.recovering_until}, causes[:1])
        case AlertState.SUPPRESSED:
            return _suppressed(alert, causes, silences, at)
        case AlertState.FIRING:
            told_before = Quiet("told_before_cause", {}, causes[:1]) if causes else None
            return _silenced(alert, silences, at) or told_before
    return None


def _said(ack: Ack) -> dict[str, Any]:
    return {"by": ack.by, "since": ack.at, "comment": ack.comment}


def _suppressed(alert: Alert, causes: tuple[AlertKey, ...], silences: Sequence[Silence], at: datetime) -> Quiet:
    if alert.mute is MuteReason.SILENCE:
        return _silenced(alert, silences, at) or Quiet("silence_over", {})
    return Quiet(alert.mute or MuteReason.CHAIN, {}, causes)


def _silenced(alert: Alert, silences: Sequence[Silence], at: datetime) -> Quiet | None:
    """The silence that keeps it quiet; one that was told before is not sent again."""
    silence = silenced_by(silences, alert.labels, at)
    if silence is None:
        return None
    said = silence.comment or ", ".join(silence.matchers)
    return Quiet("silence", {"by": silence.created_by, "until": silence.ends_at, "comment": said})
