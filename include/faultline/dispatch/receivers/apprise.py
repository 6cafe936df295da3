"""The long tail (mail, ntfy, Telegram, …) through Apprise, whose result for the one service is looked at.

https://appriseit.com lists its addresses. Apprise gives no code of the provider and no Retry-After, only log lines.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from faultline.dispatch.delivery import Delivery, DeliveryStatus
from faultline.dispatch.digest.page import PICTURE, for_mail
from faultline.dispatch.http import LIMITS, Limits
from faultline.dispatch.markup import PLAIN, QUOTING, Markup
from faultline.dispatch.messages import render
from faultline.dispatch.secrets import Secret, mask
from faultline.dispatch.style import DEFAULT_STYLE, Style
from faultline.errors import PermanentError, TransientError
from faultline.model import Notification, NotificationKind

# Services that show a text as it is: no markup and no mention can come of it.
_MAIL = ("mailto", "mailtos")
_VERBATIM = (*_MAIL, "json", "jsons", "xml", "xmls", "form", "forms", "syslog", "rsyslog")
# How Apprise's plugins write the provider's HTTP status into their log lines.
_STATUS = re.compile(r"error=(\d{3})\b")
_FINAL = {400, 401, 403, 404, 405, 410, 413, 422}
_LONGEST_SAID = 500


class AppriseReceiver:
    """One service of Apprise, so that each has its own truth: of several in one address any could fail unseen."""

    def __init__(self, target: str, url: Secret, style: Style = DEFAULT_STYLE, limits: Limits = LIMITS) -> None:
        self.target = target
        self._url = url
        self._style = style
        self._limits = limits

    def send(self, notification: Notification) -> Delivery:
        """One attempt, with none of Apprise's own retries; the outbox has its own."""
        try:
            return _send(self._url.read(), notification, self._style, self._limits.whole)
        except PermanentError as error:
            return Delivery(DeliveryStatus.PERMANENT, type(error).__name__, mask(str(error)))
        except TransientError as error:
            return Delivery(DeliveryStatus.TRANSIENT, type(error).__name__, mask(str(error)))


def _send(url: str, notification: Notification, style: Style, whole: timedelta) -> Delivery:
    # Imported here: it takes a second to find its two hundred services.
    from apprise import Apprise, NotifyType

    service = Apprise.instantiate(url, suppress_exceptions=True)
    if service is None:
        raise PermanentError("not an address that Apprise knows")
    service.redirects = False
    session = Apprise()
    session.add(service)
    types = {NotificationKind.RESOLVED: NotifyType.SUCCESS, NotificationKind.DIGEST: NotifyType.INFO}
    result = session.notify(
        **_content(url, notification, style, service),
        notify_type=types.get(notification.kind, NotifyType.FAILURE),
        timeout=whole.total_seconds(),
    )
    if result and all(result) and len(result) == 1:
        return Delivery(DeliveryStatus.DELIVERED, service.service_name)
    said = "; ".join(entry.message for entry in result.logs()) or f"Apprise says {result.status.name.lower()}"
    status = _STATUS.search(said)
    final = status is not None and int(status[1]) in _FINAL
    return Delivery(
        DeliveryStatus.PERMANENT if final else DeliveryStatus.TRANSIENT,
        status[1] if status else result.status.name.lower(),
        mask(said)[:_LONGEST_SAID],
    )


def _content(url: str, notification: Notification, style: Style, service: Any) -> dict[str, Any]:
    """A digest by mail is HTML with its picture; everything else is text."""
    from apprise import NotifyFormat
    from apprise.attachment.memory import AttachMemory

    markup = markup_of(url)
    message = render(notification, markup, style, limit=service.body_maxlen or None, escape_title=markup.escape)
    if notification.digest is None or _scheme(url) not in _MAIL:
        return {"title": message.title, "body": message.text, "body_format": NotifyFormat.TEXT}
    html, picture = for_mail(notification, style)
    service.inline = True  # the picture is part of the message, by its name
    service.notify_format = NotifyFormat.HTML
    shown: Any = AttachMemory
    attached = shown(picture, name=PICTURE, mimetype="image/png")
    return {"title": message.title, "body": html, "body_format": NotifyFormat.HTML, "attach": attached}


def markup_of(url: str) -> Markup:
    """How a service of this address is written to."""
    return PLAIN if _scheme(url) in _VERBATIM else QUOTING


def _scheme(url: str) -> str:
    return url.partition("://")[0].lower()
