"""POST in the JSON shape of Alertmanager's webhook, version 4, so that whatever receives Alertmanager's works.

Beyond that shape: ``notificationKey`` (the same for every copy of one notification; also the Idempotency-Key header),
``kind``, ``reason``, ``late`` (it took records that came late), ``suppressed``, the effects that were folded into the
alert, and of a digest ``digest``.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from pydantic import TypeAdapter

from faultline.digest import Digest
from faultline.dispatch.delivery import Delivery
from faultline.dispatch.http import LIMITS, Limits, Request, by_status, deliver
from faultline.dispatch.links import alert_url
from faultline.dispatch.secrets import Secret
from faultline.dispatch.words import name
from faultline.model import AlertState, AlertSummary, Notification, common

_DIGEST = TypeAdapter(Digest)
# What Alertmanager (Go) writes for a time that is not set.
_NEVER = "0001-01-01T00:00:00Z"
# An episode whose rule was removed is over too: whoever was paged must not wait for another word.
_OVER = {AlertState.RESOLVED, AlertState.EXPIRED}


class WebhookReceiver:
    """POSTs to one address; redirects are not followed, because a notification would get lost as a GET."""

    def __init__(self, target: str, url: Secret, limits: Limits = LIMITS, ui_url: str | None = None) -> None:
        self.target = target
        self._url = url
        self._limits = limits
        self._ui_url = ui_url

    def send(self, notification: Notification) -> Delivery:
        """One POST; any answer of success will do, as for Alertmanager."""
        return deliver(lambda: self._request(notification), by_status, self._limits)

    def _request(self, notification: Notification) -> Request:
        key = notification.key.encode("ascii", "backslashreplace").decode()
        return Request(self._url.read(), payload(notification, self._ui_url), {"Idempotency-Key": key})


def payload(notification: Notification, ui_url: str | None = None) -> dict[str, Any]:
    """The body that is sent."""
    if notification.alerts:
        alerts = [_alert(each, each.episode, ui_url) for each in notification.alerts]
    else:
        alerts = [_alert(notification.alert, notification.episode, ui_url)]
    for alert in alerts:
        alert["annotations"] |= _folded(notification)
    alone = {"alertname": notification.alert.alert.rule}
    return {
        "version": "4",
        "groupKey": notification.episode,
        "truncatedAlerts": 0,
        "status": "firing" if any(alert["status"] == "firing" for alert in alerts) else "resolved",
        "receiver": notification.receiver,
        "groupLabels": alone if notification.group is None else dict(notification.group),
        "commonLabels": common([alert["labels"] for alert in alerts]),
        "commonAnnotations": common([alert["annotations"] for alert in alerts]),
        "externalURL": ui_url or "",
        "alerts": alerts,
        "notificationKey": notification.key,
        "kind": notification.kind.value,
        "reason": notification.reason,
        "late": notification.alert.late,
        "suppressed": [_suppressed(effect) for effect in notification.suppressed],
        **({"digest": _DIGEST.dump_python(notification.digest, mode="json")} if notification.digest else {}),
    }


def _alert(summary: AlertSummary, fingerprint: str, ui_url: str | None = None) -> dict[str, Any]:
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
        "generatorURL": alert_url(ui_url, fingerprint),
        "fingerprint": fingerprint,
    }


def _suppressed(effect: AlertSummary) -> dict[str, Any]:
    return _alert(effect, effect.alert.id) | {"state": effect.state.value, "count": effect.count}


def _folded(notification: Notification) -> dict[str, str]:
    """The suppressed effects as an annotation, for receivers that show annotations and know nothing of ours."""
    lines = [f"{name(effect.alert)}: {effect.count}" for effect in notification.suppressed]
    return {"suppressed": "\n".join(lines)} if lines else {}


def _time(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
