"""Search on the page: what the archive has, where it is, and what is wrong; on a local archive and on real HDFS."""

from __future__ import annotations

import html
import json
import re
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import uvicorn
from fastapi import FastAPI
from fastapi.testclient import TestClient

from faultline.archive.search.files import SearchedTable
from faultline.archive.search.scan import Progress, Search, SearchStopped, search
from faultline.page.app import build_app
from faultline.page.searching import Busy, Searches
from faultline.page.views.search import LIMIT
from faultline.settings import Settings
from faultline.testing.records import NOON, raw_table
from tests.archive.search.brute import append
from tests.page.conftest import ACCESS, AT
from tests.page.test_injection import CORPUS, assert_harmless
from tests.page.test_now import words
from tests.servers import HdfsServer

MINUTE = timedelta(minutes=1)
NOT_JSON = b"\xff\x9b not JSON"


def record(at: datetime, message: str, **fields: str) -> bytes:
    return json.dumps({"@timestamp": at.isoformat(), "message": message, **fields}).encode()


VALUES: Sequence[bytes] = [
    record(NOON, "started", level="info", service="checkout"),
    record(NOON + 10 * MINUTE, "Timeout after 5 ms", level="error", service="checkout", exc_type="TimeoutError"),
    record(NOON + 20 * MINUTE, "支付超时", level="critical", service="pay"),
    NOT_JSON,
]


