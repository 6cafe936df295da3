"""What the robots and webhooks of chats do alike: one POST to an address that is the credential, signed where they ask.

What is sent, what an answer means and how it is signed are functions of each kind, in the file of its name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeAlias

from faultline.dispatch.delivery import Delivery
from faultline.dispatch.http import LIMITS, Answer, Limits, Request, deliver
from faultline.dispatch.secrets import Secret
from faultline.dispatch.style import DEFAULT_STYLE, Style
from faultline.model import Notification, utc_now

Payload: TypeAlias = Callable[[Notification, Style], Mapping[str, Any]]
Judge: TypeAlias = Callable[[Answer], Delivery]
Signed: TypeAlias = Callable[[Request, str, datetime], Request]  # with a secret, at a time


class HookReceiver:
    """One place in a chat, by its address."""

    def __init__(
        self,
        payload: Payload,
        judge: Judge,
        target: str,
        url: Secret,
        style: Style = DEFAULT_STYLE,
        limits: Limits = LIMITS,
    ) -> None:
        self.target = target
        self._payload = payload
        self._judge = judge
        self._url = url
        self._style = style
        self._limits = limits

    def send(self, notification: Notification) -> Delivery:
        """One POST, judged by what the answer says."""
        return deliver(lambda: self._request(notification), self._judge, self._limits)

    def _request(self, notification: Notification) -> Request:
        return Request(self._url.read(), self._payload(notification, self._style))


class RobotReceiver(HookReceiver):
    """One group's robot; the address holds its token, ``secret`` signs where the robot asks for that."""

    def __init__(
        self,
        payload: Payload,
        judge: Judge,
        signed: Signed,
        target: str,
        url: Secret,
        secret: Secret | None = None,
        style: Style = DEFAULT_STYLE,
        limits: Limits = LIMITS,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        super().__init__(payload, judge, target, url, style, limits)
        self._signed = signed
        self._secret = secret
        self._clock = clock

    def _request(self, notification: Notification) -> Request:
        request = super()._request(notification)
        secret = self._secret.read() if self._secret else ""
        return self._signed(request, secret, self._clock()) if secret else request
