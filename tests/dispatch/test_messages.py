"""What a person reads: complete, in order, and safe whatever a log contained."""

from __future__ import annotations

import io
import re
import shlex
import unicodedata
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultline.dispatch.delivery import DeliveryStatus
from faultline.dispatch.links import search_command
from faultline.dispatch.messages import as_tree, render
from faultline.dispatch.receivers import dingtalk, slack
from faultline.dispatch.receivers.console import ConsoleReceiver
from faultline.dispatch.style import Language, Style
from faultline.dispatch.templates import check_message_template, template_of
from faultline.model import (
    Ack,
    AlertKey,
    AlertState,
    AlertSummary,
    Context,
    Kind,
    Labels,
    Notification,
    NotificationKind,
)
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
        "search: faultline search environment=prod --since 2026-11-22T11:59:00 --until 2026-11-22T12:01:30",
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
        (
            NotificationKind.CORRECTION,
            "[CORRECTION] CRITICAL DbDown environment=prod",
            "it was no alert: 42 records, counted again with those that came late; threshold 20 in 5m",
        ),
    ],
)
def test_each_kind_says_what_happened(kind: NotificationKind, title: str, words: str) -> None:
    message = render(notification(kind))
    assert message.title == title
    assert words in message.text


@pytest.mark.parametrize(("language", "said"), [("en", "seen late: it took records"), ("zh", "有记录迟到")])
def test_that_it_took_late_records_is_said(language: Language, said: str) -> None:
    late = replace(notification(), alert=replace(notification().alert, late=True))
    assert said in render(late, style=Style(language)).text
    assert said not in render(notification(), style=Style(language)).text


def test_a_long_list_of_effects_is_cut_and_says_what_it_left_out() -> None:
    effects = tuple(
        AlertSummary(AlertKey(f"E{number}", Labels()), AlertState.SUPPRESSED, NOON, None, 10, "x")
        for number in range(30)
    )
    text = render(replace(notification(), suppressed=effects)).text
    assert "caused, and not paged: 30" in text
    assert "and 10 more, 100 records" in text


def with_context(context: Context, *, host: str = "") -> Notification:
    base = notification()
    key = AlertKey("DbDown", Labels(host=host)) if host else base.alert.alert
    return replace(base, alert=replace(base.alert, alert=key, context=context))


KNOWN = Context(
    1042, 12, (Kind("v1:a", 900, "boom\nbang"), Kind("v1:b", 142, "crash")), 2, (("db-1", 1000), ("db-2", 42)), 3
)


def test_a_page_says_how_usual_it_is_what_is_logged_most_and_where() -> None:
    lines = render(with_context(KNOWN)).text.splitlines()
    assert lines[1:3] == ["42 records; threshold 20 in 5m", "1,042 in the last hour, 12 in the same hour a week ago"]
    assert "hosts: db-1 1,000, db-2 42 and 3 more" in lines
    at = lines.index("900 in the last hour like this:")
    assert lines[at : at + 6] == [
        "900 in the last hour like this:",
        "    | boom",
        "    | bang",
        "142 in the last hour like this:",
        "    | crash",
        "and 2 more kinds of records",
    ]
    assert "sample:" not in lines


def test_the_same_context_in_chinese() -> None:
    lines = render(with_context(KNOWN), style=Style("zh")).text.splitlines()
    assert "最近一小时 1,042 条，一周前同一小时 12 条" in lines
    assert "主机：db-1 1,000，db-2 42，另有 3 台" in lines
    assert "最近一小时 900 条如下：" in lines


def test_what_is_not_known_of_a_week_ago_is_not_said() -> None:
    assert "1 in the last hour" in render(with_context(Context(1, None))).text.splitlines()


def test_a_host_that_the_name_has_already_is_not_said_again() -> None:
    assert "hosts:" not in render(with_context(Context(1, 0, hosts=(("db-1", 1),)), host="db-1")).text
    assert "hosts: db-2 1" in render(with_context(Context(1, 0, hosts=(("db-2", 1),)), host="db-1")).text


def effect(rule: str, *causes: str) -> AlertSummary:
    keys = tuple(AlertKey(cause, Labels()) for cause in causes)
    return AlertSummary(AlertKey(rule, Labels()), AlertState.SUPPRESSED, NOON, None, 1, "x", caused_by=keys)


