"""Places an order: has it paid, tries once more when that fails, and then gives up with an error."""

from __future__ import annotations

import time
from typing import Any, ClassVar

from service import Action, Handler, ServiceError, options, post, serve, set_up_logging

settings = options(__doc__, "--payments")
log = set_up_logging("checkout", settings.bootstrap, settings.log_dir)

PAUSE = 0.5


def checkout(order: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """Two tries; payments itself takes seconds before it gives up, so this is the last to notice an outage."""
    extra = {"request_id": order["id"], "amount": order["amount"]}
    try:
        payment = pay_with_retry(order)
    except (OSError, ServiceError):
        log.exception("order %s failed: it could not be paid", order["id"], extra=extra)
        return 503, {"error": "payment failed"}
    log.info("order %s of %.2f paid", order["id"], order["amount"], extra=extra)
    return 200, {"order": order["id"], **payment}


def pay_with_retry(order: dict[str, Any]) -> dict[str, Any]:
    """What payments answers, at the second try if the first fails."""
    try:
        return post(f"{settings.payments}/pay", order)
    except (OSError, ServiceError) as error:
        log.warning("payment of order %s: %s; once more", order["id"], error, extra={"request_id": order["id"]})
    time.sleep(PAUSE)
    return post(f"{settings.payments}/pay", order)


class Checkout(Handler):
    """POST /checkout."""

    actions: ClassVar[dict[str, Action]] = {"/checkout": checkout}


serve(Checkout, settings.port)
