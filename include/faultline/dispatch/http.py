"""One POST of JSON within bounded time, and what came of it: what every receiver over HTTP does the same.

TLS is verified, redirects are not followed, and nothing secret is left in what is reported.
"""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache
from threading import Condition, Thread
from types import TracebackType
from typing import Any, Self

import httpx

from faultline.dispatch.delivery import Delivery, DeliveryStatus
from faultline.dispatch.secrets import mask
from faultline.errors import PermanentError, TransientError

# Answers that may differ next time: the server is slow, busy, or has a fault of its own.
_TRANSIENT = {408, 425, 429}
_ANSWER_BYTES = 4096
_MESSAGE_LENGTH = 500


@dataclass(frozen=True, slots=True)
class Limits:
    """How long one attempt may take: each pause of the server, and everything together."""

    pause: timedelta = timedelta(seconds=10)
    whole: timedelta = timedelta(seconds=20)


LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Request:
    """What to send; ``secrets`` are what must not be shown beside the credentials that were read."""

    url: str
    body: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server said; of the text only the beginning, it may be endless."""

    status: int
    text: str
    retry_after: timedelta | None = None

    @property
    def json(self) -> Mapping[str, Any]:
        """The body's object; empty when it is none."""
        try:
            value = json.loads(self.text)
        except (ValueError, RecursionError):
            return {}
        return value if isinstance(value, dict) else {}


def deliver(prepare: Callable[[], Request], judge: Callable[[Answer], Delivery], limits: Limits) -> Delivery:
    """Send what ``prepare`` makes and let ``judge`` say what the answer means; faults on the way are deliveries too."""
    try:
        request = prepare()
    except (PermanentError, TransientError) as error:
        status = DeliveryStatus.PERMANENT if isinstance(error, PermanentError) else DeliveryStatus.TRANSIENT
        return Delivery(status, type(error).__name__, mask(str(error)))
    found = _exchange(request, judge, limits)
    return replace(found, provider_message=_shown(found.provider_message, request.secrets))


def by_status(answer: Answer) -> Delivery:
    """What the status alone means."""
    code = str(answer.status)
    if 200 <= answer.status < 300:
        return Delivery(DeliveryStatus.DELIVERED, code)
    if answer.status >= 500 or answer.status in _TRANSIENT:
        return Delivery(DeliveryStatus.TRANSIENT, code, answer.text, answer.retry_after)
    return Delivery(DeliveryStatus.PERMANENT, code, answer.text)


def _exchange(request: Request, judge: Callable[[Answer], Delivery], limits: Limits) -> Delivery:
    seconds = limits.whole.total_seconds()
    with _Cut(seconds) as cut:
        try:
            return judge(_post(request, limits, cut))
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, UnicodeError) as error:
            # The name of a host may be too long or have empty parts; a URL says so only when it is used.
            return Delivery(DeliveryStatus.PERMANENT, type(error).__name__, str(error))
        except (httpx.HTTPError, OSError) as error:
            # OSError: the certificates to trust cannot be read.
            said = f"not done after {seconds:g} s" if cut.passed else str(error)
            return Delivery(DeliveryStatus.TRANSIENT, type(error).__name__, said)


def _post(request: Request, limits: Limits, cut: _Cut) -> Answer:
    headers = {"Content-Type": "application/json; charset=utf-8", "User-Agent": "faultline", **request.headers}
    with (
        httpx.Client(timeout=limits.pause.total_seconds(), verify=_tls()) as client,
        client.stream(
            "POST", request.url, content=encode(request.body), headers=headers, extensions={"trace": cut.watch}
        ) as response,
    ):
        text = next(response.iter_bytes(_ANSWER_BYTES), b"").decode("utf-8", "replace") or response.reason_phrase
        return Answer(response.status_code, text, _retry_after(response))


def encode(body: Mapping[str, Any]) -> bytes:
    """JSON in UTF-8, where a Chinese character takes three bytes and not six; half a character becomes an escape."""
    return json.dumps(body, ensure_ascii=False).encode("utf-8", "backslashreplace")


@lru_cache
def _tls() -> ssl.SSLContext:
    """The certificates to trust, read once: that takes longer than a request."""
    return httpx.create_ssl_context()


def _shown(text: str | None, secrets: tuple[str, ...]) -> str | None:
    return None if text is None else mask(text, secrets)[:_MESSAGE_LENGTH]


class _Cut:
    """Cuts the connection when the whole exchange takes too long.

    httpx limits each pause only, so a server that sends a byte now and then would hold its sender for hours.
    """

    def __init__(self, seconds: float) -> None:
        self.passed = False
        self._seconds = seconds
        self._socket: socket.socket | None = None

    def __enter__(self) -> Self:
        _watchdog.add(self, time.monotonic() + self._seconds)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _watchdog.remove(self)

    def watch(self, event: str, info: Mapping[str, Any]) -> None:
        """Called by httpx with what it does; the socket is another one once it is encrypted."""
        if event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            self._socket = info["return_value"].get_extra_info("socket")

    def cut(self) -> None:
        """Called by the watchdog when the time is over."""
        self.passed = True
        if self._socket is not None:
            with contextlib.suppress(OSError):
                # Not SSLSocket's own shutdown: it takes the encryption away from under the reading thread.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


class _Watchdog:
    """One thread that cuts what takes too long. A timer for each request would be a thread for each."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._ends: dict[_Cut, float] = {}
        self._thread: Thread | None = None

    def add(self, cut: _Cut, end: float) -> None:
        """Cut it at this time, in seconds of the monotonic clock."""
        with self._changed:
            self._ends[cut] = end
            if self._thread is None or not self._thread.is_alive():
                self._thread = Thread(target=self._watch, name="faultline-watchdog", daemon=True)
                self._thread.start()
            elif end <= min(self._ends.values()):
                self._changed.notify()

    def remove(self, cut: _Cut) -> None:
        """It was done in time."""
        with self._changed:
            self._ends.pop(cut, None)

    def _watch(self) -> None:
        with self._changed:
            while True:
                now = time.monotonic()
                for cut in [cut for cut, end in self._ends.items() if end <= now]:
                    del self._ends[cut]
                    cut.cut()
                self._changed.wait(min(self._ends.values()) - now if self._ends else None)


_watchdog = _Watchdog()


def _retry_after(response: httpx.Response) -> timedelta | None:
    """How long the server asks to be left alone: seconds, or a date compared with the server's own clock."""
    value = response.headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        return timedelta(seconds=min(int(value), 10**9))
    now = _date(response.headers.get("Date"))
    until = _date(value)
    return max(until - now, timedelta(0)) if until and now else None


def _date(value: str | None) -> datetime | None:
    try:
        date = parsedate_to_datetime(value or "")
    except ValueError:
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)
