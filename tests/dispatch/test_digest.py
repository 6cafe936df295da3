"""A digest: what goes in, in which order, how much of it; and what a person reads of it, in any markup."""

from __future__ import annotations

import json
import struct
import unicodedata
import zlib
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultline.alerting.alerts import Cause, MuteReason, Suppression
from faultline.digest import Digest, Undelivered
from faultline.dispatch.digest import MOST_DARK, PARTS, ErrorSum, Facts, bounds, plan_digest, with_samples
from faultline.dispatch.digest.page import for_file
from faultline.dispatch.digest.pictures import HEIGHT, WIDTH, bars, sparkline
from faultline.dispatch.http import encode
from faultline.dispatch.messages import render
from faultline.dispatch.receivers import dingtalk, feishu, pagerduty, slack, webhook, wecom
from faultline.dispatch.style import Language, Style
from faultline.dispatch.text import size
from faultline.model import AlertKey, Interval, Labels, Notification
from faultline.steps.digest import as_notification
from tests.contracts.values import NOON, SECOND
from tests.dispatch.providers import DINGTALK, FEISHU, SLACK, WECOM, Provider
from tests.dispatch.test_payloads import anything, strings, structure

HOUR = timedelta(hours=1)
DAY = Interval(NOON, NOON + 24 * HOUR)


def errors(
    fingerprint: str = "v1:a", *, part: int = 0, count: int = 1, level: str = "ERROR", **labels: str
) -> ErrorSum:
    """Errors of the hour of that number after noon."""
    at = NOON + part * HOUR
    named = Labels({"topic": "app", "service": "cart", "level": level, **labels})
    return ErrorSum(named, fingerprint, part, count, at, at + SECOND)


def kept_quiet(
    episode: str, reason: MuteReason = MuteReason.CHAIN, *, cause: str = "", count: int = 10, sequence: int = 1
) -> Suppression:
    causes = (Cause(AlertKey(cause, Labels()), cause, (cause, episode)),) if cause else ()
    return Suppression(episode, sequence, AlertKey(episode, Labels()), causes, "0", NOON, None, count, reason=reason)


def plan(*sums: ErrorSum, top: int = 10, **facts: Any) -> Digest:
    return plan_digest(DAY, Facts(sums, known_since=NOON - 7 * 24 * HOUR, **facts), top=top)


def test_errors_are_summed_by_service_and_fingerprint_the_most_frequent_first() -> None:
    digest = plan(
        errors("v1:a", host="h1", exception_type="KeyError"),
        errors("v1:a", part=23, count=4, host="h2", level="CRITICAL"),
        errors("v1:a", part=-1, count=9),
        errors("v1:b", part=2, count=7),
        errors("v1:a", service="pay", count=2),
    )
    assert [(each.service, each.fingerprint, each.count, each.before) for each in digest.top] == [
        ("cart", "v1:b", 7, 0),
        ("cart", "v1:a", 5, 9),
        ("pay", "v1:a", 2, 0),
    ]
    first = digest.top[1]
    assert (first.level, first.exception_type, first.hosts) == ("CRITICAL", "KeyError", 2)
    assert (first.first_seen, first.last_seen) == (NOON, NOON + 23 * HOUR + SECOND)
    assert (first.series[0], first.series[23], sum(first.series)) == (1, 4, 5)
    assert (digest.errors, digest.errors_before, sum(digest.series), sum(digest.series_before)) == (14, 9, 14, 9)


def test_what_happened_only_before_is_compared_and_not_listed() -> None:
    digest = plan(errors(part=-3, count=5))
    assert (digest.errors, digest.errors_before, digest.top, digest.new) == (0, 5, (), ())


