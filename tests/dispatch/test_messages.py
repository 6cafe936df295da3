"""What a person reads: complete, in order, and safe whatever a log contained."""

from __future__ import annotations

import io
import unicodedata
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultline.dispatch.delivery import DeliveryStatus
from faultline.dispatch.messages import render
from faultline.dispatch.receivers.console import ConsoleReceiver
from faultline.model import AlertKey, AlertState, AlertSummary, Labels, Notification, NotificationKind
from tests.contracts.values import NOON, SECOND, notification

ANYTHING = st.text(st.characters(), max_size=60)


def test_a_page_says_what_how_often_since_when_and_what_it_explains() -> None:
    message = render(notification())
    assert message.title == "[FIRING] CRITICAL DbDown environment=prod"
    assert message.text.splitlines() == [
        "42 DB errors",
        "42 records; threshold 20 in 5m",
        "since 2026-11-22 12:00:00, last seen 12:00:30 UTC",
        "runbook_url: https://wiki.example/db",
        "caused, and not paged:",
        "  - CheckoutFailed environment=prod: 7 since 12:00:00 (suppressed)",
        "sample:",
        "    | boom",
        "why: threshold crossed",
        "id: e1-ops-firing-1",
    ]


@pytest.mark.parametrize(
    ("kind", "title", "words"),
    [
        (NotificationKind.UPDATE, "[UPDATE] CRITICAL DbDown environment=prod", "42 records; threshold 20 in 5m"),
        (NotificationKind.RESOLVED, "[RESOLVED] CRITICAL DbDown environment=prod", "over after 1m: 42 records in all"),
        (
            NotificationKind.PERSISTS,
            "[STILL FAILING] CRITICAL DbDown environment=prod",
            "still failing after its root cause cleared: 42 records",
        ),
    ],
)
def test_each_kind_says_what_happened(kind: NotificationKind, title: str, words: str) -> None:
    message = render(notification(kind))
    assert message.title == title
    assert words in message.text


def test_a_long_list_of_effects_is_cut_and_says_what_it_left_out() -> None:
    effects = tuple(
        AlertSummary(AlertKey(f"E{number}", Labels()), AlertState.SUPPRESSED, NOON, None, 10, "x")
        for number in range(30)
    )
    text = render(replace(notification(), suppressed=effects)).text
    assert "caused, and not paged: 30" in text
    assert "and 10 more, 100 records" in text


def test_the_cause_of_an_effect_is_named() -> None:
    base = notification()
    told = replace(base, alert=replace(base.alert, caused_by=(AlertKey("DbDown", Labels(host="db1")),)))
    assert "caused by: DbDown host=db1" in render(told).text


def test_an_alert_that_lasts_over_midnight_shows_both_days() -> None:
    base = notification()
    late = replace(base, alert=replace(base.alert, last_seen=NOON + 86_400 * SECOND))
    assert "last seen 2026-11-23 12:00:00 UTC" in render(late).text


def hostile(text: str) -> Notification:
    """A notification with the text in every place that can come out of a log."""
    base = notification(sample=text)
    key = AlertKey("DbDown", Labels(host=text))
    effect = AlertSummary(key, AlertState.SUPPRESSED, NOON, None, 1, "1 in 1m")
    alert = replace(
        base.alert, alert=key, labels={"host": text, "zone": text}, annotations={"summary": text, "more": text}
    )
    return replace(base, alert=alert, suppressed=(effect,))


@given(ANYTHING)
def test_no_log_text_can_control_the_terminal_or_fake_a_line(text: str) -> None:
    message = render(hostile(text))
    printed = message.title + message.text
    assert all(unicodedata.category(character)[0] != "C" for character in printed if character != "\n")
    assert not {"\u2028", "\u2029"} & set(printed)
    plain = render(hostile("x")).text.split("\n")
    lines = message.text.split("\n")
    samples = [line for line in lines if line.startswith("    | ")]
    assert len(lines) - len(samples) == len(plain) - 1 - (1 if not text else 0)


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1", "gbk"])
@given(text=ANYTHING)
def test_the_console_prints_anything_in_any_locale(encoding: str, text: str) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    assert ConsoleReceiver("console", stream).send(hostile(text)).status == DeliveryStatus.DELIVERED
    printed = stream.buffer.getvalue().decode(encoding)
    assert printed.startswith("[FIRING]")
    assert "\x1b" not in printed
    assert "id: e1-ops-firing-1" in printed


def test_markup_in_a_log_is_printed_as_it_is() -> None:
    stream = io.StringIO()
    ConsoleReceiver("console", stream).send(hostile("[bold red]x[/] :boom: https://a.example"))
    assert "    | [bold red]x[/] :boom: https://a.example" in stream.getvalue()


def test_a_long_line_is_not_broken() -> None:
    stream = io.StringIO()
    ConsoleReceiver("console", stream).send(hostile("x" * 500))
    assert "x" * 500 in stream.getvalue()


def test_a_stream_that_is_closed_is_worth_another_try() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    stream.close()
    delivery = ConsoleReceiver("console", stream).send(notification())
    assert delivery.status == DeliveryStatus.TRANSIENT
