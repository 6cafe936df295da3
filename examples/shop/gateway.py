"""The front door: takes orders from customers, passes them to checkout, writes an access log as nginx would."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any, ClassVar

from service import Action, Handler, ServiceError, options, post, serve, set_up_logging

settings = options(__doc__, "--checkout")
log = set_up_logging("gateway", settings.bootstrap, settings.log_dir)
access_log = logging.getLogger("access")


def place(order: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """Pass the order on. That it fails is an error of those behind; the gateway only notes it."""
    extra = {"request_id": order["id"]}
    try:
        answer = post(f"{settings.checkout}/checkout", order)
    except (OSError, ServiceError) as error:
        log.warning("order %s was not placed: %s", order["id"], error, extra=extra)
        return 502, {"error": "try again later"}
    log.info("order %s placed", order["id"], extra=extra)
    return 200, answer


class Gateway(Handler):
    """Logs every request in nginx's combined format."""

    actions: ClassVar[dict[str, Action]] = {"/order": place}

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """remote_addr - remote_user [time_local] "request" status body_bytes_sent "referer" "user_agent"."""
        now = datetime.now().astimezone().strftime("%d/%b/%Y:%H:%M:%S %z")
        referer, agent = (self.headers.get(name, "-").replace('"', r"\x22") for name in ("Referer", "User-Agent"))
        access_log.info(
            '%s - - [%s] "%s" %d %d "%s" "%s"',
            *(self.client_address[0], now, self.requestline, code, self.size, referer, agent),
        )


serve(Gateway, settings.port)
