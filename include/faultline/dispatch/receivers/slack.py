"""Slack's incoming webhook, and what is compatible with it (Mattermost, Rocket.Chat, Discord's ``/slack``).

https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
"""

from __future__ import annotations

from functools import partial
from typing import Any

from faultline.dispatch.delivery import Delivery, DeliveryStatus
from faultline.dispatch.http import Answer, by_status
from faultline.dispatch.markup import Markup, web_address
from faultline.dispatch.messages import render
from faultline.dispatch.receivers.chats import HookReceiver
from faultline.dispatch.style import DEFAULT_STYLE, Style
from faultline.dispatch.text import lines, one_line
from faultline.model import Notification, NotificationKind

# A section block takes 3,000 characters.
TEXT_BYTES = 3000
_COLOURS = {
    NotificationKind.RESOLVED: "#2eb67d",
    NotificationKind.UPDATE: "#ecb22e",
    NotificationKind.CORRECTION: "#ecb22e",
    NotificationKind.DIGEST: "#36c5f0",
}
_RED = "#e01e5a"
# Slack's own three, then what bold, strike-through, code and (in compatible servers) mentions are made of.
_CODE_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "`": "ˋ", "@": "＠"}
_IN_CODE = str.maketrans(_CODE_ESCAPES)
_ESCAPES = str.maketrans({**_CODE_ESCAPES, "*": "＊", "~": "～", "[": "［", "]": "］"})


def escape(text: str) -> str:
    """One line of mrkdwn that is text only."""
    return one_line(text).translate(_ESCAPES)


def _code(text: str) -> str:
    return "```\n" + "\n".join(lines(text)).translate(_IN_CODE) + "\n```"


def _link(text: str, url: str) -> str:
    safe = web_address(url)
    return f"<{safe.replace('&', '&amp;').replace('|', '%7C')}|{escape(text)}>" if safe else escape(f"{text}: {url}")


MRKDWN = Markup(escape, _code, lambda text: f"*{escape(text)}*", _link)


def payload(notification: Notification, style: Style = DEFAULT_STYLE) -> dict[str, Any]:
    """A title, and a section with a coloured edge; nothing in it is unfurled or turned into a mention."""
    message = render(notification, MRKDWN, style, limit=TEXT_BYTES, escape_title=escape)
    text = {"type": "mrkdwn", "text": message.text, "verbatim": True}
    return {
        "text": f"*{message.title}*",
        "attachments": [
            {
                "color": _COLOURS.get(notification.kind, _RED),
                "fallback": message.title,
                "blocks": [{"type": "section", "text": text}],
            }
        ],
        "link_names": False,
        "unfurl_links": False,
        "unfurl_media": False,
    }


def judge(answer: Answer) -> Delivery:
    """Slack says ``ok`` as text, compatible servers also as JSON; anything else under a 200 is not their answer."""
    http = by_status(answer)
    if http.status != DeliveryStatus.DELIVERED:
        return http
    said = answer.json
    if answer.text.strip() == "ok" or said.get("ok") is True or said.get("success") is True:
        return http
    if said.get("ok") is False or said.get("success") is False:
        return Delivery(DeliveryStatus.PERMANENT, str(said.get("error")), answer.text)
    return Delivery(DeliveryStatus.TRANSIENT, http.provider_code, f"not Slack's answer: {answer.text}")


SlackReceiver = partial(HookReceiver, payload, judge)
