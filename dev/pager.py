"""Stands where your chat or on-call service would: takes what the webhook receiver posts and remembers when."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Page:
    """One message: when it came, to which path, Alertmanager's JSON body."""

    at: datetime
    path: str
    body: dict[str, Any]

    @property
    def kind(self) -> str:
        """firing, update, resolved or persists."""
        return str(self.body["kind"])

    @property
    def alert(self) -> dict[str, Any]:
        """The alert it is about, in Alertmanager's shape."""
        alert: dict[str, Any] = self.body["alerts"][0]
        return alert

    @property
    def name(self) -> str:
        """The alert's name."""
        return str(self.alert["labels"]["alertname"])

    @property
    def suppressed(self) -> dict[str, int]:
        """The suppressed effects it names, with their counts."""
        return {each["labels"]["alertname"]: int(each["count"]) for each in self.body["suppressed"]}


class Pager:
    """The server; use as a context manager."""

    def __init__(self, port: int) -> None:
        self.pages: list[Page] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", port), _handler(self.pages.append))
        self._thread = threading.Thread(target=self._server.serve_forever, name="pager", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def to(self, path: str) -> list[Page]:
        """The messages to one path, oldest first."""
        return [page for page in self.pages if page.path == path]


def _handler(hear: Callable[[Page], None]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            at = datetime.now(UTC)
            body = self.rfile.read(int(self.headers["Content-Length"]))
            hear(Page(at, self.path, json.loads(body)))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:
            """Silent: the demo shows what came."""

    return Handler
