"""Stands before the database: one port for queries, one to control it. POST /fault/on breaks it, POST /fault/off heals.

Broken means that the query port is closed, so its callers are refused a connection.
"""

from __future__ import annotations

import itertools
import socket
import threading
from typing import Any, ClassVar

from service import Action, Handler, Server, options, serve, set_up_logging

settings = options(__doc__, "--control-port")
log = set_up_logging("db-proxy", settings.bootstrap, settings.log_dir)
payment_ids = itertools.count(1)

CHECK_SECONDS = 0.5


def query(order: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """Write a payment."""
    number = next(payment_ids)
    log.info("inserted payment %d", number, extra={"request_id": order["id"], "table": "payments"})
    return 200, {"id": number}


class Query(Handler):
    """POST /query on the query port."""

    actions: ClassVar[dict[str, Action]] = {"/query": query}


class QueryPort:
    """The server of the query port, which can be closed and opened again."""

    def __init__(self) -> None:
        self._server: Server | None = None
        self._lock = threading.Lock()

    def open(self) -> None:
        """Listen."""
        with self._lock:
            if self._server is None:
                self._server = Server(("127.0.0.1", settings.port), Query)
                threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True).start()

    def close(self) -> None:
        """Listen no longer: whoever connects is refused."""
        with self._lock:
            if self._server is not None:
                self._server.shutdown()
                self._server.server_close()
                self._server = None


query_port = QueryPort()


def fault_on(_: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """Break."""
    query_port.close()
    return 200, {"fault": "on"}


def fault_off(_: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """Heal."""
    query_port.open()
    return 200, {"fault": "off"}


class Control(Handler):
    """The fault switch on the control port."""

    actions: ClassVar[dict[str, Action]] = {"/fault/on": fault_on, "/fault/off": fault_off}


def check_database(stopped: threading.Event) -> None:
    """Connect as a client would, twice a second; an error at once when that fails."""
    while not stopped.wait(CHECK_SECONDS):
        try:
            socket.create_connection(("127.0.0.1", settings.port), timeout=2).close()
        except OSError:
            log.exception("database is unreachable on port %d", settings.port)


stop = threading.Event()
checks = threading.Thread(target=check_database, args=(stop,))
query_port.open()
checks.start()
serve(Control, int(settings.control_port))
stop.set()
checks.join()  # the port closes after the last check, so that a normal end logs no error
query_port.close()
