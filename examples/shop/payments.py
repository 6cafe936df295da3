"""Takes the money: writes to the database through db-proxy, and tries again with longer pauses while that is away."""

from __future__ import annotations

import time
from typing import Any, ClassVar

from service import Action, Handler, options, post, serve, set_up_logging

settings = options(__doc__, "--database")
log = set_up_logging("payments", settings.bootstrap, settings.log_dir)

PAUSES = (0.5, 1.0, 1.5)


def pay(order: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """Write the payment, or say after the last try that it cannot be done."""
    extra = {"request_id": order["id"], "amount": order["amount"]}
    try:
        row = write_with_retries(order)
    except OSError:
        log.exception("payment of order %s failed after %d retries", order["id"], len(PAUSES), extra=extra)
        return 503, {"error": "no database"}
    log.info("payment %d of %.2f for order %s", row["id"], order["amount"], order["id"], extra=extra)
    return 200, {"payment": row["id"]}


def write_with_retries(order: dict[str, Any]) -> dict[str, Any]:
    """The new row; the error of the last try when all fail."""
    for pause in PAUSES:
        try:
            return post(f"{settings.database}/query", order)
        except OSError as error:
            log.warning("database: %s; again in %.1f s", error, pause, extra={"request_id": order["id"]})
            time.sleep(pause)
    return post(f"{settings.database}/query", order)


class Payments(Handler):
    """POST /pay."""

    actions: ClassVar[dict[str, Action]] = {"/pay": pay}


serve(Payments, settings.port)