def test_new_is_what_was_never_seen_and_nothing_is_while_nothing_older_is_known() -> None:
    found = (errors("v1:old"), errors("v1:new", count=2))
    digest = plan(*found, known={"v1:old"})
    assert ([each.fingerprint for each in digest.new], digest.known_since) == (["v1:new"], NOON - 7 * 24 * HOUR)
    begun = plan_digest(DAY, Facts(found, known_since=NOON), top=10)
    assert (begun.new, begun.known_since) == ((), None)
    assert "What is new cannot be said" in render(as_notification(begun, "ops", NOON)).text


def test_lists_are_cut_and_say_what_they_left_out() -> None:
    digest = plan(*(errors(f"v1:{number}", count=number + 1) for number in range(12)), top=5)
    assert [each.count for each in digest.top] == [each.count for each in digest.new] == [12, 11, 10, 9, 8]
    assert (digest.more_kinds, digest.more_new, digest.news) == (7, 7, 12)
    text = render(as_notification(digest, "ops", NOON)).text
    assert "and 7 more kinds" in text


def test_an_episode_that_was_kept_quiet_twice_is_one_alert() -> None:
    digest = plan(ledger=[kept_quiet("a", count=3), kept_quiet("a", count=8, sequence=2), kept_quiet("b", count=1)])
    assert [(each.reason, each.alerts, each.records) for each in digest.quiet] == [("chain", 2, 9)]


def test_a_silenced_root_with_effects_is_dark_and_one_without_is_not() -> None:
    digest = plan(
        ledger=[
            kept_quiet("Db", MuteReason.SILENCE, count=5),
            kept_quiet("Cart", cause="Db", count=7),
            kept_quiet("Pay", cause="Db", count=2),
            kept_quiet("Alone", MuteReason.MUTE_TIME, count=100),
            kept_quiet("Leaf", cause="Loud", count=9),
        ]
    )
    assert [(each.root, each.reason, each.effects, each.records) for each in digest.dark] == [("Db", "silence", 2, 14)]


def test_what_was_told_of_before_it_was_silenced_is_neither_quiet_nor_dark() -> None:
    told = replace(kept_quiet("Db", MuteReason.SILENCE), told=True)
    digest = plan(ledger=[told, kept_quiet("Cart", cause="Db", count=7)])
    assert [each.reason for each in digest.quiet] == ["chain"]
    assert digest.dark == ()


def test_the_darkest_come_first_and_the_rest_is_counted() -> None:
    roots = [kept_quiet(f"r{number:02}", MuteReason.SILENCE, count=number) for number in range(MOST_DARK + 3)]
    effects = [kept_quiet(f"e{number:02}", cause=f"r{number:02}", count=0) for number in range(MOST_DARK + 3)]
    digest = plan(ledger=[*roots, *effects])
    assert (digest.dark[0].root, len(digest.dark), digest.more_dark) == ("r12", MOST_DARK, 3)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(-PARTS, PARTS - 1), st.integers(1, 99)), max_size=40))
def test_every_error_is_in_the_digest_once(found: list[tuple[str, int, int]]) -> None:
    sums = [errors(name, part=part, count=count) for name, part, count in found]
    digest = plan(*sums, top=2)
    assert digest.errors == sum(count for _, part, count in found if part >= 0)
    assert digest.errors_before == sum(count for _, part, count in found if part < 0)
    kinds = {name for name, part, _ in found if part >= 0}
    assert len(digest.top) + digest.more_kinds == len(kinds)
    assert all(sum(each.series) == each.count for each in digest.top)
    assert plan(*reversed(sums), top=2) == digest


def test_the_parts_of_two_intervals_are_equal_and_meet_at_the_start() -> None:
    edges = bounds(DAY)
    assert (edges[0], edges[PARTS], edges[-1]) == (NOON - 24 * HOUR, NOON, NOON + 24 * HOUR)
    assert {later - earlier for earlier, later in pairwise(edges)} == {HOUR}


@pytest.mark.parametrize(
    ("series", "line"), [((), ""), ((0, 0), "▁▁"), ((0, 1, 7), "▁▂█"), ((1, 1_000_000), "▂█")], ids=str
)
def test_a_sparkline_shows_nothing_as_nothing_and_anything_as_something(series: tuple[int, ...], line: str) -> None:
    assert sparkline(series) == line


