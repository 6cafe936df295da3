"""DingTalk's custom robot: Markdown, signed with HMAC-SHA256, at most 20 messages a minute.

https://open.dingtalk.com/document/robots/custom-robot-access
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import httpx

from faultline.dispatch.delivery import Delivery
from faultline.dispatch.http import Answer, Request
from faultline.dispatch.markup import QUOTING, lookalike
from faultline.dispatch.messages import render
from faultline.dispatch.receivers.answers import by_body
from faultline.dispatch.receivers.chats import RobotReceiver
from faultline.dispatch.style import DEFAULT_STYLE, Style
from faultline.model import Notification

# The whole body may have 20,000 bytes; as JSON a character may take twice its bytes.
TEXT_BYTES = 9000
# After too many messages a robot is blocked for ten minutes.
_BLOCKED = timedelta(minutes=10)
_BUSY = {-1: None, 130101: _BLOCKED, 130102: _BLOCKED, 410100: _BLOCKED, 90018: _BLOCKED}


def signed(request: Request, secret: str, at: datetime) -> Request:
    """The request with the time and its signature in the address."""
    stamp = str(int(at.timestamp() * 1000))
    signature = sign(stamp, secret)
    url = httpx.URL(request.url).copy_merge_params({"timestamp": stamp, "sign": signature})
    return replace(request, url=str(url), secrets=(signature,))


def sign(stamp: str, secret: str) -> str:
    """The signature of a time in milliseconds: HMAC-SHA256 of ``stamp\\nsecret`` with the secret as key, in base64."""
    digest = hmac.new(secret.encode(), f"{stamp}\n{secret}".encode(), hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


def payload(notification: Notification, style: Style = DEFAULT_STYLE) -> dict[str, Any]:
    """A Markdown message; it breaks lines only where two spaces end one."""
    message = render(notification, QUOTING, style, limit=TEXT_BYTES, escape_title=lookalike)
    text = f"### {message.title}\n\n" + message.text.replace("\n", "  \n")
    return {
        "msgtype": "markdown",
        "markdown": {"title": message.title, "text": text},
        "at": {"isAtAll": False, "atMobiles": [], "atUserIds": []},
    }


def judge(answer: Answer) -> Delivery:
    """310000 (a keyword, the signature or the sender's address is refused) is final, as is an unknown token."""
    return by_body(answer, answer.json.get("errcode"), answer.json.get("errmsg"), _BUSY)


DingTalkReceiver = partial(RobotReceiver, payload, judge, signed)
