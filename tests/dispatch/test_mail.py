"""Mail, through Apprise, to a server that speaks SMTP: what arrives."""

from __future__ import annotations

from faultline.dispatch.delivery import DeliveryStatus
from faultline.dispatch.receivers.apprise import AppriseReceiver
from faultline.dispatch.style import Style
from faultline.model import Notification
from tests.contracts.values import notification
from tests.dispatch.mailbox import mailbox
from tests.dispatch.providers import hidden
from tests.dispatch.test_digest import decoded, whole


def send(told: Notification, style: Style = Style()) -> list[dict[str, object]]:  # noqa: B008
    """The parts of the mail, by type; its subject first."""
    with mailbox() as server:
        url = f"mailto://127.0.0.1:{server.port}?from=faultline@example.com&to=ops@example.com&mode=insecure"
        delivery = AppriseReceiver("ops/apprise/1", hidden(url), style).send(told)
        assert delivery.status == DeliveryStatus.DELIVERED, delivery
    [mail] = server.messages
    parts = [{"type": part.get_content_type(), "part": part} for part in mail.walk() if not part.is_multipart()]
    return [{"type": "subject", "part": mail["Subject"]}, *parts]


def test_a_page_by_mail_is_text() -> None:
    subject, text = send(notification(sample="Traceback <module>"))
    assert subject["part"] == "[FIRING] CRITICAL DbDown environment=prod"
    assert text["type"] == "text/plain"
    assert "    | Traceback <module>" in text["part"].get_content()  # type: ignore[attr-defined]


def test_a_digest_by_mail_is_html_with_its_picture_in_the_message_and_text_for_who_sees_no_html() -> None:
    subject, text, html, picture = send(whole("数据库 <b>"), Style("zh"))
    assert str(subject["part"]).startswith("[摘要] 24 个错误")
    assert [part["type"] for part in (text, html, picture)] == ["text/plain", "text/html", "image/png"]
    shown = html["part"].get_content()  # type: ignore[attr-defined]
    assert 'src="cid:errors.png"' in shown
    assert "数据库 &lt;b&gt;" in shown
    attached = picture["part"]
    assert (attached["Content-ID"], attached.get_content_disposition()) == ("<errors.png>", "inline")  # type: ignore
    assert decoded(attached.get_content()).any()  # type: ignore[attr-defined]
