"""A receiver that remembers what it was sent, for tests of rules, chains and dispatch."""

from __future__ import annotations

from collections.abc import Iterable

from faultline.dispatch.delivery import Delivery, DeliveryStatus
from faultline.model import Notification

DELIVERED = Delivery(DeliveryStatus.DELIVERED)


class RecordingReceiver:
    """Answers each attempt with the next of ``answers``, and with "delivered" when there are no more.

    ``attempts`` has every notification it was handed, ``sent`` those it took.
    """

    def __init__(self, target: str = "ops", answers: Iterable[Delivery] = ()) -> None:
        self.target = target
        self.attempts: list[Notification] = []
        self.sent: list[Notification] = []
        self._answers = iter(answers)

    def send(self, notification: Notification) -> Delivery:
        """Remember the notification."""
        self.attempts.append(notification)
        answer = next(self._answers, DELIVERED)
        if answer.status == DeliveryStatus.DELIVERED:
            self.sent.append(notification)
        return answer
