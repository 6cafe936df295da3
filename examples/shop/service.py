"""What the four processes share: their command line, logging.conf, serving JSON over HTTP, calling the next service."""

from __future__ import annotations

import argparse
import http.client
import json
import logging
import logging.config
import signal
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import FrameType
from typing import Any, ClassVar, TypeAlias
from urllib.parse import urlsplit

Action: TypeAlias = Callable[[dict[str, Any]], tuple[int, dict[str, Any]]]

CONF = Path(__file__).with_name("conf")


def options(description: str | None, *more: str) -> argparse.Namespace:
    """The command line: --port, --bootstrap, --log-dir and what else the service needs."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--bootstrap", default="localhost:9092", help="Kafka's bootstrap servers")
    parser.add_argument("--log-dir", type=Path, required=True)
    for name in more:
        parser.add_argument(name, required=True)
    return parser.parse_args()


def set_up_logging(service: str, bootstrap: str, log_dir: Path) -> logging.Logger:
    """Read the service's own logging.conf: console, a log file, and Kafka."""
    log_dir.mkdir(parents=True, exist_ok=True)
    values = {"bootstrap": bootstrap, "log_dir": str(log_dir).replace("%", "%%")}
    logging.config.fileConfig(CONF / f"{service}.conf", values)
    return logging.getLogger(service)


class Server(ThreadingHTTPServer):
    """A thread per request; a burst of customers may wait in line."""

    daemon_threads = True
    request_queue_size = 256


class Handler(BaseHTTPRequestHandler):
    """JSON in, JSON out: a service says what to do for each POST path in ``actions``."""

    actions: ClassVar[dict[str, Action]]
    size = 0  # of the answer's body

    def do_POST(self) -> None:
        """Answer an order."""
        order = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
        action = self.actions.get(self.path)
        status, answer = action(order) if action else (404, {"error": f"no {self.path}"})
        self.answer(status, answer)

    def do_GET(self) -> None:
        """Say that the service runs."""
        self.answer(200, {"ok": True})

    def answer(self, status: int, answer: dict[str, Any]) -> None:
        """Send JSON."""
        body = json.dumps(answer).encode()
        self.size = len(body)
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet: the services log orders, not requests."""


class ServiceError(Exception):
    """Another service answered that it cannot do it."""


def post(url: str, order: dict[str, Any], timeout: float = 20) -> dict[str, Any]:
    """Call another service. OSError when it cannot be reached, ServiceError when it says no."""
    target = urlsplit(url)
    connection = http.client.HTTPConnection(target.netloc, timeout=timeout)
    try:
        connection.request("POST", target.path, json.dumps(order), {"Content-Type": "application/json"})
        response = connection.getresponse()
        answer: dict[str, Any] = json.load(response)
    finally:
        connection.close()
    if response.status != 200:
        raise ServiceError(f"{target.path} answered {response.status}: {answer.get('error')}")
    return answer


def serve(handler: type[Handler], port: int) -> None:
    """Serve until SIGTERM or Ctrl-C."""
    server = Server(("127.0.0.1", port), handler)

    def stop(_: int, __: FrameType | None) -> None:
        threading.Thread(target=server.shutdown).start()  # shutdown waits for the loop that this signal interrupts

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    server.serve_forever(poll_interval=0.1)
    server.server_close()
