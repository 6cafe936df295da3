"""The faultline command as a user meets it: what it says when something is wrong, and its exit code."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, QueryBuilder, write_deltalake
from typer.testing import CliRunner, Result

from faultline.adapters.database import Database
from faultline.adapters.delta import TopicTable
from faultline.adapters.webhdfs import FolderUse, HdfsState
from faultline.alerting.alerts import Alert, Evaluation
from faultline.archive.losses import record_losses
from faultline.archive.table import Loss
from faultline.cli import app
from faultline.cli.archive_status import loss_lines
from faultline.cli.hdfs_status import state_lines, use_lines
from faultline.model import Ack, AlertKey, AlertState, Labels, LateCount, OffsetRange, TopicPartition
from faultline.records.decode import decode
from faultline.steps.archive_state import TopicState
from faultline.testing.records import raw_table
from faultline.topicfile import TopicConfig
from tests.servers import HdfsServer

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
PART = TopicPartition("app-logs", "generation-1", 0)
RULES = "groups: []\nroute: {receiver: ops}\nreceivers: [{name: ops}]\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to be in, and no Kafka."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FAULTLINE_KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    monkeypatch.delenv("FAULTLINE_DATABASE_URL", raising=False)
    return tmp_path


@pytest.fixture
def database() -> Iterator[Database]:
    """The database that the command finds without any setting."""
    with Database("sqlite:///faultline.db") as opened:
        opened.migrate()
        yield opened


def run(*arguments: str, **environment: str) -> Result:
    return CliRunner().invoke(app, arguments, env={f"FAULTLINE_{name}": value for name, value in environment.items()})


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("COUNT_BUCKET", "soon", "FAULTLINE_COUNT_BUCKET: not a duration: 'soon'"),
        ("COUNT_BUCKET", "0s", "FAULTLINE_COUNT_BUCKET: must be longer than 0"),
        ("KAFKA_PROPERTIES", "{bad", 'error parsing value for field "kafka_properties"'),
    ],
    ids=["no duration", "no width", "no JSON"],
)
def test_a_wrong_setting_is_named(setting: str, value: str, said: str) -> None:
    result = run("status", **{setting: value})
    assert (result.exit_code, said in result.output) == (2, True)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("sqlite:///faultline.db", "run faultline migrate first"),
        ("sqlite:///nowhere/faultline.db", "does its folder exist?"),
        ("mysql://host/name", "use SQLite (a file) or PostgreSQL"),
        ("postgresql://user:hidden@127.0.0.1:1/name", "Connection refused"),
        ("postgresql+psycopg9://user:hidden@127.0.0.1:1/name", "write postgresql+psycopg2://"),
    ],
    ids=["not migrated", "no folder", "not supported", "not there", "no such driver"],
)
def test_a_database_that_cannot_be_used_is_a_sentence(url: str, said: str) -> None:
    result = run("status", DATABASE_URL=url)
    assert result.exit_code == 1
    assert said in result.output
    assert "hidden" not in result.output
    assert isinstance(result.exception, SystemExit)


def test_check_names_every_fault_in_both_files(folder: Path) -> None:
    (folder / "topics.yaml").write_text("topics: [")
    result = run("check")
    assert result.exit_code == 1
    assert [line.split(" ")[0] for line in result.output.splitlines()] == ["rules.yaml:0:", "topics.yaml:1:"]


def test_check_names_the_line_of_a_pattern(folder: Path) -> None:
    (folder / "rules.yaml").write_text(RULES)
    (folder / "topics.yaml").write_text("topics:\n- name: app\n  format: text\n  patterns:\n  - (?P<level>x\n")
    result = run("check")
    assert (result.exit_code, "topics.yaml:5: topics.0.patterns.0: not RE2" in result.output) == (1, True)


NGINX_TOPIC = "topics: [{name: web, format: nginx, count_labels: [status]}]"
NGINX_LINE = '10.0.0.9 - - [22/Nov/2026:11:59:58 +0200] "GET /a HTTP/1.1" 502 5 "-" "curl"'


@pytest.mark.parametrize(
    ("lines", "code", "said"),
    [
        (NGINX_LINE, 0, ["2026-11-22 09:59:58.000000 UTC", "ERROR", "label.status 502", "1 records, 1 read"]),
        (f"{NGINX_LINE}\n\n[/red]\x1b[2J", 1, ["[/red]\\x1b[2J", "2 records, 1 read", "1 × not in nginx's combined"]),
        ("", 1, ["0 records, 0 read"]),
    ],
    ids=["read", "one is not", "nothing"],
)
def test_try_format_shows_what_becomes_of_a_line(folder: Path, lines: str, code: int, said: list[str]) -> None:
    (folder / "topics.yaml").write_text(NGINX_TOPIC)
    result = CliRunner().invoke(app, ["try-format", "web", "-"], input=lines)
    assert (result.exit_code, [each for each in said if each not in result.output]) == (code, [])


def test_try_format_takes_a_file_as_one_record(folder: Path) -> None:
    (folder / "topics.yaml").write_text("topics: [{name: text, format: text}]")
    (folder / "sample").write_text("ERROR no\nTraceback (most recent call last):\n  x\nKeyError: 1\n")
    result = run("try-format", "text", "sample", "--whole")
    assert (result.exit_code, "exception_type KeyError" in result.output) == (0, True)


def test_try_format_names_a_topic_it_does_not_know(folder: Path) -> None:
    (folder / "topics.yaml").write_text(NGINX_TOPIC)
    result = CliRunner().invoke(app, ["try-format", "wbe", "-"], input="x")
    assert (result.exit_code, "has no topic 'wbe'; did you mean 'web'?" in result.output) == (1, True)


def test_status_says_when_nothing_evaluates(database: Database) -> None:
    assert "No rule has ever been evaluated" in run("status").output


def test_status_says_how_hdfs_is(hdfs: HdfsServer, database: Database) -> None:
    TopicTable.open_or_create(f"{hdfs.url}/status", "app-logs")
    output = run("status", WEBHDFS_URL=hdfs.webhdfs, ARCHIVE_URL=f"{hdfs.url}/status", COLUMNS="200").output
    assert "HDFS: takes files; 3 DataNodes; " in output
    assert "Archive: 1 files, " in output


def test_status_goes_on_without_hdfs(database: Database) -> None:
    result = run("status", WEBHDFS_URL="http://127.0.0.1:1", COLUMNS="200")
    assert (result.exit_code, "HDFS: the NameNode at http://127.0.0.1:1 does not answer" in result.output) == (0, True)


STATES = {
    "safe mode": (HdfsState(True, 100, 10, 90, 3, 0, 0), "in safe mode"),
    "dead": (HdfsState(False, 100, 10, 90, 2, 1, 0), "[bold red]1 dead[/]"),
    "full": (HdfsState(False, 100, 95, 5, 3, 0, 0), "[bold red]95 bytes of 100 bytes used[/]"),
    "replicas": (HdfsState(False, 100, 10, 90, 3, 0, 7), "7 blocks have fewer replicas"),
}


@pytest.mark.parametrize(("state", "said"), STATES.values(), ids=STATES)
def test_what_is_wrong_with_hdfs_stands_out(state: HdfsState, said: str) -> None:
    assert said in "\n".join(state_lines(state))


def test_quotas_that_are_nearly_used_up_stand_out() -> None:
    lines = list(use_lines("/x", FolderUse(5, 30, 95, 100, 46, 50)))
    assert lines[1:] == [
        "Archive, space quota: [bold red]95 bytes of 100 bytes used[/]",
        "Archive, name quota: [bold red]46 of 50 names[/]",
    ]
    assert list(use_lines("/x", None)) == ["Archive: nothing in /x yet"]


def test_status_says_what_came_too_late_to_be_counted(database: Database) -> None:
    late = [LateCount("app-logs", NOON - timedelta(hours=hours), 1000) for hours in range(4)]
    database.record_counts([OffsetRange(PART, 0, 4000)], [], late=late)
    output = run("status", COLUMNS="200").output
    assert "app-logs: late_dropped 4,000: archived but not counted, because they came more than 30s after" in output
    assert "by hour (UTC): 2026-11-22 12:00 1,000, 2026-11-22 11:00 1,000, 2026-11-22 10:00 1,000 …" in output


def test_status_shows_hostile_labels_as_escapes(database: Database) -> None:
    key = AlertKey("DbDown", Labels(host="[red]\x1b[2J\u202edorp"))
    alert = Alert(key, AlertState.FIRING, key.labels, NOON)
    evaluation = Evaluation(NOON, None, "hash", (alert,), (), (), ())
    database.record_evaluation(database.acquire_lease("alerts", "test"), evaluation)
    output = run("status", COLUMNS="200").output
    assert "evaluated at 2026-11-22 12:00:00 UTC" in output
    assert not {"\x1b", "\u202e"} & set(output)


def test_status_says_who_has_taken_an_alert_on(database: Database) -> None:
    key = AlertKey("DbDown", Labels())
    acked = Alert(key, AlertState.ACKED, key.labels, NOON, ack=Ack("e1", "alice", NOON, "[red]\x1b[2J"))
    database.record_evaluation(
        database.acquire_lease("alerts", "test"), Evaluation(NOON, None, "hash", (acked,), (), (), ())
    )
    output = run("status", COLUMNS="200").output
    assert ("acknowledged" in output, r"[red]\x1b[2J" in output, "\x1b" in output) == (True, True, False)


def test_watch_ends_with_its_reason_when_someone_else_takes_over(folder: Path, database: Database) -> None:
    (folder / "rules.yaml").write_text(RULES)
    (folder / "topics.yaml").write_text("topics: []")

    def take_over() -> None:
        while database.evaluated("alerts") is None:
            pause.wait(0.05)
        database.acquire_lease("alerts", "successor")

    pause = threading.Event()
    successor = threading.Thread(target=take_over)
    successor.start()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    result = run("watch")
    for number, handler in before.items():
        signal.signal(number, handler)
    successor.join()
    assert result.exit_code == 1
    assert "no longer holds 'alerts'" in result.output


@pytest.fixture
def archived(folder: Path) -> str:
    """The URL of an archive in which app-logs has four records."""
    (folder / "topics.yaml").write_text("topics: [{name: app-logs}]")
    table = TopicTable.open_or_create(str(folder / "archive"), "app-logs")
    events = decode(raw_table([b"{}"] * 4), TopicConfig(name="app-logs"), event_time_span=timedelta(days=7))
    table.append(events, [OffsetRange(TopicPartition("app-logs", "generation-1", 0), 0, 4)])
    return str(folder / "archive")


def test_status_shows_the_tables_and_what_is_lost(archived: str, database: Database) -> None:
    table = TopicTable.open(archived, "app-logs")
    record_losses(table, [OffsetRange(PART, 6, 7)], reason="deleted too early", at=NOON)
    result = run("status", ARCHIVE_URL=archived, COLUMNS="200")
    [row] = [line for line in result.output.splitlines() if line.startswith("│ app-logs")]
    assert [cell.strip() for cell in row.strip("│").split("│")][3:] == ["1", "1", "1", "3"]
    assert "lost app-logs/0[4, 7) (3 offsets): deleted too early; noted 2026-11-22 12:00:00 UTC" in result.output


def test_status_says_where_to_see_what_it_does_not_show() -> None:
    losses = tuple(Loss(OffsetRange(PART, n, n + 1), "gone", NOON) for n in range(7))
    lines = list(loss_lines(TopicState("app-logs", 1, 1, 1, 0, 0, losses, 400)))
    assert lines[-2:] == [
        "app-logs: 2 older losses: see faultline verify --topic app-logs",
        "app-logs: for losses of the 400 commits before these: see faultline verify --topic app-logs",
    ]
    assert len(lines) == 7


def test_status_goes_on_without_the_archive(folder: Path, database: Database) -> None:
    (folder / "topics.yaml").write_text("topics: [{name: app-logs}]")
    result = run("status", ARCHIVE_URL="hdfs://127.0.0.1:1/archive", COLUMNS="200")
    assert (result.exit_code, "Archive: " in result.output) == (0, True)


def lose_a_row(table: DeltaTable) -> None:
    table.delete("kafka_offset = 2")


def double_a_row(table: DeltaTable) -> None:
    rows = pa.table(QueryBuilder().register("logs", table).execute("SELECT * FROM logs WHERE kafka_offset = 1"))
    write_deltalake(table, rows, mode="append")


@pytest.mark.parametrize(
    ("harm", "code", "said"),
    [
        (lambda table: None, 0, "Every archived offset once, no hole."),
        (lose_a_row, 1, "app-logs/0[2, 3)"),
        (double_a_row, 1, "app-logs/0[1, 2)"),
    ],
    ids=["nobody touched it", "a row is gone", "a row is there twice"],
)
def test_verify_names_the_exact_ranges_and_exits_1(
    archived: str, harm: Callable[[DeltaTable], None], code: int, said: str
) -> None:
    harm(DeltaTable(f"{archived}/app-logs"))
    result = run("verify", "--offline", ARCHIVE_URL=archived)
    assert (result.exit_code, said in result.output) == (code, True), result.output


def test_verify_speaks_json(archived: str) -> None:
    lose_a_row(DeltaTable(f"{archived}/app-logs"))
    result = run("verify", "--offline", "--deep", "--format", "json", ARCHIVE_URL=archived)
    [report] = json.loads(result.stdout)
    assert result.exit_code == 1
    assert (report["ok"], report["rows"], [fault["kind"] for fault in report["faults"]]) == (False, 3, ["missing row"])


def test_verify_lists_what_is_lost_and_what_is_explained(archived: str) -> None:
    table = TopicTable.open(archived, "app-logs")
    part = TopicPartition("app-logs", "generation-1", 0)
    table.commit((), [OffsetRange(part, 4, 9)], [OffsetRange(part, 4, 9)])
    record_losses(table, [OffsetRange(part, 9, 12)], reason="deleted too early", at=NOON)
    result = run("verify", "--offline", ARCHIVE_URL=archived, COLUMNS="200")
    assert result.exit_code == 0
    assert "explained, app-logs/0: [4, 9)" in result.output
    assert "lost app-logs/0[9, 12) (3 offsets): deleted too early; noted 2026-11-22 12:00:00 UTC" in result.output
    assert "3 offsets are written down as lost." in result.output


def test_verify_takes_a_duration(archived: str) -> None:
    assert run("verify", "--offline", "--since", "2h", ARCHIVE_URL=archived).exit_code == 0
    result = run("verify", "--offline", "--since", "lately", ARCHIVE_URL=archived)
    assert (result.exit_code, "not a duration" in result.output) == (2, True)


def test_verify_of_an_empty_archive_does_not_boast(folder: Path) -> None:
    (folder / "topics.yaml").write_text("topics: [{name: app-logs}]")
    TopicTable.open_or_create(str(folder / "archive"), "app-logs")
    result = run("verify", "--offline", ARCHIVE_URL=str(folder / "archive"))
    assert (result.exit_code, "Nothing is archived yet." in result.output) == (0, True)


def test_compact_says_what_there_is_to_do_and_does_it(folder: Path, kafka: str) -> None:
    (folder / "topics.yaml").write_text("topics: [{name: app}]")
    table = TopicTable.open_or_create(str(folder / "archive"), "app")
    part = TopicPartition("app", "generation-1", 0)
    for number in range(3):
        events = decode(raw_table([b"{}"], start=number), TopicConfig(name="app"), event_time_span=timedelta(days=7))
        table.append(events, [OffsetRange(part, number, number + 1)])
    where = {"ARCHIVE_URL": str(folder / "archive"), "KAFKA_BOOTSTRAP_SERVERS": kafka}
    assert "3 of 3" in run("compact", "--dry-run", **where).stdout
    assert len(TopicTable.open(where["ARCHIVE_URL"], "app").files()) == 3
    result = run("compact", "--since", "2026-11-22T00:00", "--until", "2026-11-23", **where)
    assert (result.exit_code, "3 files became 1" in result.stdout) == (0, True), result.output
    assert "0 files became" not in run("compact", **where).stdout


def test_compact_refuses_what_is_no_time() -> None:
    result = run("compact", "--since", "noonish")
    assert (result.exit_code, "ISO 8601" in result.output) == (2, True)
