"""What each provider is sent: signed as it asks, within its limits, and harmless whatever a log contained."""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import astuple, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_httpserver import HTTPServer
from werkzeug import Response

from faultline.dispatch.http import encode
from faultline.dispatch.markup import FENCED, QUOTING, Markup, web_address
from faultline.dispatch.messages import render
from faultline.dispatch.receivers import dingtalk, feishu, pagerduty, slack, wecom
from faultline.dispatch.receivers.apprise import markup_of
from faultline.dispatch.receivers.dingtalk import DingTalkReceiver
from faultline.dispatch.receivers.feishu import FeishuReceiver
from faultline.dispatch.receivers.pagerduty import PagerDutyReceiver
from faultline.dispatch.text import cut_bytes, size
from faultline.model import Ack, AlertState, AlertSummary, Context, Kind, Labels, Notification, NotificationKind
from tests.contracts.values import KEY, NOON, notification
from tests.dispatch.providers import APPRISE, DINGTALK, FEISHU, PAGERDUTY, PROVIDERS, SLACK, WECOM, Provider, hidden

PAYLOADS = {
    SLACK: slack.payload,
    DINGTALK: dingtalk.payload,
    FEISHU: feishu.payload,
    WECOM: wecom.payload,
    PAGERDUTY: pagerduty.payload,
}
payloads = pytest.mark.parametrize("provider", PAYLOADS, ids=str)
# Signatures by another hand: printf '<time>\n<secret>' | openssl dgst -sha256 -hmac '<secret>' -binary | base64, and
# for Feishu the same of nothing with -macopt hexkey:<time\nsecret>.
DINGTALK_SIGNATURE = "aeT2NCEbBuTaCh6Lz343+5PsAEVjV1g25dFap7x9BIw="
FEISHU_SIGNATURE = "7+ZIqSjxJWJLtxytJG14QSJ8dTrP2bkAFN7YWl1jh0c="
ATTACKS = (
    "@all @everyone @here @channel",
    "<!channel> <!here|x> <@U123> <#C1>",
    '<at user_id="all">all</at> <at id=all></at> <@all>',
    "``` out of the block ``` `x` ~~~",
    "[click](https://evil.example) ![pixel](https://evil.example/p.png) <https://evil.example|bank>",
    '<script>alert(1)</script> <font color="red">x</font> &lt; &amp;',
    "# heading\n> quote\n* list\n1. one\n---\n***\n",
    "\x1b[31mred\x07\x00\r\n\u202eright to left\u2066\u200b\u200d\ufeff\u2028",
    "**bold** __bold__ ~~gone~~ ||spoiler|| $x$ {{ 7 * 7 }} {% raw %}",
)
anything = st.one_of(st.sampled_from(ATTACKS), st.text(st.characters(), max_size=60))


def hostile(text: str) -> Notification:
    """A notification with the text in every place that can come out of a log."""
    base = notification(sample=text)
    key = replace(KEY, labels=Labels(host=text))
    effect = AlertSummary(key, AlertState.SUPPRESSED, NOON, None, 1, "1 in 1m")
    alert = replace(
        base.alert,
        alert=key,
        labels={"host": text, "zone": text, "severity": text},
        annotations={"summary": text, "more": text, "runbook_url": text},
        caused_by=(key,),
        ack=Ack("e1", text, NOON, text),
        context=Context(7, 3, (Kind("v1:a", 4, text), Kind("v1:b", 3, text)), 1, ((text, 5), ("h", 2)), 1),
    )
    return replace(base, alert=alert, suppressed=(effect,), reason=text)


