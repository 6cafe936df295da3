"""The custom robot of Feishu, and of Lark, which differs in its host only: a card, signed.

https://open.feishu.cn/document/client-docs/bot-v3/add-custom-bot
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from faultline.dispatch.delivery import Delivery
from faultline.dispatch.http import Answer, Request
from faultline.dispatch.markup import FENCED, lookalike
from faultline.dispatch.messages import render
from faultline.dispatch.receivers.answers import by_body
from faultline.dispatch.receivers.chats import RobotReceiver
from faultline.dispatch.style import DEFAULT_STYLE, Style
from faultline.model import Notification, NotificationKind

# The whole body may have 20 KB; as JSON a character may take twice its bytes.
TEXT_BYTES = 9000
_COLOURS = {
    NotificationKind.RESOLVED: "green",
    NotificationKind.UPDATE: "orange",
    NotificationKind.CORRECTION: "orange",
    NotificationKind.DIGEST: "blue",
}
_MINUTE = timedelta(minutes=1)
_BUSY = {9499: _MINUTE, 11232: _MINUTE, 11233: _MINUTE, 99991400: _MINUTE}


def signed(request: Request, secret: str, at: datetime) -> Request:
    """The request with the time and its signature in the body."""
    stamp = str(int(at.timestamp()))
    signature = sign(stamp, secret)
    return replace(request, body={"timestamp": stamp, "sign": signature, **request.body}, secrets=(signature,))


def sign(stamp: str, secret: str) -> str:
    """The signature of a time in seconds: HMAC-SHA256 of nothing with the key ``stamp\\nsecret``, in base64."""
    return base64.b64encode(hmac.new(f"{stamp}\n{secret}".encode(), b"", hashlib.sha256).digest()).decode()


def payload(notification: Notification, style: Style = DEFAULT_STYLE) -> dict[str, Any]:
    """A card whose header is the title, as plain text."""
    message = render(notification, FENCED, style, limit=TEXT_BYTES, escape_title=lookalike)
    return {
        "msg_type": "interactive",
        "card": {
            "config": {"wide_screen_mode": True},
            "header": {
                "template": _COLOURS.get(notification.kind, "red"),
                "title": {"tag": "plain_text", "content": message.title},
            },
            "elements": [{"tag": "markdown", "content": message.text}],
        },
    }


def judge(answer: Answer) -> Delivery:
    """19021 (signature or clock), 19022 (sender's address) and 19024 (no keyword in the text) are final."""
    said = answer.json
    code, message = said.get("code", said.get("StatusCode")), said.get("msg", said.get("StatusMessage"))
    return by_body(answer, code, message, _BUSY)


FeishuReceiver = partial(RobotReceiver, payload, judge, signed)
