"""PagerDuty's Events API v2. The episode, or its group, is the dedup key: whatever is sent, there is one incident.

https://developer.pagerduty.com/docs/send-alert-event
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from faultline.dispatch.delivery import Delivery, DeliveryStatus
from faultline.dispatch.http import LIMITS, Answer, Limits, Request, by_status, deliver
from faultline.dispatch.links import alert_url
from faultline.dispatch.markup import PLAIN, web_address
from faultline.dispatch.messages import render
from faultline.dispatch.secrets import Secret
from faultline.dispatch.style import DEFAULT_STYLE, Style
from faultline.dispatch.text import one_line, shorten
from faultline.dispatch.words import name
from faultline.model import AlertState, Notification

URL = "https://events.pagerduty.com/v2/enqueue"
# An event may have 512 KB.
TEXT_BYTES = 100_000
_SUMMARY_LENGTH = 1024
_KEY_LENGTH = 255
_MOST = 50
_OVER = {AlertState.RESOLVED, AlertState.EXPIRED}
_SEVERITIES = {
    "critical": ("critical", "crit", "fatal", "page", "emergency", "alert", "disaster", "p1", "sev1"),
    "error": ("error", "err", "high", "major", "p2", "sev2"),
    "warning": ("warning", "warn", "minor", "medium", "average", "p3", "sev3"),
    "info": ("info", "informational", "notice", "low", "debug", "p4", "p5", "sev4", "sev5"),
}
_BY_WORD = {word: severity for severity, words in _SEVERITIES.items() for word in words}


class PagerDutyReceiver:
    """One integration of one service, named by its routing key."""

    def __init__(
        self, target: str, routing_key: Secret, style: Style = DEFAULT_STYLE, limits: Limits = LIMITS, url: str = URL
    ) -> None:
        self.target = target
        self._routing_key = routing_key
        self._style = style
        self._limits = limits
        self._url = url

    def send(self, notification: Notification) -> Delivery:
        """Trigger, acknowledge or resolve the episode's incident."""
        return deliver(lambda: self._request(notification), judge, self._limits)

    def _request(self, notification: Notification) -> Request:
        return Request(self._url, {"routing_key": self._routing_key.read(), **payload(notification, self._style)})


def payload(notification: Notification, style: Style = DEFAULT_STYLE) -> dict[str, Any]:
    """The event without its routing key."""
    action, key = _action(notification), dedup_key(notification.episode)
    details = _details(notification, style) if action == "trigger" else {}
    return {"event_action": action, "dedup_key": key, **details}


def _action(notification: Notification) -> str:
    if notification.alert.state in _OVER:
        return "resolve"
    return "acknowledge" if notification.acknowledges else "trigger"


def dedup_key(episode: str) -> str:
    """The episode, or its hash where that is too long for PagerDuty."""
    return episode if len(episode) <= _KEY_LENGTH else hashlib.sha256(episode.encode()).hexdigest()


def severity(word: str) -> str:
    """One of PagerDuty's four; what is unknown is an error, as in Alertmanager."""
    return _BY_WORD.get(word.lower(), "error")


def _details(notification: Notification, style: Style) -> dict[str, Any]:
    alert = notification.alert
    message = render(notification, PLAIN, style, limit=TEXT_BYTES)
    details = {
        "text": message.text,
        "count": alert.count,
        "labels": {_short(label): _short(value) for label, value in islice(alert.labels.items(), _MOST)},
        "suppressed": {_short(name(effect.alert)): effect.count for effect in notification.suppressed[:_MOST]},
        "alerts": {_short(name(each.alert)): each.count for each in notification.about[:_MOST]},
        "notification": one_line(notification.key),
    }
    event = {
        "summary": shorten(message.title, _SUMMARY_LENGTH),
        "source": _short(_source(notification)),
        "severity": severity(alert.labels.get("severity", "")),
        "timestamp": alert.starts_at.isoformat(),
        "class": _short(alert.alert.rule),
        "custom_details": details,
    }
    links, images = list(_links(alert.annotations)), list(_images(alert.annotations))
    shown: dict[str, Any] = {"images": images} if images else {}
    if page := alert_url(style.ui_url, notification.shown_episode):
        shown["client_url"] = page
    return {"payload": event, "client": "Faultline", "links": links, **shown}


def _short(text: str) -> str:
    return one_line(shorten(text, _KEY_LENGTH))


def _source(notification: Notification) -> str:
    """What is broken: the first of service, host and environment that the alert names."""
    labels = {**notification.alert.alert.labels, **notification.alert.labels}
    return next((labels[label] for label in ("service", "host", "environment") if labels.get(label)), "faultline")


def _links(annotations: Mapping[str, str]) -> Iterator[dict[str, str]]:
    for annotation, value in islice(annotations.items(), _MOST):
        if annotation.endswith("_url") and not annotation.startswith("image") and (url := web_address(value)):
            yield {"href": url, "text": _short(annotation.removesuffix("_url"))}


def _images(annotations: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """PagerDuty shows pictures from https only."""
    for annotation, value in islice(annotations.items(), _MOST):
        if annotation.startswith("image") and (url := web_address(value)) and url.startswith("https:"):
            yield {"src": url, "alt": _short(annotation)}


def judge(answer: Answer) -> Delivery:
    """202 with status ``success``; 400 names what is wrong with the event and is final; 429 and 5xx pass."""
    http, said = by_status(answer), answer.json
    if http.status != DeliveryStatus.DELIVERED:
        return http
    if said.get("status") == "success":
        return Delivery(DeliveryStatus.DELIVERED, http.provider_code, f"dedup key {said.get('dedup_key')}")
    if "status" in said:
        return Delivery(DeliveryStatus.PERMANENT, str(said["status"]), answer.text)
    return Delivery(DeliveryStatus.TRANSIENT, http.provider_code, f"not PagerDuty's answer: {answer.text}")