@pytest.fixture(params=["local", "hdfs"])
def archive(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "local":
        return str(tmp_path / "archive")
    return f"{request.getfixturevalue('hdfs').url}/{uuid.uuid4().hex[:12]}"


def browser_of(config: Settings, archive: str, topics: str = "[{name: app-logs}, {name: web-logs}]") -> TestClient:
    config.topics_file.write_text(f"topics: {topics}")
    outer = FastAPI()
    outer.mount("/faultline", build_app(ACCESS, lambda: config.model_copy(update={"archive_url": archive}), lambda: AT))
    return TestClient(outer, base_url="http://airflow.test/faultline", headers={"x-user": "reader"})


@pytest.fixture
def filled(config: Settings, archive: str) -> TestClient:
    """A browser of an archive with four records."""
    append(archive, raw_table(VALUES), "app-logs")
    return browser_of(config, archive)


@pytest.fixture
def local(config: Settings, tmp_path: Path) -> TestClient:
    append(str(tmp_path / "archive"), raw_table(VALUES), "app-logs")
    return browser_of(config, str(tmp_path / "archive"))


def asked(client: TestClient, status: int = 200, **query: object) -> str:
    answer = client.get("/search", params=query)  # type: ignore[arg-type]
    assert answer.status_code == status
    return answer.text


def messages(page: str) -> list[str]:
    return [words(each).replace(" ", "") for each in re.findall(r'<span class="message[^>]*>(.*?)</span>', page)]


def links(page: str, path: str) -> list[str]:
    found = re.findall(rf'href="/faultline({re.escape(path)}\?[^"]*)"', page)
    return [html.unescape(each) for each in found]


def test_what_matches_is_found_and_marked(filled: TestClient) -> None:
    page = asked(filled, q="level>=ERROR timeout", since="24h")
    assert messages(page) == ["Timeoutafter5ms(TimeoutError)"]
    assert "<mark>Timeout</mark> after 5 ms (<mark>Timeout</mark>Error)" in page
    assert "one record · 1 of 1 hours counted" in words(page)


def test_records_come_newest_first_and_are_counted_over_time(filled: TestClient) -> None:
    page = asked(filled, q="", since="2026-11-22T12:00")
    assert messages(page) == [
        "支付超时",
        "Timeoutafter5ms(TimeoutError)",
        "notUTF-8:invalidstartbyteatbyte0",
        "started",
    ]
    assert "4 matches" in words(page)
    assert "2026-11-22 12:10:00 – 2026-11-22 12:12:00: one record, one of ERROR and above" in words(page)


def test_a_bar_narrows_the_search_to_its_time(local: TestClient) -> None:
    page = asked(local, q="", since="2026-11-22T12:00", topic="app-logs")
    [bar] = [
        each for each in links(page, "/search") if "since=2026-11-22T12%3A10%3A00&until=2026-11-22T12%3A12" in each
    ]
    assert messages(local.get(bar).text) == ["Timeoutafter5ms(TimeoutError)"]
    assert "topic=app-logs" in bar


def test_pages_have_every_record_once_also_where_many_are_of_one_time(config: Settings, tmp_path: Path) -> None:
    count = 3 * LIMIT + 7
    values = [record(NOON + (number // 150) * MINUTE, f"number {number}") for number in range(count)]
    append(str(tmp_path / "archive"), raw_table(values), "app-logs")
    client = browser_of(config, str(tmp_path / "archive"))
    page, seen = asked(client, since="24h"), list[str]()
    assert f"the newest {LIMIT} records" in words(page)
    while True:
        seen += messages(page)
        following = re.search(r'rel="next" href="/faultline([^"]*)"', page)
        if not following:
            break
        page = client.get(html.unescape(following[1])).text
    assert sorted(seen) == sorted(f"number{number}" for number in range(count))


def test_without_a_question_nothing_is_searched_and_examples_are_shown(local: TestClient) -> None:
    page = asked(local)
    assert "records of one service" in words(page)
    for example in links(page, "/search"):
        assert 'role="alert"' not in local.get(example).text


@pytest.mark.parametrize(
    ("query", "said"),
    [
        (
            {"q": "level>=LOUD"},
            "not a level: &#39;LOUD&#39;; expected one of DEBUG, INFO, WARNING, ERROR, CRITICAL, at character 8",
        ),
        ({"q": "a ("}, "at character 4: a (<mark>␣</mark>"),
        ({"q": "a", "since": "soon"}, "not a time: &#39;soon&#39;; expected a duration"),
        ({"q": "a", "until": "soon"}, "not a time: &#39;soon&#39;; expected a duration"),
        ({"q": "a", "before": "x"}, "not a time: &#39;x&#39;"),
        ({"q": "a", "topic": "payments"}, "not an archived topic of"),
    ],
    ids=["level", "the end", "since", "until", "before", "topic"],
)
def test_what_is_wrong_is_said(local: TestClient, query: dict[str, str], said: str) -> None:
    page = asked(local, **query)
    shown = " ".join(re.sub(r"<(?!/?mark)[^>]+>", " ", page).split())
    assert said in shown
    assert messages(page) == []


def test_the_place_in_the_query_is_marked(local: TestClient) -> None:
    assert "service=支付 level&gt;=<mark>L</mark>OUD" in asked(local, q="service=支付 level>=LOUD")


def test_a_link_to_share_means_the_same_tomorrow(local: TestClient) -> None:
    page = asked(local, q='-"it\'s"', since="1h", topic="app-logs")
    ends = "since=2026-11-22T12%3A00%3A01&until=2026-11-22T13%3A00%3A01"
    assert any(ends in each for each in links(page, "/search"))
    assert "faultline search --since 2026-11-22T12:00:01" in words(page)
    assert """--topic app-logs -- '-"it'"'"'s"'""" in html.unescape(page)


def test_nothing_found_says_what_to_do(local: TestClient) -> None:
    assert "Nothing is like this. Go further back" in words(asked(local, q="nowhere"))


def test_an_archive_that_is_empty_is_said(config: Settings, tmp_path: Path) -> None:
    page = words(asked(browser_of(config, str(tmp_path / "none")), q="a"))
    assert "nothing is archived yet at" in page
    assert "The search failed." in page


def test_a_topics_file_that_is_missing_is_said(config: Settings, tmp_path: Path) -> None:
    client = browser_of(config, str(tmp_path))
    config.topics_file.unlink()
    assert "topics.yaml" in words(asked(client, q="a"))


def test_one_record_is_shown_in_full(filled: TestClient) -> None:
    [address] = links(asked(filled, q="TimeoutError"), "/search/record")
    page = words(filled.get(address).text)
    assert "ERROR 2026-11-22 12:10:00.000 UTC Timeout after 5 ms" in page
    assert "service checkout" in page
    assert "kafka_partition 0 kafka_offset 1" in page
    assert VALUES[1].decode() in html.unescape(page)
    assert (
        "faultline search &#39;kafka_topic_id=generation-1 kafka_partition=0 kafka_offset=1&#39;"
        " --since 2026-11-22T12:10:00 --until 2026-11-22T12:10:00.000001 --topic app-logs" in page
    )


def test_a_record_leads_to_those_around_it_and_to_the_same_error(local: TestClient) -> None:
    [address] = links(asked(local, q="TimeoutError"), "/search/record")
    ways = links(local.get(address).text, "/search")
    assert [messages(local.get(way).text) for way in ways] == 2 * [["Timeoutafter5ms(TimeoutError)"]]


def test_bytes_that_are_no_text_are_dumped_and_can_be_had_as_they_are(filled: TestClient) -> None:
    [address] = links(asked(filled, q="parse_error=~."), "/search/record")
    page = filled.get(address).text
    assert "ff 9b 20 6e 6f 74 20 4a 53 4f 4e" in page
    answer = filled.get(links(page, "/search/record/raw")[0])
    assert (answer.content, answer.headers["content-type"]) == (NOT_JSON, "application/octet-stream")
    assert answer.headers["content-disposition"] == 'attachment; filename="app-logs-0-3.log"'


@pytest.mark.parametrize(
    ("address", "status", "said"),
    [
        ("topic=app-logs&partition=0&offset=99", 404, "The archive has no record there."),
        ("topic=app-logs&partition=x", 422, "partition: Input should be a valid integer"),
        ("topic=app-logs&offset=99999999999999999999", 422, "not a whole number"),
        ("topic=app-logs&at=noon", 422, "not a time: &#39;noon&#39;"),
        ("topic=payments", 500, "not an archived topic of"),
    ],
    ids=["not there", "partition", "offset", "at", "topic"],
)
def test_a_record_that_cannot_be_shown_is_said(local: TestClient, address: str, status: int, said: str) -> None:
    answer = local.get(f"/search/record?{address}")
    assert (answer.status_code, said in words(answer.text)) == (status, True)


@pytest.mark.parametrize("text", CORPUS, ids=range(len(CORPUS)))
def test_no_record_becomes_markup(config: Settings, tmp_path: Path, text: str) -> None:
    values = [json.dumps({"message": text, "service": text, "level": text, "exc_info": text}).encode(), text.encode()]
    append(str(tmp_path / "archive"), raw_table(values, at=NOON), "app-logs")
    client = browser_of(config, str(tmp_path / "archive"))
    page = client.get("/search", params={"q": "raw=~.", "since": "24h"}).text
    assert_harmless(page)
    for address in links(page, "/search/record"):
        assert_harmless(client.get(address).text)


@pytest.mark.parametrize("text", CORPUS, ids=range(len(CORPUS)))
@pytest.mark.parametrize("name", ["q", "since", "until", "topic", "before", "skip"])
def test_no_part_of_a_searchs_address_becomes_markup(local: TestClient, name: str, text: str) -> None:
    assert_harmless(local.get("/search", params={name: text}).text)


@pytest.mark.parametrize("text", CORPUS, ids=range(len(CORPUS)))
@pytest.mark.parametrize("name", ["topic", "generation", "partition", "offset", "at"])
def test_no_part_of_a_records_address_becomes_markup(local: TestClient, name: str, text: str) -> None:
    assert_harmless(local.get("/search/record", params={"topic": "app-logs", "offset": 1, name: text}).text)


def test_who_comes_while_others_search_is_told(local: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    async def busy(*_: object) -> None:
        raise Busy("others are searching")

    monkeypatch.setattr(Searches, "begin", busy)
    answer = local.get("/search", params={"q": "a"})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert "Others are searching" in words(answer.text)
    assert local.get("/search/record", params={"topic": "app-logs"}).status_code == 503


def test_records_come_while_the_search_goes_on_and_it_ends_with_its_reader(
    config: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Progress] = []

    def slow(tables: Sequence[SearchedTable], wanted: Search, progress: Progress) -> Iterator[pa.Table]:
        yield from search(tables, wanted, progress)
        seen.append(progress)
        while not progress.stopped:
            time.sleep(0.01)
        raise SearchStopped("stopped")

    monkeypatch.setattr("faultline.page.searching.search", slow)
    append(str(tmp_path / "archive"), raw_table(VALUES), "app-logs")
    with served(browser_of(config, str(tmp_path / "archive")).app) as port:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as browser:
            browser.sendall(b"GET /faultline/search?q=timeout HTTP/1.1\r\nHost: a\r\nX-User: reader\r\n\r\n")
            received = b""
            while b"1 of 1 hours read" not in received:
                received += browser.recv(4096)
            assert b"<mark>Timeout</mark> after 5 ms" in received
            assert not seen[0].stopped
        assert becomes_true(lambda: seen[0].stopped)


@contextmanager
def served(app: Any) -> Iterator[int]:
    """The app behind a real server, on the port given."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()


def becomes_true(question: Callable[[], bool], seconds: float = 5) -> bool:
    """Whether it does before the time is over."""
    end = time.monotonic() + seconds
    while not question() and time.monotonic() < end:
        time.sleep(0.01)
    return question()


def test_an_archive_that_is_away_is_said(config: Settings, hdfs_server: HdfsServer) -> None:
    archive = f"{hdfs_server.url}/{uuid.uuid4().hex[:12]}"
    append(archive, raw_table(VALUES), "app-logs")
    client = browser_of(config, archive)
    hdfs_server.kill()
    began = time.monotonic()
    page = words(asked(client, q="a"))
    assert "The search failed." in page or "The storage of the archive does not answer." in page
    assert time.monotonic() - began < 25


def test_an_archive_that_does_not_answer_is_said(
    config: Settings, hdfs_server: HdfsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = f"{hdfs_server.url}/{uuid.uuid4().hex[:12]}"
    append(archive, raw_table(VALUES), "app-logs")
    monkeypatch.setattr("faultline.page.views.search.SILENCE", timedelta(seconds=2))
    monkeypatch.setattr("faultline.page.views.record.SILENCE", timedelta(seconds=2))
    client = browser_of(config, archive)
    hdfs_server.namenode.suspend()
    try:
        began = time.monotonic()
        assert "The storage of the archive does not answer. Is HDFS up?" in words(asked(client, q="a"))
        assert client.get("/search/record", params={"topic": "app-logs"}).status_code == 503
        assert time.monotonic() - began < 10
    finally:
        hdfs_server.namenode.resume()