def test_effects_of_effects_come_below_them() -> None:
    effects = (
        effect("Mail", "Db", "Cart"),
        effect("Cart", "Db"),
        effect("Pay", "Db"),
        effect("Sms", "Db", "Cart", "Mail"),
    )
    assert [(depth, each.alert.rule) for depth, each in as_tree(effects)] == [
        (0, "Cart"),
        (1, "Mail"),
        (2, "Sms"),
        (0, "Pay"),
    ]
    text = render(replace(notification(), suppressed=effects)).text
    assert "\n  - Cart: 1 since 12:00:00 (suppressed)\n    - Mail: 1" in text
    assert "\n      - Sms: 1" in text


def test_effects_that_name_each_other_are_all_told() -> None:
    effects = (effect("A", "Db", "B"), effect("B", "Db", "A"), effect("C", "Db"))
    assert sorted(each.alert.rule for _, each in as_tree(effects)) == ["A", "B", "C"]


def test_the_cause_of_an_effect_is_named() -> None:
    base = notification()
    told = replace(base, alert=replace(base.alert, caused_by=(AlertKey("DbDown", Labels(host="db1")),)))
    assert "caused by: DbDown host=db1" in render(told).text


@pytest.mark.parametrize(
    ("language", "comment", "line"),
    [
        ("en", "", "acknowledged by alice"),
        ("en", "on it\n", "acknowledged by alice: on it\\n"),
        ("zh", "在处理", "已由 alice 确认：在处理"),
    ],
)
def test_who_has_taken_it_on_is_said(language: Language, comment: str, line: str) -> None:
    base = notification(NotificationKind.RESOLVED)
    acked = replace(base, alert=replace(base.alert, ack=Ack("e1", "alice", NOON, comment)))
    assert line in render(acked, style=Style(language)).text.splitlines()


def test_an_alert_that_lasts_over_midnight_shows_both_days() -> None:
    base = notification()
    late = replace(base, alert=replace(base.alert, last_seen=NOON + 86_400 * SECOND))
    assert "last seen 2026-11-23 12:00:00 UTC" in render(late).text


def test_the_same_in_chinese() -> None:
    message = render(notification(), style=Style("zh", ui_url="https://airflow.example/plugin/faultline"))
    assert message.title == "[告警] CRITICAL DbDown environment=prod"
    assert message.text.splitlines() == [
        "42 DB errors",
        "42 条记录；阈值 20 in 5m",
        "开始 2026-11-22 12:00:00，最近出现 12:00:30（UTC）",
        "runbook_url: https://wiki.example/db",
        "由它引起、未单独通知：1 个",
        "  - CheckoutFailed environment=prod：7 条，始于 12:00:00（已抑制）",
        "样例：",
        "    | boom",
        "告警: https://airflow.example/plugin/faultline/now?episode=e1",
        "检索：faultline search environment=prod --since 2026-11-22T11:59:00 --until 2026-11-22T12:01:30",
        "原因：threshold crossed",
        "编号：e1-ops-firing-1",
    ]


SLACK_TEXT = """42 DB errors
42 records; threshold 20 in 5m
since 2026-11-22 12:00:00, last seen 12:00:30 UTC
<https://wiki.example/db|runbook_url>
caused, and not paged:
  - CheckoutFailed environment=prod: 7 since 12:00:00 (suppressed)
sample:
```
Traceback &lt;module&gt;: boom
```
<https://airflow.example/faultline/now?episode=e1|alert>
search: faultline search environment=prod --since 2026-11-22T11:59:00 --until 2026-11-22T12:01:30
why: threshold crossed
id: e1-ops-firing-1"""
DINGTALK_TEXT = """### [已恢复] CRITICAL DbDown environment=prod

42 DB errors
已恢复，持续 1m：共 42 条记录；阈值 20 in 5m
开始 2026-11-22 12:00:00，最近出现 12:00:30，结束 12:01:00（UTC）
[runbook_url](https://wiki.example/db)
由它引起、未单独通知：1 个
  - CheckoutFailed environment=prod：7 条，始于 12:00:00（已抑制）
原因：threshold crossed
编号：e1-ops-resolved-1"""


