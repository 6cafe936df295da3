"""A digest as HTML: for mail, with the picture beside it, and as a file that has everything in it."""

from __future__ import annotations

import base64
from functools import lru_cache
from typing import Any

from jinja2 import Environment
from markupsafe import Markup, escape

from faultline.digest import Digest
from faultline.dispatch.digest.pictures import bars
from faultline.dispatch.digest.words import title, variables
from faultline.dispatch.links import page_url
from faultline.dispatch.markup import web_address
from faultline.dispatch.style import Style
from faultline.dispatch.templates import FILTERS, template_of
from faultline.dispatch.text import one_line, shorten
from faultline.model import Notification

PICTURE = "errors.png"
_ENTRIES = 50
_VALUE_LENGTH = 400
_WORDS: dict[str, dict[str, Any]] = {
    "en": {
        "compared": "{:,} errors, {:,} in the {} before",
        "picture": "Errors (red), and in the time before (grey)",
        "nothing": "No errors, no alerts, and every message got through.",
        "fired": "Alerts that fired",
        "top": "Most frequent errors",
        "new": "New: never seen since {}",
        "unknown": "What is new cannot be said: there are no older counts to compare with.",
        "quiet": "Kept quiet",
        "dark": "Dark: roots that nobody was told of, with their effects",
        "undelivered": "Messages that were given up",
        "uncounted": "Records that are not counted as they should be",
        "more": "and {:,} more",
        "count": "Records",
        "before": "Before",
        "trend": "Over time",
        "where": "Where",
        "first_seen": "First (UTC)",
        "hosts": "Hosts",
        "sample": "Sample",
        "is_new": "new",
        "why": "Why",
        "alerts": "Alerts",
        "records": "Records",
        "root": "Root",
        "effects": "Effects",
        "target": "Target",
        "messages": "Messages",
        "answer": "The provider said",
        "topic": "Topic",
        "reasons": {"chain": "explained by its cause", "silence": "silenced", "mute_time": "in a mute time"},
        "parts": {
            "unparsable": "understood by no parser",
            "late": "came after their time was closed",
            "flooded": "suppressed by the application's own handler",
        },
    },
    "zh": {
        "compared": "{0:,} 个错误，前 {2} 为 {1:,} 个",
        "picture": "错误数（红）与前一时段（灰）",
        "nothing": "没有错误，没有告警，所有消息均已送达。",
        "fired": "触发的告警",
        "top": "最频繁的错误",
        "new": "新出现：自 {} 以来从未见过",
        "unknown": "无法判断哪些是新的：没有更早的计数可比较。",
        "quiet": "未通知",
        "dark": "连同其影响都无人知晓的根因",
        "undelivered": "未送达的消息",
        "uncounted": "未正常计数的记录",
        "more": "另有 {:,} 项",
        "count": "条数",
        "before": "之前",
        "trend": "趋势",
        "where": "位置",
        "first_seen": "首次 (UTC)",
        "hosts": "主机",
        "sample": "样例",
        "is_new": "新",
        "why": "原因",
        "alerts": "告警",
        "records": "记录",
        "root": "根因",
        "effects": "影响",
        "target": "渠道",
        "messages": "消息",
        "answer": "对方的回答",
        "topic": "主题",
        "reasons": {"chain": "由根因解释", "silence": "已静默", "mute_time": "免打扰时段"},
        "parts": {
            "unparsable": "无法解析",
            "late": "到达过迟",
            "flooded": "被应用自身的日志处理器抑制",
        },
    },
}


def for_mail(notification: Notification, style: Style) -> tuple[str, bytes]:
    """The HTML of a mail, and the picture that it names as ``cid:errors.png``."""
    return _render(notification, style, f"cid:{PICTURE}"), _picture(notification)


def for_file(notification: Notification, style: Style) -> str:
    """HTML with the picture in it, which browsers show."""
    return _render(notification, style, f"data:image/png;base64,{base64.b64encode(_picture(notification)).decode()}")


def _picture(notification: Notification) -> bytes:
    digest = _digest(notification)
    return bars(digest.series, digest.series_before)


def _render(notification: Notification, style: Style, picture: str) -> str:
    digest = _digest(notification)
    text: str = _template().render(
        **variables(digest, entries=_ENTRIES),
        title=title(digest, style.language),
        language=style.language,
        words=_WORDS[style.language],
        picture=Markup(picture),
        ui_url=web_address(page_url(style.ui_url)) or "",
        id=notification.key,
    )
    return text


def _digest(notification: Notification) -> Digest:
    if notification.digest is None:
        raise ValueError(f"{notification.key} is no digest")
    return notification.digest


@lru_cache
def _template() -> Any:
    """Whatever is printed is escaped, and shows what a person could not see; only our own markup is taken as it is."""

    def finish(value: object) -> object:
        return value if isinstance(value, Markup) else escape(one_line(shorten(str(value), _VALUE_LENGTH)))

    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True, finalize=finish)
    environment.filters |= FILTERS
    return environment.from_string(template_of("digest.html"))
