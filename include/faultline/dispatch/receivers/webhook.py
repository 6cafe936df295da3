"""POST in the JSON shape of Alertmanager's webhook, version 4, so that whatever receives Alertmanager's works.

Beyond that shape: ``notificationKey`` (the same for every copy of one notification; also the Idempotency-Key header),
``kind``, ``reason``, and ``suppressed``, the effects that were folded into the alert.
"""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from threading import Timer
from types import TracebackType
from typing import Any, Self

import httpx

from faultline.dispatch.delivery import Delivery, DeliveryStatus
from faultline.dispatch.messages import name
from faultline.model import AlertState, AlertSummary, Notification

_TIMEOUT = timedelta(seconds=10)
_WHOLE_TIMEOUT = timedelta(seconds=20)
# What Alertmanager (Go) writes for a time that is not set.
_NEVER = "0001-01-01T00:00:00Z"
# Answers that may differ next time: the server is slow, busy, or has a fault of its own.
_TRANSIENT = {408, 425, 429}
_MESSAGE_BYTES = 500
# An episode whose rule was removed is over too: whoever was paged must not wait for another word.
_OVER = {AlertState.RESOLVED, AlertState.EXPIRED}


class WebhookReceiver:
    """POSTs to one address; redirects are not followed, because a notification would get lost as a GET."""

    def __init__(
        self, target: str, url: str, *, timeout: timedelta = _TIMEOUT, whole_timeout: timedelta = _WHOLE_TIMEOUT
    ) -> None:
        self.target = target
        self._url = url
        self._timeout = timeout.total_seconds()
        self._whole_timeout = whole_timeout.total_seconds()

    def send(self, notification: Notification) -> Delivery:
        """One POST, given up when the server is silent for longer than the timeout or takes too long as a whole."""
        with _Limit(self._whole_timeout) as limit:
            try:
                return self._post(notification, limit)
            except (httpx.InvalidURL, UnicodeError) as error:
                # The name of a host may be too long or have empty parts; a URL says so only when it is used.
                return Delivery(DeliveryStatus.PERMANENT, type(error).__name__, f"{self._url}: {error}")
            except httpx.HTTPError as error:
                said = f"not done after {self._whole_timeout:g} s" if limit.passed else str(error)
                return Delivery(DeliveryStatus.TRANSIENT, type(error).__name__, said)

    def _post(self, notification: Notification, limit: _Limit) -> Delivery:
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "faultline",
            "Idempotency-Key": notification.key.encode("ascii", "backslashreplace").decode(),
        }
        body = json.dumps(payload(notification)).encode()
        extensions = {"trace": limit.watch}
        with (
            httpx.Client(timeout=self._timeout) as client,
            client.stream("POST", self._url, content=body, headers=headers, extensions=extensions) as response,
        ):
            return _delivery(response)


class _Limit:
    """Cuts the connection when the whole exchange takes too long.

    httpx limits each pause only, so a server that sends a byte now and then would hold its sender for hours.
    """

    def __init__(self, seconds: float) -> None:
        self.passed = False
        self._timer = Timer(seconds, self._cut)
        self._socket: socket.socket | None = None

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()

    def watch(self, event: str, info: Mapping[str, Any]) -> None:
        """Called by httpx with what it does; the socket is another one once it is encrypted."""
        if event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            self._socket = info["return_value"].get_extra_info("socket")

    def _cut(self) -> None:
        self.passed = True
        if self._socket is not None:
            with contextlib.suppress(OSError):
                # Not SSLSocket's own shutdown: it takes the encryption away from under the reading thread.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


def payload(notification: Notification) -> dict[str, Any]:
    """The body that is sent."""
    alert = _alert(notification.alert, notification.episode)
    alert["annotations"] |= _folded(notification)
    return {
        "version": "4",
        "groupKey": notification.episode,
        "truncatedAlerts": 0,
        "status": alert["status"],
        "receiver": notification.receiver,
        "groupLabels": {"alertname": notification.alert.alert.rule},
        "commonLabels": alert["labels"],
        "commonAnnotations": alert["annotations"],
        "externalURL": "",
        "alerts": [alert],
        "notificationKey": notification.key,
        "kind": notification.kind.value,
        "reason": notification.reason,
        "suppressed": [_suppressed(effect) for effect in notification.suppressed],
    }


def _alert(summary: AlertSummary, fingerprint: str) -> dict[str, Any]:
    """One alert as Alertmanager writes it, with the count and a sample among its annotations."""
    annotations = {"count": str(summary.count), "threshold": summary.threshold, **summary.annotations}
    if summary.samples:
        annotations.setdefault("sample", summary.samples[0])
    return {
        "status": "resolved" if summary.state in _OVER else "firing",
        "labels": {"alertname": summary.alert.rule, **summary.alert.labels, **summary.labels},
        "annotations": annotations,
        "startsAt": _time(summary.starts_at),
        "endsAt": _time(summary.ends_at) if summary.ends_at else _NEVER,
        "generatorURL": "",
        "fingerprint": fingerprint,
    }


def _suppressed(effect: AlertSummary) -> dict[str, Any]:
    return _alert(effect, effect.alert.id) | {"state": effect.state.value, "count": effect.count}


def _folded(notification: Notification) -> dict[str, str]:
    """The suppressed effects as an annotation, for receivers that show annotations and know nothing of ours."""
    lines = [f"{name(effect.alert)}: {effect.count}" for effect in notification.suppressed]
    return {"suppressed": "\n".join(lines)} if lines else {}


def _delivery(response: httpx.Response) -> Delivery:
    code = str(response.status_code)
    if response.is_success:
        return Delivery(DeliveryStatus.DELIVERED, code)
    # The first piece of the body is enough to say what was wrong; it may be endless.
    said = next(response.iter_bytes(_MESSAGE_BYTES), b"").decode("utf-8", "replace") or response.reason_phrase
    if response.is_server_error or response.status_code in _TRANSIENT:
        return Delivery(DeliveryStatus.TRANSIENT, code, said, _retry_after(response))
    return Delivery(DeliveryStatus.PERMANENT, code, said)


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


def _time(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