def test_a_page_in_slack_reads_like_this() -> None:
    style = Style(ui_url="https://airflow.example/faultline")
    body = slack.payload(notification(sample="Traceback <module>: boom"), style)
    assert body["text"] == "*[FIRING] CRITICAL DbDown environment=prod*"
    assert body["attachments"][0]["blocks"][0]["text"]["text"] == SLACK_TEXT


def test_a_resolve_in_dingtalk_in_chinese_reads_like_this() -> None:
    text = dingtalk.payload(notification(NotificationKind.RESOLVED), Style("zh"))["markdown"]["text"]
    assert text.replace("  \n", "\n") == DINGTALK_TEXT
    assert text.count("  \n") == 7


def test_a_channel_s_own_templates_are_used_and_their_values_made_harmless() -> None:
    style = Style(title="{{ severity | upper }} {{ alertname }}", text="*{{ labels.host }}* {{ bold(labels.host) }}")
    body = slack.payload(hostile("<!channel> *x*"), style)
    assert body["attachments"][0]["blocks"][0]["text"]["text"] == ("*&lt;!channel&gt; ＊x＊* *&lt;!channel&gt; ＊x＊*")
    assert body["text"] == "*&lt;!CHANNEL&gt; ＊X＊ DbDown*".replace("&lt;!CHANNEL&gt; ＊X＊", "")


def test_a_template_that_fails_on_the_data_says_so_and_the_usual_text_follows() -> None:
    message = render(notification(), style=Style(title="{{ count / 0 }}", text="{{ count / 0 }}"))
    assert message.title == "[FIRING] CRITICAL DbDown environment=prod"
    assert message.text.splitlines()[:2] == ["<template failed: division by zero>", "42 DB errors"]


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{{ count", "not a template"),
        ("{{ cuont }}", "unknown variable 'cuont' in a template; did you mean 'count'?"),
        ("{{ count | shout }}", "not a template"),
    ],
)
def test_a_template_that_cannot_work_is_refused(template: str, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        check_message_template(template)


def test_a_template_can_call_nothing_of_python() -> None:
    text = render(notification(), style=Style(text="{{ labels.__class__.__mro__ }}")).text
    assert "class" not in text.splitlines()[0] or "failed" in text.splitlines()[0]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_default_templates_use_only_what_is_offered(language: str) -> None:
    check_message_template(template_of(language))


@pytest.mark.parametrize(
    ("labels", "query"),
    [
        ({"service": "checkout", "zone": "a"}, "service=checkout"),
        ({"host": "db one"}, "'host=\"db one\"'"),
        ({"host": 'it\'s "x"'}, shlex.quote('host="it\'s \\"x\\""')),
    ],
)
def test_the_search_command_asks_for_the_alert_s_own_records(labels: dict[str, str], query: str) -> None:
    base = notification()
    told = replace(base, alert=replace(base.alert, alert=AlertKey("DbDown", Labels(labels))))
    assert search_command(told).startswith(f"faultline search {query} --since 2026-11-22T11:59:00 --until ")


def test_there_is_nothing_to_search_for_after_the_end_or_by_what_cannot_be_copied() -> None:
    assert search_command(notification(NotificationKind.RESOLVED)) == ""
    assert search_command(hostile("\x1b[31m")) == ""


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
    searches = sum(line.startswith("search: ") for line in lines)
    assert len(lines) - len(samples) - searches == len(plain) - 2 - (1 if not text else 0)


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


def test_the_alerts_of_a_group_are_listed() -> None:
    one = notification()
    over = replace(one.alert, alert=AlertKey("DbDown", Labels(environment="test")), state=AlertState.RESOLVED)
    merged = replace(one.alert, alert=AlertKey("2 alerts", Labels(alertname="DbDown")), threshold="")
    message = render(replace(one, alert=merged, alerts=(one.alert, over), group={"alertname": "DbDown"}))
    assert message.title == "[FIRING] CRITICAL 2 alerts alertname=DbDown"
    lines = message.text.splitlines()
    assert "42 records" in lines
    assert "  - DbDown environment=prod: 42 since 12:00:00 (firing)" in lines
    assert "  - DbDown environment=test: 42 since 12:00:00 (over)" in lines