def test_dingtalk_signs_the_time_as_documented(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/robot/send").respond_with_response(Response('{"errcode": 0}'))
    url, at = hidden(httpserver.url_for("/robot/send?access_token=a%2Bb")), datetime.fromtimestamp(1577262236.757, UTC)
    DingTalkReceiver("d", url, hidden("SECabcdef0123456789"), clock=lambda: at).send(notification())
    (request, _), *_ = httpserver.log
    assert parse_qs(urlsplit(request.url).query) == {
        "access_token": ["a+b"],
        "timestamp": ["1577262236757"],
        "sign": [DINGTALK_SIGNATURE],
    }


def test_feishu_signs_the_time_as_documented(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/hook").respond_with_response(Response('{"code": 0}'))
    at = datetime.fromtimestamp(1599360473, UTC)
    url = hidden(httpserver.url_for("/hook"))
    FeishuReceiver("f", url, hidden("feishu-secret-value"), clock=lambda: at).send(notification())
    body = httpserver.log[0][0].get_json()
    assert (body["timestamp"], body["sign"], body["msg_type"]) == ("1599360473", FEISHU_SIGNATURE, "interactive")
    assert body["card"]["header"]["title"] == {
        "tag": "plain_text",
        "content": "[FIRING] CRITICAL DbDown environment=prod",
    }


def test_a_robot_without_a_signing_secret_is_sent_none(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/hook").respond_with_response(Response('{"code": 0, "errcode": 0}'))
    url = hidden(httpserver.url_for("/hook"))
    DingTalkReceiver("d", url).send(notification())
    FeishuReceiver("f", url).send(notification())
    assert [request.query_string for request, _ in httpserver.log] == [b"", b""]
    assert "sign" not in httpserver.log[1][0].get_json()


def test_pagerduty_keeps_one_incident_per_episode_and_resolves_it(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/").respond_with_response(Response('{"status": "success"}', status=202))
    receiver = PagerDutyReceiver("p", hidden("routing-key-1"), url=httpserver.url_for("/"))
    for kind in (NotificationKind.FIRING, NotificationKind.UPDATE, NotificationKind.RESOLVED):
        receiver.send(notification(kind))
    bodies = [request.get_json() for request, _ in httpserver.log]
    assert [body["event_action"] for body in bodies] == ["trigger", "trigger", "resolve"]
    assert {(body["dedup_key"], body["routing_key"]) for body in bodies} == {("e1", "routing-key-1")}
    assert bodies[0]["payload"] | {"custom_details": None} == {
        "summary": "[FIRING] CRITICAL DbDown environment=prod",
        "source": "prod",
        "severity": "critical",
        "timestamp": "2026-11-22T12:00:00+00:00",
        "class": "DbDown",
        "custom_details": None,
    }
    assert bodies[0]["payload"]["custom_details"]["suppressed"] == {"CheckoutFailed environment=prod": 7}
    assert bodies[0]["links"] == [{"href": "https://wiki.example/db", "text": "runbook"}]


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("CRITICAL", "critical"),
        ("page", "critical"),
        ("warn", "warning"),
        ("info", "info"),
        ("", "error"),
        ("?", "error"),
    ],
)
def test_severities_are_mapped_to_pagerdutys_four(word: str, meant: str) -> None:
    assert pagerduty.severity(word) == meant


def test_pagerduty_hears_that_somebody_has_the_incident_and_then_what_is_new() -> None:
    ack, base = Ack("e1", "alice", NOON, "on it"), notification(NotificationKind.UPDATE)
    alert = replace(base.alert, state=AlertState.ACKED, ack=ack)
    told = replace(base, alert=alert, reason=ack.reason)
    assert pagerduty.payload(told) == {"event_action": "acknowledge", "dedup_key": "e1"}
    assert pagerduty.payload(replace(told, reason="1 more effect"))["event_action"] == "trigger"
    over = replace(alert, state=AlertState.RESOLVED)
    assert pagerduty.payload(replace(told, alert=over))["event_action"] == "resolve"


def test_pagerduty_shows_the_images_of_the_annotations() -> None:
    base = notification()
    urls = {"image_url": "https://grafana.example/p.png", "image_2_url": "http://insecure.example/q.png"}
    event = pagerduty.payload(replace(base, alert=replace(base.alert, annotations=urls)))
    assert event["images"] == [{"src": "https://grafana.example/p.png", "alt": "image_url"}]


def test_a_long_episode_is_still_one_dedup_key() -> None:
    assert len(pagerduty.dedup_key("e" * 300)) == 64
    assert pagerduty.dedup_key("e" * 255) == "e" * 255


HUGE = notification(sample="\n".join(["数据库" * 400_000, '"\\' * 100_000]))
CROWDED = replace(
    HUGE,
    alert=replace(
        HUGE.alert,
        samples=HUGE.alert.samples * 3,
        labels={f"label{n}": '<&>"\\' * 1000 for n in range(100)},
        annotations={f"note{n}": '数"据' * 10_000 for n in range(200)},
        context=Context(10**9, 0, (Kind("v1:a", 9, "数据库" * 200),) * 3, 10**6, (("数据库" * 70, 10**9),) * 5, 10**6),
    ),
    suppressed=HUGE.suppressed * 500,
)


@payloads
@pytest.mark.parametrize("large", [HUGE, CROWDED], ids=["sample of megabytes", "everything"])
def test_what_is_too_long_is_cut_to_the_providers_limit(provider: Provider, large: Notification) -> None:
    body: dict[str, Any] = PAYLOADS[provider](large)
    whole = {DINGTALK: 20_000, FEISHU: 20_000, PAGERDUTY: 512_000}
    text = {SLACK: 3000, WECOM: 4096}
    if provider in whole:
        assert len(encode(body)) <= whole[provider]
    else:
        assert size(provider.text(body)) <= text[provider]
    assert "(cut)" in provider.text(body)


@given(st.text(), st.integers(0, 60))
def test_a_cut_is_marked_and_never_in_the_middle_of_a_character(text: str, limit: int) -> None:
    shown = cut_bytes(text, limit)
    if size(text) <= limit:
        assert shown == text
    else:
        kept = shown.removesuffix(" …(cut)")
        assert text.startswith(kept)
        assert size(shown) <= max(limit, size(" …(cut)"))


def structure(text: str, marks: str) -> list[str]:
    """The marks in order; inside a code block only those that could end it or that some dialect reads even there."""
    return [
        character
        for number, part in enumerate(text.split("```"))
        for character in part
        if character in (marks if number % 2 == 0 else "`<>@")
    ]


@pytest.mark.parametrize(
    ("provider", "marks"),
    [(SLACK, "<>`*@~"), (DINGTALK, "<>`*@~[]!#|"), (FEISHU, "<>`*@~[]!#|"), (WECOM, "<>`*@~[]!#|")],
    ids=["slack", "dingtalk", "feishu", "wecom"],
)
@given(text=anything)
def test_no_log_text_becomes_markup_or_a_mention(provider: Provider, marks: str, text: str) -> None:
    shown = json.loads(encode(PAYLOADS[provider](hostile(text))))
    plain = PAYLOADS[provider](hostile("x" + "\nx" * text.replace("\r\n", "\n").count("\n")))
    if "https://" not in text and "http://" not in text:
        assert structure(provider.text(shown), marks) == structure(provider.text(plain), marks)
        assert provider.text(shown).count("```") == provider.text(plain).count("```")
    for place in strings(shown):
        assert not re.search(r"<!|<@|<at|@(all|everyone|here|channel)|<https?://evil", place)
        assert "](https://evil" not in "".join(place.split("```")[::2])
        assert all(unicodedata.category(character)[0] != "C" for character in place if character != "\n")


@given(text=anything)
def test_nothing_in_a_page_controls_or_hides(text: str) -> None:
    for place in strings(json.loads(encode(pagerduty.payload(hostile(text))))):
        assert all(unicodedata.category(character)[0] != "C" for character in place if character != "\n")


def strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for part in value.items() for each in part for text in strings(each)]
    if isinstance(value, list):
        return [text for each in value for text in strings(each)]
    return [value] if isinstance(value, str) else []


@given(text=anything)
def test_a_chat_through_apprise_can_be_sent_no_structure_by_a_log(text: str) -> None:
    markup = markup_of("tgram://123456789:AAbbCCdd/12315544")
    title, shown = astuple(render(hostile(text), markup, escape_title=markup.escape))
    assert not set("<`*@~!#|") & set(title + shown)
    assert all(unicodedata.category(character)[0] != "C" for character in shown if character != "\n")


def test_a_mail_shows_a_log_as_it_is() -> None:
    shown = render(hostile("<module> a@b *x*"), markup_of("mailtos://a:b@smtp.example.com")).text
    assert "    | <module> a@b *x*" in shown


@pytest.mark.parametrize("text", ATTACKS)
def test_a_chat_through_apprise_is_sent_no_markup_and_no_mention(text: str, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/").respond_with_json({})
    APPRISE.receiver(httpserver.url_for("/")).send(hostile(text))
    body = httpserver.log[0][0].get_json()
    assert not set("<`*@~[]") & set(body["message"].replace("[FIRING]", ""))


@pytest.mark.parametrize("markup", [FENCED, QUOTING, slack.MRKDWN], ids=["fenced", "quoting", "mrkdwn"])
@given(text=st.text(max_size=30), url=st.one_of(st.text(max_size=40), st.just("https://a.example/x?y=1&z=(2)>[3] |")))
def test_a_link_cannot_be_left_by_its_address(markup: Markup, text: str, url: str) -> None:
    link = markup.link(text, url)
    if web_address(url) is None:
        assert "](" not in link
        assert "<" not in link
    else:
        assert re.fullmatch(r"\[[^\[\]]*\]\([^()<>\[\]\s]+\)|<[^<>|\s]+\|[^<>]*>", link)


def test_every_provider_has_a_fuzz_test() -> None:
    assert set(PROVIDERS) == {*PAYLOADS, APPRISE}
