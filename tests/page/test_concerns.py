"""What of the pipeline is told to somebody, and how grave it is."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from faultline.adapters.database import Evaluated
from faultline.adapters.webhdfs import FolderUse, HdfsState
from faultline.archive.losses import DELETED
from faultline.archive.table import Loss
from faultline.digest import Uncounted
from faultline.dispatch.delivery import OutboxState
from faultline.errors import Fault
from faultline.model import OffsetRange
from faultline.page.concerns import Concern, concerns
from faultline.page.health import TopicHealth
from faultline.page.lags import Lag, Level, PartitionLag, TopicLag
from faultline.page.probes import Reading, Standing
from faultline.page.sources import AlertLane, Findings, Storage
from faultline.settings import Settings
from faultline.steps.archive_state import TopicState
from faultline.steps.counting_state import CountingState
from faultline.steps.hdfs_state import StorageState
from faultline.steps.kafka_state import KafkaState
from faultline.steps.proofs import Proof
from tests.contracts.values import NOON, P0

SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)
SETTINGS = Settings(allowed_lateness=30 * SECOND, stalled_after=600 * SECOND)
STATE = CountingState([], Evaluated(NOON, NOON, "0"), [], dict.fromkeys(OutboxState, 0), [])
LANE = AlertLane(STATE, None, [], None)
HDFS = HdfsState(False, 100, 10, 90, 3, 0, 0)
USE = FolderUse(5, 30, 90, 1000, 46, 1000)
GOOD = Lag(0, 0 * SECOND, Level.GOOD)
TOPIC = TopicHealth("app", None, (), None, None)


def found(lane: AlertLane | None = LANE, state: HdfsState = HDFS, use: FolderUse = USE) -> Findings:
    return Findings(
        Reading(Standing.ANSWERS, KafkaState()),
        Reading(Standing.ANSWERS, {}),
        Reading(Standing.ANSWERS, Storage(StorageState("/x", state, use), {}, {})),
        Reading(Standing.ANSWERS, lane),
    )


def told(findings: Findings, *topics: TopicHealth) -> list[tuple[str, Level]]:
    return [(each.what, each.level) for each in concerns(findings, topics, SETTINGS, NOON)]


def lane(**changed: object) -> AlertLane:
    """The lane with other values of its state, or of its own."""
    own = {name: changed.pop(name) for name in ("waiting_since", "uncounted") if name in changed}
    return replace(LANE, state=replace(STATE, **changed), **own)


def test_of_what_is_as_it_should_be_nothing_is_told() -> None:
    assert told(found(), TOPIC) == []


@pytest.mark.parametrize("standing", [Standing.SILENT, Standing.FAILED])
def test_a_source_that_does_not_answer_is_told_first_and_what_it_said(standing: Standing) -> None:
    away = replace(found(lane(uncounted=[Uncounted("app", late=3)])), kafka=Reading(standing, fault="gone"))
    first, second = concerns(away, [], SETTINGS, NOON)
    assert first == Concern(Level.BAD, f"kafka_{standing}", "sources", said="gone")
    assert second.what == "late"


def test_who_has_just_been_asked_is_not_told() -> None:
    asked: Reading[KafkaState] = Reading(Standing.ASKED)
    assert told(replace(found(None), kafka=asked)) == []


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"evaluated": None}, ("never_evaluated", Level.BAD)),
        ({"evaluated": Evaluated(NOON - 31 * SECOND, NOON, "0")}, ("evaluated_late", Level.WATCH)),
        ({"evaluated": Evaluated(NOON - HOUR, NOON, "0")}, ("evaluated_late", Level.BAD)),
        ({"faults": [Fault("rules.yaml", 3, "no")]}, ("faulty", Level.BAD)),
        ({"outbox": {**STATE.outbox, OutboxState.DEAD: 2}}, ("dead", Level.WATCH)),
        ({"waiting_since": NOON - HOUR}, ("waiting", Level.WATCH)),
        ({"uncounted": [Uncounted("app", unparsable=1)]}, ("unparsable", Level.WATCH)),
        ({"uncounted": [Uncounted("app", late=1)]}, ("late", Level.WATCH)),
    ],
    ids=str,
)
def test_of_the_alert_lane(changed: dict[str, object], expected: tuple[str, Level]) -> None:
    assert told(found(lane(**changed))) == [expected]


def test_what_handlers_kept_back_and_messages_that_wait_a_moment_are_as_they_should_be() -> None:
    assert told(found(lane(uncounted=[Uncounted("app", flooded=9)], waiting_since=NOON - 60 * SECOND))) == []


@pytest.mark.parametrize(
    ("state", "use", "expected"),
    [
        (replace(HDFS, safe_mode=True), USE, ("safe_mode", Level.BAD)),
        (replace(HDFS, used=90, remaining=10), USE, ("full", Level.BAD)),
        (replace(HDFS, dead_datanodes=1), USE, ("dead_datanodes", Level.WATCH)),
        (replace(HDFS, missing_replicas=4), USE, ("replicas", Level.WATCH)),
        (HDFS, replace(USE, stored=950), ("quota", Level.BAD)),
        (HDFS, replace(USE, names=950), ("quota", Level.BAD)),
    ],
    ids=str,
)
def test_of_hdfs(state: HdfsState, use: FolderUse, expected: tuple[str, Level]) -> None:
    assert told(found(state=state, use=use)) == [expected]


def test_a_folder_without_quotas_has_none_to_use_up() -> None:
    assert told(found(use=replace(USE, space_quota=None, name_quota=None))) == []


@pytest.mark.parametrize(
    ("counting", "archive", "expected"),
    [
        (Lag(9, HOUR, Level.BAD), GOOD, ("counting_behind", Level.BAD)),
        (Lag(9, None, Level.WATCH), GOOD, ("counting_unknown", Level.WATCH)),
        (Lag(9, HOUR, Level.WATCH, begun=False), GOOD, ("counting_not_begun", Level.WATCH)),
        (GOOD, Lag(9, 2 * HOUR, Level.WATCH), ("archive_behind", Level.WATCH)),
        (GOOD, Lag(9, None, Level.WATCH), ("archive_unknown", Level.WATCH)),
        (GOOD, Lag(9, 2 * HOUR, Level.WATCH, begun=False), ("archive_not_begun", Level.WATCH)),
        (GOOD, Lag(9, SECOND, Level.BAD, lost=True), ("archive_loss", Level.BAD)),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else None,
)
def test_of_a_topics_lag(counting: Lag, archive: Lag, expected: tuple[str, Level]) -> None:
    lag = TopicLag("app", (PartitionLag(0, 9, 0.0, counting, archive),), None)
    assert told(found(), replace(TOPIC, lag=lag)) == [expected]


def test_of_a_topics_table() -> None:
    loss = Loss(OffsetRange(P0, 3, 9), DELETED, NOON)
    table = TopicState("app", 1, 1, 1, 0, 0, (loss,), 0)
    proof = Proof(NOON, 1, 1, deep=False, kafka=True, found=2, faults=("a hole", "another"))
    first, second = concerns(found(), [replace(TOPIC, table=table, proof=proof)], SETTINGS, NOON)
    assert (first.what, first.level, first.said) == ("not_proven", Level.BAD, "a hole")
    assert (second.what, second.places) == ("lost", {"topic": "app", "n": 6})
    assert told(found(), replace(TOPIC, missing=True)) == [("missing", Level.WATCH)]
