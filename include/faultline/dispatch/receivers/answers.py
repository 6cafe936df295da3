"""What chat robots answer: HTTP 200 with a code in the body, which alone says whether the message was taken."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from faultline.dispatch.delivery import Delivery, DeliveryStatus
from faultline.dispatch.http import Answer, by_status


def by_body(answer: Answer, code: object, message: object, busy: Mapping[int, timedelta | None] = {}) -> Delivery:
    """Delivered when the body's code is 0; one of ``busy`` is worth another try, after the time given with it.

    A success without a code is some other server's answer, a login page perhaps: the robot has not taken it.
    """
    http = by_status(answer)
    if not isinstance(code, int):
        if http.status == DeliveryStatus.DELIVERED:
            said = f"not the answer of such a robot: {answer.text}"
            return Delivery(DeliveryStatus.TRANSIENT, http.provider_code, said)
        return http
    if code == 0 and http.status == DeliveryStatus.DELIVERED:
        return Delivery(DeliveryStatus.DELIVERED, "0")
    passing = code in busy or http.status == DeliveryStatus.TRANSIENT
    return Delivery(
        DeliveryStatus.TRANSIENT if passing else DeliveryStatus.PERMANENT,
        str(code),
        str(message),
        answer.retry_after or busy.get(code),
    )
