"""WeCom's group robot: Markdown of at most 4,096 bytes, at most 20 messages a minute.

https://developer.work.weixin.qq.com/document/path/91770
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

from faultline.dispatch.delivery import Delivery
from faultline.dispatch.http import Answer
from faultline.dispatch.markup import QUOTING, lookalike
from faultline.dispatch.messages import render, title_of
from faultline.dispatch.receivers.answers import by_body
from faultline.dispatch.receivers.chats import HookReceiver
from faultline.dispatch.style import DEFAULT_STYLE, Style
from faultline.dispatch.text import size
from faultline.model import Notification

CONTENT_BYTES = 4096
_MINUTE = timedelta(minutes=1)
_BUSY = {-1: None, 45009: _MINUTE, 45033: _MINUTE}


def payload(notification: Notification, style: Style = DEFAULT_STYLE) -> dict[str, Any]:
    """A Markdown message with the title as its first line."""
    title = f"**{title_of(notification, style, lookalike)}**\n"
    text = render(notification, QUOTING, style, limit=CONTENT_BYTES - size(title)).text
    return {"msgtype": "markdown", "markdown": {"content": title + text}}


def judge(answer: Answer) -> Delivery:
    """93000 (the key is wrong or the robot was removed) is final; 45009 (too many) passes within a minute."""
    return by_body(answer, answer.json.get("errcode"), answer.json.get("errmsg"), _BUSY)


# WeCom has no signature.
WeComReceiver = partial(HookReceiver, payload, judge)
