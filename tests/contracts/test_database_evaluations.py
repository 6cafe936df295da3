"""An evaluation is written whole, by the holder of the lease, once. On SQLite and on PostgreSQL."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier

import pytest

from faultline.adapters.database import Database
from faultline.alerting.alerts import Sample, Term
from faultline.dispatch.delivery import OutboxState
from faultline.errors import Fault, Superseded
from faultline.model import AlertKey, AlertState, Labels
from tests.contracts.values import NOON, SECOND, alert, evaluation, notification


def test_a_new_holder_always_takes_over_with_a_greater_token(database: Database) -> None:
    first = database.acquire_lease("alerts", "run 1")
    second = database.acquire_lease("alerts", "run 2")
    assert second.token > first.token
    assert database.acquire_lease("other", "run 1").token == first.token


def test_everyone_who_takes_a_lease_at_once_gets_a_token_of_their_own(database_url: str, database: Database) -> None:
    start = Barrier(4)

    def take(number: int) -> int:
        with Database(database_url) as mine:
            start.wait()
            return mine.acquire_lease("alerts", f"run {number}").token

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(take, range(4))) == [1, 2, 3, 4]


def test_alerts_are_what_changed_over_what_was_remembered(database: Database) -> None:
    lease = database.acquire_lease("alerts", "run 1")
    down, failed = alert(), alert(AlertState.SUPPRESSED, rule="CheckoutFailed")
    database.record_evaluation(lease, evaluation(alerts=(failed, down)))
    assert sorted(database.alerts(), key=lambda found: found.key.rule) == [failed, down]
    down = replace(down, count=99, samples=(Sample("NUL \x00 数据库", "app-logs", 0, 7),))
    database.record_evaluation(lease, replace(evaluation(alerts=(down,)), forgotten=(failed.episode,)))
    assert database.alerts() == [down]
    database.record_evaluation(lease, evaluation(alerts=(failed,), at=NOON + 2 * SECOND))
    assert len(database.alerts()) == 2


def test_alerts_that_were_resolved_since_a_time_are_found_although_they_are_remembered_no_longer(
    database: Database,
) -> None:
    lease = database.acquire_lease("alerts", "run 1")
    over = replace(alert(AlertState.RESOLVED), ends_at=NOON + SECOND)
    withdrawn = alert(AlertState.INACTIVE, rule="Withdrawn")
    forgotten = (over.episode, withdrawn.episode)
    database.record_evaluation(lease, replace(evaluation(alerts=(over, withdrawn)), forgotten=forgotten))
    assert database.alerts() == []
    assert database.alerts(over_since=NOON + SECOND) == [over]
    assert database.alerts(over_since=NOON + 2 * SECOND) == []


def test_terms_and_the_rules_that_are_watched_are_kept(database: Database) -> None:
    lease = database.acquire_lease("alerts", "run 1")
    term = Term(AlertKey("NewService", Labels(service="数 \x00")), NOON, NOON, NOON - SECOND)
    database.record_evaluation(lease, replace(evaluation(), terms=(term,), watched=("NewService",)))
    later = replace(term, seen_at=NOON + SECOND)
    database.record_evaluation(lease, replace(evaluation(), terms=(later,)))
    assert database.terms(["NewService"]) == [later]
    assert database.terms(["Another"]) == []
    assert database.watched_rules() == {"NewService": NOON}


def test_the_watermark_of_the_last_evaluation_is_kept(database: Database) -> None:
    lease = database.acquire_lease("alerts", "run 1")
    assert database.evaluated("alerts") is None
    database.record_evaluation(lease, evaluation())
    successor = database.acquire_lease("alerts", "run 2")
    assert successor.token == lease.token + 1
    found = database.evaluated("alerts")
    assert found is not None
    assert (found.at, found.watermark, found.rules_hash) == (NOON, NOON - 30 * SECOND, "0" * 16)


def test_an_orphan_beside_its_successor_writes_nothing(database: Database) -> None:
    orphan = database.acquire_lease("alerts", "run 1")
    successor = database.acquire_lease("alerts", "run 2")
    database.record_evaluation(successor, evaluation(alerts=(alert(),)))
    with pytest.raises(Superseded, match="run 1 no longer holds 'alerts'"):
        database.record_evaluation(orphan, evaluation(notification(), alerts=()))
    assert database.alerts() == [alert()]
    assert database.outbox_summary()[OutboxState.QUEUED] == 0


def test_an_orphan_that_is_in_the_middle_makes_its_successor_wait_and_then_loses(
    database_url: str, database: Database
) -> None:
    orphan = database.acquire_lease("alerts", "run 1")
    with ThreadPoolExecutor(1) as pool:
        taken = []

        def take_over(step: str) -> None:
            if step == "evaluation:lease":
                taken.append(pool.submit(database.acquire_lease, "alerts", "run 2"))

        with Database(database_url, checkpoint=take_over) as slow:
            slow.record_evaluation(orphan, evaluation(notification()))
            assert taken[0].result().token == orphan.token + 1
            with pytest.raises(Superseded):
                slow.record_evaluation(orphan, evaluation(notification(sequence=2)))
    assert database.outbox_summary()[OutboxState.QUEUED] == 1


def test_a_notification_is_queued_once_per_target_however_often_it_is_recorded(database: Database) -> None:
    lease = database.acquire_lease("alerts", "run 1")
    targets = {"ops": ("ops/console", "ops/webhook/1"), "nobody": ()}
    for _ in range(2):
        database.record_evaluation(lease, evaluation(notification(), notification(receiver="nobody")), targets)
    assert database.outbox_summary()[OutboxState.QUEUED] == 2
    assert {row.target for row in database.recent_notifications()} == {"ops/console", "ops/webhook/1"}


def test_a_bad_edit_keeps_the_last_good_rules_and_shows_its_faults(database: Database) -> None:
    fault = Fault("rules.yaml", 7, "unknown field 'num_event'; did you mean 'num_events'?")
    assert database.last_good_rules("rules.yaml") is None
    database.record_rules("rules.yaml", "good", "1", [], NOON)
    database.record_rules("rules.yaml", "bad", "2", [fault, fault], NOON + SECOND)
    good = database.last_good_rules("rules.yaml")
    assert good is not None
    assert (good.text, good.hash, good.accepted_at) == ("good", "1", NOON)
    assert database.rule_faults() == [fault, fault]


def test_a_mended_file_clears_its_faults_and_an_older_text_can_come_back(database: Database) -> None:
    for second, (text, faults) in enumerate([("one", []), ("two", []), ("bad", [Fault("r", 1, "x")]), ("one", [])]):
        database.record_rules("rules.yaml", text, text, faults, NOON + second * SECOND)
    good = database.last_good_rules("rules.yaml")
    assert good is not None
    assert good.text == "one"
    assert database.rule_faults() == []
