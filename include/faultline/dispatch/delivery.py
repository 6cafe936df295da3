"""The values of sending: what a receiver answers, what the outbox leases out and what it is told afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from faultline.model import Notification


class DeliveryStatus(StrEnum):
    """Whether the provider took it; ``permanent`` means that the same message will never be taken."""

    DELIVERED = "delivered"
    PERMANENT = "permanent"
    TRANSIENT = "transient"


def provider_answer(code: str | None, message: str | None) -> str:
    """What a provider said, in one line; empty when it has said nothing."""
    return " ".join(part for part in (code, message) if part)


@dataclass(frozen=True, slots=True)
class Delivery:
    """What one attempt to send came to, in the provider's own words."""

    status: DeliveryStatus
    provider_code: str | None = None
    provider_message: str | None = None
    retry_after: timedelta | None = None


class OutboxState(StrEnum):
    """Where a notification to one target stands.

    ``superseded`` was never sent: its alert ended before. ``folded_into_digest`` is told in one message with others,
    and finished when that is delivered.
    """

    QUEUED = "queued"
    LEASED = "leased"
    RETRY = "retry"
    DELIVERED = "delivered"
    DEAD = "dead"
    SUPERSEDED = "superseded"
    FOLDED = "folded_into_digest"


@dataclass(frozen=True, slots=True)
class Leased:
    """A notification lent to one sender for a time. ``attempt`` counts from 1 and tells this loan from later ones."""

    notification: Notification
    target: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Sent:
    """One row of the outbox: what became of a notification at one target. ``due_at`` is when a loan runs out, too."""

    notification: Notification
    target: str
    state: OutboxState
    attempts: int
    due_at: datetime
    finished_at: datetime | None
    provider_code: str | None
    provider_message: str | None

    @property
    def delivered(self) -> bool:
        """Whether the target has it, by itself or in one message with others."""
        folded = self.state is OutboxState.FOLDED and self.finished_at is not None
        return folded or self.state is OutboxState.DELIVERED

    @property
    def waits(self) -> bool:
        """Whether it is still to be sent, by itself or in one message with others."""
        unfinished = (OutboxState.QUEUED, OutboxState.LEASED, OutboxState.RETRY)
        return self.state in unfinished or (self.state is OutboxState.FOLDED and self.finished_at is None)

    @property
    def answer(self) -> str:
        """What the provider said last; empty when it has said nothing."""
        return provider_answer(self.provider_code, self.provider_message)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the outbox is to remember of an attempt: delivered, dead, or retry not before ``not_before``."""

    state: OutboxState
    delivery: Delivery
    not_before: datetime | None = None

    def __post_init__(self) -> None:
        if (self.state == OutboxState.RETRY) != (self.not_before is not None):
            raise ValueError("a retry, and only a retry, says when")


@dataclass(frozen=True, slots=True)
class Telling:
    """A notification for these targets."""

    notification: Notification
    targets: tuple[str, ...]


class Receiver(Protocol):
    """One channel a person or a system is told through."""

    @property
    def target(self) -> str:
        """The channel's stable name, such as ``ops/webhook/1``; the outbox keeps one row per target."""

    def send(self, notification: Notification) -> Delivery:
        """Try once, within bounded time. Faults of the network and of the provider are answers, not exceptions."""
