"""``faultline search`` as a user meets it: what it prints, byte by byte, and how it ends."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import uuid
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from rich.cells import cell_len
from typer.testing import CliRunner, Result

from faultline.adapters.delta import TopicTable
from faultline.cli import app
from faultline.testing.records import NOON, raw_table
from tests.archive.search.brute import append
from tests.processes import Started
from tests.servers import HdfsServer

HOSTILE = "card \x1b[2J\u202e refused\nrm -rf /"
RECORDS: Sequence[dict[str, str]] = [
    {"message": "started", "level": "info", "service": "checkout"},
    {"message": "Timeout after 5 ms", "level": "error", "service": "checkout", "exc_type": "TimeoutError"},
    {"message": "支付超时", "level": "critical", "service": "支付网关"},
    {"message": HOSTILE, "level": "warn", "service": "pay", "request_id": "7"},
]
DAY = ("--since", "2026-11-22")


def record(number: int, fields: dict[str, str]) -> bytes:
    at = (NOON + timedelta(minutes=20 * number)).isoformat()
    return json.dumps({"@timestamp": at, **fields}).encode()


VALUES = [*(record(number, fields) for number, fields in enumerate(RECORDS)), b"\xff\x9b not JSON"]


@pytest.fixture
def archived(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an archive of one topic, app-logs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FAULTLINE_ARCHIVE_URL", str(tmp_path / "archive"))
    monkeypatch.setenv("COLUMNS", "90")
    (tmp_path / "topics.yaml").write_text("topics: [{name: app-logs}, {name: web.logs}]")
    append(str(tmp_path / "archive"), raw_table(VALUES), "app-logs")
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ("search", *arguments))


def command(*arguments: str) -> list[str]:
    return [str(Path(sys.executable).with_name("faultline")), "search", *arguments]


def in_a_terminal(*arguments: str) -> str:
    """What a terminal of 90 columns is sent on stdout."""
    reader, writer = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color"}
    with Started(command(*arguments), stdout=writer, stderr=subprocess.DEVNULL, env=environment):
        os.close(writer)
        received = b""
        try:
            while block := os.read(reader, 65536):
                received += block
        except OSError:  # how Linux says that the other end is closed
            pass
    return received.decode()


def test_a_table_has_the_newest_first_and_is_aligned_behind_wide_characters(archived: Path) -> None:
    result = run(*DAY, "--format", "table")
    assert result.stdout.splitlines() == [
        "TIME (UTC)               LEVEL     SERVICE           MESSAGE",
        r"2026-11-22 13:00:00.000  WARNING   pay               card \x1b[2J\u202e refused\nrm -rf /",
        "2026-11-22 12:40:00.000  CRITICAL  支付网关          支付超时",
        "2026-11-22 12:20:00.000  ERROR     checkout          Timeout after 5 ms (TimeoutError)",
        "2026-11-22 12:00:00.000  -         -                 (not UTF-8: invalid start byte at byte 0)",
        "2026-11-22 12:00:00.000  INFO      checkout          started",
    ]


@pytest.mark.parametrize(
    ("query", "messages"),
    [
        ('level>=ERROR service=checkout "timeout"', ["Timeout after 5 ms"]),
        ("超时", ["支付超时"]),
        ("raw.request_id=7", [HOSTILE]),
        ("not level>=INFO", [None]),
        ("exception_type=~^Time or level=INFO", ["Timeout after 5 ms", "started"]),
    ],
)
def test_json_has_an_object_a_line_of_what_matches(archived: Path, query: str, messages: list[str | None]) -> None:
    result = run(query, *DAY)
    assert [json.loads(line).get("message") for line in result.stdout.splitlines()] == messages


def test_json_has_the_coordinates_and_bytes_and_nothing_a_terminal_obeys(archived: Path) -> None:
    lines = run(*DAY, "--format", "json").stdout.splitlines()
    newest, broken = json.loads(lines[0]), json.loads(lines[3])
    assert newest["timestamp"] == "2026-11-22T13:00:00Z"
    assert (newest["topic"], newest["kafka_partition"], newest["kafka_offset"]) == ("app-logs", 0, 3)
    assert (newest["raw"].encode(), broken["raw_base64"]) == (VALUES[3], "/5sgbm90IEpTT04=")
    assert not {"\x1b", "\u202e", "\x9b"} & set("".join(lines))


def test_raw_gives_back_the_exact_bytes(archived: Path) -> None:
    result = run(*DAY, "--format", "raw")
    assert result.stdout_bytes == b"".join(value + b"\n" for value in [*VALUES[3:0:-1], VALUES[4], VALUES[0]])


def test_times_choose(archived: Path) -> None:
    assert run("--since", "2026-11-22T12:20Z", "--until", "2026-11-22T14:00+01:00", "--count").stdout == "2\n"
    assert run("--since", "1s", "--count").stdout == "0\n"


def test_a_limit_says_that_it_ended_there(archived: Path) -> None:
    result = run(*DAY, "--limit", "2")
    assert len(result.stdout.splitlines()) == 2
    assert "These are the newest 2" in result.stderr


def test_nothing_found_is_said_and_is_no_fault(archived: Path) -> None:
    result = run("nowhere", *DAY)
    assert (result.exit_code, result.stdout, result.stderr.splitlines()) == (
        0,
        "",
        ["Nothing found since 2026-11-22 00:00:00.000 UTC."],
    )


def test_a_histogram_counts_by_time_and_level(archived: Path) -> None:
    when = ("--since", "2026-11-22T12:00", "--until", "2026-11-22T13:30", "--histogram", "30m")
    assert run(*when, "--format", "table").stdout.splitlines() == [
        f"2026-11-22 12:00:00  {'█' * 50} 3 (1 of ERROR and above)",
        f"2026-11-22 12:30:00  {'█' * 17} 1 (1 of ERROR and above)",
        f"2026-11-22 13:00:00  {'█' * 17} 1",
    ]
    [*_, last] = run(*when).stdout.splitlines()
    assert json.loads(last) == {"bucket_start": "2026-11-22T13:00:00Z", "level": "WARNING", "count": 1}


def test_sql_asks_all_topics_or_one_by_name(archived: Path) -> None:
    append(str(archived / "archive"), raw_table([record(0, RECORDS[0])]), "web.logs")
    counted = "select topic, count(*) as n from logs group by topic order by topic desc"
    words = run("--sql", counted, *DAY, "--format", "table").stdout.split()
    assert [word for word in words if "─" not in word] == ["topic", "n", "web.logs", "1", "app-logs", "5"]
    assert run("--sql", 'with w as (select * from "web.logs") select count(*) as n from w;').stdout == '{"n":1}\n'
    assert run("--sql", "select count(*) as n from logs", "--since", "1s").stdout == '{"n":0}\n'


@pytest.mark.parametrize(
    "statement",
    [
        "drop table logs",
        "insert into topic_0 select * from logs",
        "copy (select 1) to 'stolen.csv'",
        "select 1) ; create table x as (select 1",
        "create external table e stored as csv location 'topics.yaml'",
    ],
)
def test_sql_can_only_ask(archived: Path, statement: str) -> None:
    before = TopicTable.open(str(archived / "archive"), "app-logs").version
    result = run("--sql", statement)
    assert (result.exit_code, "PermanentError" in result.stderr) == (1, True)
    assert TopicTable.open(str(archived / "archive"), "app-logs").version == before
    assert not (archived / "stolen.csv").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("servicee=x",), "unknown field 'servicee'; did you mean 'service'?"),
        (("--since", "soon"), "not a time: 'soon'; expected a duration, such as 2h"),
        (("x", "--sql", "select 1"), "not together: query and sql"),
        (("--histogram", "often"), "--histogram: not a duration: 'often'"),
        (("--sql", "select 1", "--format", "raw"), "--format raw is for records"),
    ],
)
def test_a_wrong_call_says_what_is_expected(archived: Path, arguments: tuple[str, ...], said: str) -> None:
    result = CliRunner().invoke(app, ("search", *arguments), env={"COLUMNS": "200"})
    assert (result.exit_code, said in result.stderr) == (2, True), result.output


def test_a_table_that_is_not_there_is_named(archived: Path) -> None:
    missing = run("--topic", "web.logs")
    assert (missing.exit_code, f"there is no table at {archived}" in missing.stderr) == (1, True)
    (archived / "topics.yaml").write_text("topics: [{name: web.logs}]")
    assert "nothing is archived yet" in run().stderr


def test_storage_that_is_away_is_a_sentence(archived: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAULTLINE_ARCHIVE_URL", "hdfs://127.0.0.1:1/logs")
    result = run()
    assert (result.exit_code, "Connection refused" in result.stderr) == (1, True)
    assert isinstance(result.exception, SystemExit)


def test_hdfs_is_searched(archived: Path, hdfs: HdfsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"{hdfs.url}/{uuid.uuid4().hex[:12]}"
    append(url, raw_table(VALUES), "app-logs")
    here = run(*DAY, "--format", "raw").stdout_bytes
    monkeypatch.setenv("FAULTLINE_ARCHIVE_URL", url)
    assert run(*DAY, "--format", "raw").stdout_bytes == here != b""


def test_a_terminal_has_matches_marked_in_lines_that_fit(archived: Path) -> None:
    shown = in_a_terminal("timeout or refused", *DAY)
    assert "\x1b[7mTimeout\x1b[0m" in shown
    assert "\x1b[7mrefused\x1b[0m" in shown
    assert "\x1b[2J" not in shown
    plain = [line.split("\x1b") for line in shown.splitlines()]
    assert all(cell_len("".join(part.partition("m")[2] for part in parts[1:])) <= 90 for parts in plain)


def test_raw_is_escaped_in_a_terminal(archived: Path) -> None:
    shown = in_a_terminal(*DAY, "--format", "raw")
    assert r"\xff\x9b not JSON" in shown


def test_a_search_does_not_wait_for_pandas_to_be_imported(archived: Path) -> None:
    code = "import sys; from faultline.cli import app; app(standalone_mode=False); sys.exit('pandas' in sys.modules)"
    arguments = [sys.executable, "-c", code, "search", "level>=INFO timeout", *DAY, "--format", "table"]
    result = subprocess.run(arguments, capture_output=True, check=False)
    assert (result.returncode, b"Timeout after 5 ms" in result.stdout) == (0, True), result.stderr


def test_a_reader_that_goes_away_ends_the_search_quietly(archived: Path) -> None:
    append(str(archived / "archive"), raw_table([record(0, RECORDS[0])] * 20_000, start=5), "app-logs")
    with Started(command(*DAY), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as search:
        assert search.stdout is not None
        assert search.stderr is not None
        search.stdout.readline()
        search.stdout.close()
        assert (search.wait(), search.stderr.read()) == (0, b"")


def test_follow_gives_the_newest_then_each_new_record_once_and_ends_by_ctrl_c(archived: Path) -> None:
    url = str(archived / "archive")
    follow = command("checkout", *DAY, "--follow", "--limit", "1", "--format", "raw")
    with Started(follow, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as search:
        assert search.stdout is not None
        assert search.stderr is not None
        assert search.stdout.readline() == VALUES[1] + b"\n"
        late = [record(-100, RECORDS[0]), record(9, RECORDS[0]), record(9, RECORDS[3])]
        append(url, raw_table(late, start=5), "app-logs")
        assert [search.stdout.readline() for _ in range(2)] == [value + b"\n" for value in late[:2]]
        TopicTable.open(url, "app-logs")._table.optimize.compact()
        append(url, raw_table([record(10, RECORDS[0])], start=8), "app-logs")
        assert search.stdout.readline() == record(10, RECORDS[0]) + b"\n"
        search.send_signal(signal.SIGINT)
        assert (search.wait(), search.stdout.read(), search.stderr.read()) == (130, b"", b"Stopped.\n")