def test_the_picture_is_a_png_with_a_red_bar_in_front_of_a_grey_one() -> None:
    pixels = decoded(bars((0, 4), (8, 0)))
    assert pixels.shape == (HEIGHT, WIDTH, 3)
    grey, red = pixels[HEIGHT // 4, WIDTH // 4], pixels[HEIGHT * 3 // 4, WIDTH * 3 // 4]
    assert (tuple(grey), tuple(red)) == ((0xD0, 0xD4, 0xDA), (0xD6, 0x45, 0x45))
    assert tuple(pixels[HEIGHT // 4, WIDTH * 3 // 4]) == (255, 255, 255)


def decoded(png: bytes) -> Any:
    """The pixels of a PNG as written here; every checksum is right."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    at, parts, data = 8, {}, b""
    while at < len(png):
        length, kind = struct.unpack(">I4s", png[at : at + 8])
        data = png[at + 8 : at + 8 + length]
        assert struct.unpack(">I", png[at + 8 + length : at + 12 + length])[0] == zlib.crc32(kind + data)
        parts[kind], at = data, at + 12 + length
    width, height = struct.unpack(">II", parts[b"IHDR"][:8])
    rows = np.frombuffer(zlib.decompress(parts[b"IDAT"]), np.uint8).reshape(height, 1 + 3 * width)
    assert not rows[:, 0].any()
    return rows[:, 1:].reshape(height, width, 3)


def whole(text: str = "connection to db-7 timed out", entries: int = 3) -> Notification:
    """A digest with something of everything, and the text wherever a log, a rule or a provider could put one."""
    digest = plan(
        *(
            errors(f"v1:{number}", count=max(9 - number, 1), service=text or "cart", exception_type=text)
            for number in range(entries)
        ),
        errors("v1:old", part=-1),
        known={"v1:0"},
        ledger=[kept_quiet(f"Db{text}", MuteReason.SILENCE), kept_quiet("Cart", cause=f"Db{text}")],
        fired={f"DbDown{text}": 3},
        undelivered=[Undelivered("ops/slack/1", 2, text)],
    )
    samples = {("app", f"v1:{number}"): text for number in range(entries)}
    return as_notification(with_samples(digest, samples), "ops", NOON)


ENGLISH = """24 errors, 1 in the 1d before █▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁
alerts that fired: DbDownboom 3
most frequent:
  - 9 (0 before) █▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁ boom boom: boom
  - 8 (0 before, new) █▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁ boom boom: boom
  - 7 (0 before, new) █▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁ boom boom: boom
new, never seen since 2026-11-15 12:00:00:
  - 8 since 12:00:00 boom boom: boom
  - 7 since 12:00:00 boom boom: boom
kept quiet: 1 alert by chains (10 records), 1 alert by silences (10 records)
dark, with effects that nobody was told of either:
  - Dbboom, silenced, explains 1: 20 records
given up: 2 messages to ops/slack/1: boom
id: digest:20261122T120000Z-20261123T120000Z-ops-digest-1"""


def test_a_digest_reads_like_this() -> None:
    message = render(whole("boom"))
    assert message.title == "[DIGEST] 24 errors, 2 new, 2 undelivered · 2026-11-22 12:00 – 2026-11-23 12:00 UTC"
    assert message.text == ENGLISH


def test_the_same_in_chinese_with_a_link() -> None:
    message = render(whole("boom"), style=Style("zh", ui_url="https://airflow.example/plugin/faultline"))
    lines = message.text.splitlines()
    assert message.title == "[摘要] 24 个错误，2 种新出现，2 条消息未送达 · 2026-11-22 12:00 – 2026-11-23 12:00（UTC）"
    assert lines[0].startswith("24 个错误，前 1d 为 1 个 █▁")
    assert "触发的告警：DbDownboom 3 次" in lines
    assert "未通知：因果链 1 个（10 条记录），静默 1 个（10 条记录）" in lines
    assert "Faultline: https://airflow.example/plugin/faultline/" in lines
    assert len(lines) == len(ENGLISH.splitlines()) + 1


def test_nothing_to_tell_is_told() -> None:
    assert render(as_notification(plan(), "ops", NOON)).text.splitlines()[1] == (
        "No errors, no alerts, and every message got through."
    )


def test_the_templates_of_a_channel_are_for_alerts_and_leave_a_digest_alone() -> None:
    assert render(whole("boom"), style=Style(title="{{ name }}", text="{{ count }}")).text == ENGLISH


@pytest.mark.parametrize(
    ("provider", "payload", "marks"),
    [
        (SLACK, slack.payload, "<>`*@~"),
        (DINGTALK, dingtalk.payload, "<>`*@~[]!#|"),
        (FEISHU, feishu.payload, "<>`*@~[]!#|"),
        (WECOM, wecom.payload, "<>`*@~[]!#|"),
    ],
    ids=["slack", "dingtalk", "feishu", "wecom"],
)
@given(text=anything)
def test_no_log_text_in_a_digest_becomes_markup_or_a_mention(
    provider: Provider, payload: Any, marks: str, text: str
) -> None:
    shown, plain = json.loads(encode(payload(whole(text)))), payload(whole("x"))
    if "://" not in text:
        assert structure(provider.text(shown), marks) == structure(provider.text(plain), marks)
    for place in strings(shown):
        assert "<!" not in place
        assert "<@" not in place
        assert all(unicodedata.category(character)[0] != "C" for character in place if character != "\n")


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize(
    ("payload", "read", "limit"),
    [
        (slack.payload, SLACK.text, 3000),
        (wecom.payload, WECOM.text, 4096),
        (dingtalk.payload, DINGTALK.text, 9000),
        (feishu.payload, FEISHU.text, 9000),
    ],
    ids=["slack", "wecom", "dingtalk", "feishu"],
)
def test_a_digest_keeps_to_the_limit_by_leaving_entries_out(
    payload: Any, read: Any, limit: int, language: Language
) -> None:
    text = read(payload(whole("数据库" * 300, entries=20), Style(language)))
    assert size(text.replace("  \n", "\n")) <= limit
    assert text.rstrip().endswith("digest-1")


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, tuple[str, ...]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, tuple(name for name, _ in attrs)))


def tags(html: str) -> list[tuple[str, tuple[str, ...]]]:
    parser = _Tags()
    parser.feed(html)
    return parser.found


@pytest.mark.parametrize("language", ["en", "zh"])
@given(text=st.one_of(anything, st.sampled_from(['"><img src=x onerror=alert(1)>', "</title><script>", "' onload='x"])))
def test_no_log_text_becomes_html(language: Language, text: str) -> None:
    html = for_file(whole(text), Style(language))
    assert tags(html) == tags(for_file(whole("x"), Style(language)))
    shown = html.replace("\n", "")
    assert all(unicodedata.category(character)[0] != "C" for character in shown)


def test_a_file_needs_nothing_from_anywhere() -> None:
    html = for_file(whole(), Style(ui_url="javascript:alert(1)"))
    assert 'src="data:image/png;base64,' in html
    assert "http" not in html
    assert "javascript" not in html


def test_a_program_that_knows_alertmanager_sees_what_is_over_and_the_digest_beside_it() -> None:
    body = json.loads(encode(webhook.payload(whole("boom"))))
    assert (body["status"], body["kind"], body["alerts"][0]["labels"]) == (
        "resolved",
        "digest",
        {"alertname": "Digest"},
    )
    assert (body["digest"]["errors"], body["digest"]["top"][0]["sample"]) == (24, "boom")


def test_a_digest_opens_no_incident() -> None:
    assert pagerduty.payload(whole())["event_action"] == "resolve"
