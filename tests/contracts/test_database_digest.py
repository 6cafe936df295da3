"""What the database knows of an interval, for its digest. On SQLite and on PostgreSQL."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from faultline.adapters.database import Database
from faultline.alerting.alerts import Evaluation, Suppression
from faultline.digest import Uncounted, Undelivered
from faultline.dispatch.delivery import Delivery, DeliveryStatus, OutboxState, Outcome
from faultline.model import AlertKey, ErrorCount, FloodCount, Interval, Labels, LateCount
from tests.contracts.values import NOON, P0, SECOND, alert, count, evaluation, notification, span

HOUR = timedelta(hours=1)
INTERVAL = Interval(NOON, NOON + HOUR)
DEAD = Outcome(OutboxState.DEAD, Delivery(DeliveryStatus.PERMANENT, "404", "no_service"))


def error(number: int, minutes: float, *, level: str = "ERROR", fingerprint: str | None = "v1:a") -> ErrorCount:
    """So many records, of a bucket that starts so many minutes after noon."""
    moved = count(number, bucket=int(minutes * 6), level=level, sample=f"at {minutes:g}")
    return replace(moved, fingerprint=fingerprint)


def record(database: Database, *counts: ErrorCount) -> None:
    start = database.positions([P0])[P0] or 0
    database.record_counts([span(start, start + 1)], counts)


def test_errors_are_summed_in_parts_over_batches_and_back_over_the_interval_before(database: Database) -> None:
    record(database, error(1, 0), error(2, 2), error(7, 59.9, level="CRITICAL"), error(9, 60))
    record(database, error(4, 1), error(5, -0.5), error(6, -60), error(8, -61), error(99, 5, level="WARNING"))
    found = database.digest_facts(INTERVAL).errors
    assert sorted((each.labels["level"], each.part, each.count) for each in found) == [
        ("CRITICAL", 23, 7),
        ("ERROR", -24, 6),
        ("ERROR", -1, 5),
        ("ERROR", 0, 7),
    ]
    [first] = [each for each in found if each.part == 0]
    assert (first.fingerprint, first.first_ts, first.last_ts) == ("v1:a", NOON, NOON + 2 * 60 * SECOND + SECOND)


def test_a_label_that_only_looks_like_a_level_is_none(database: Database) -> None:
    record(database, replace(count(1), labels=Labels(topic="app-logs", service='"level":"ERROR"', level="INFO")))
    assert database.digest_facts(INTERVAL).errors == []


def test_what_was_seen_before_is_known(database: Database) -> None:
    record(database, error(1, -180, fingerprint="v1:old"), error(1, 5, fingerprint="v1:new"))
    facts = database.digest_facts(INTERVAL)
    assert (facts.known, facts.known_since) == ({"v1:old"}, NOON - 3 * HOUR)


def test_the_sample_is_the_earliest_record_s_of_the_interval(database: Database) -> None:
    record(database, error(1, -5), error(1, 9), error(1, 3), error(1, 4, fingerprint="v1:b"))
    kinds = {("app-logs", "v1:a"), ("app-logs", "v1:b"), ("app-logs", "v1:none")}
    assert database.digest_samples(INTERVAL, kinds) == {("app-logs", "v1:a"): "at 3", ("app-logs", "v1:b"): "at 4"}


def test_records_that_no_parser_understood_are_counted_by_topic(database: Database) -> None:
    broken = replace(count(3, parse_error="true"), fingerprint=None)
    record(database, broken, replace(broken, bucket_start=NOON + HOUR), count(5))
    assert database.digest_facts(INTERVAL).uncounted == [Uncounted("app-logs", unparsable=3)]


def test_records_that_came_too_late_are_counted_by_topic_and_hour(database: Database) -> None:
    late = [LateCount("app-logs", NOON, 4), LateCount("app-logs", NOON - HOUR, 9), LateCount("web", NOON, 1)]
    database.record_counts([span(0, 1)], [], late=late)
    assert database.digest_facts(INTERVAL).uncounted == [Uncounted("app-logs", late=4), Uncounted("web", late=1)]


def test_what_handlers_kept_back_is_counted_by_topic_and_hour_and_forgotten_with_the_counts(database: Database) -> None:
    for offset, number in enumerate((400, 30)):
        floods = [FloodCount("app-logs", NOON, number), FloodCount("app-logs", NOON - HOUR, 9)]
        database.record_counts([span(offset, offset + 1)], [], floods=floods)
    assert database.digest_facts(INTERVAL).uncounted == [Uncounted("app-logs", flooded=430)]
    database.prune(NOON + HOUR)
    assert database.digest_facts(INTERVAL).uncounted == []


def test_alerts_that_fired_are_counted_by_rule(database: Database) -> None:
    lease = database.acquire_lease("alerts", "test")
    fired = replace(alert(), key=AlertKey("DbDown", Labels(environment="prod")))
    made = evaluation(alerts=(fired,))
    step = replace(made.transitions[0], episode=fired.episode)
    database.record_evaluation(lease, replace(made, transitions=(step, step)))
    assert database.digest_facts(INTERVAL).fired == {"DbDown": 1}
    assert database.digest_facts(Interval(NOON + HOUR, NOON + 2 * HOUR)).fired == {}


def test_the_ledger_has_what_was_in_force_at_some_time_of_the_interval(database: Database) -> None:
    def row(episode: str, start: timedelta, end: timedelta | None) -> Suppression:
        key = AlertKey(episode, Labels())
        return Suppression(episode, 1, key, (), "0", NOON + start, None if end is None else NOON + end)

    rows = (
        row("over before", -2 * HOUR, -HOUR),
        row("began before", -2 * HOUR, HOUR / 2),
        row("goes on", HOUR / 2, None),
        row("begins after", HOUR, None),
    )
    lease = database.acquire_lease("alerts", "test")
    database.record_evaluation(lease, Evaluation(NOON, NOON, "0", (), (), (), rows))
    assert {each.episode for each in database.digest_facts(INTERVAL).ledger} == {"began before", "goes on"}


def test_messages_that_were_given_up_are_counted_by_target(database: Database) -> None:
    lease = database.acquire_lease("alerts", "test")
    pages = evaluation(notification(), notification(episode="e2"), notification(episode="e3"))
    database.record_evaluation(lease, pages, {"ops": ("chat",)})
    first, second, third = database.lease_due(NOON, HOUR, 10)
    database.record_delivery(first, DEAD, NOON + SECOND)
    database.record_delivery(second, DEAD, NOON + 2 * SECOND)
    database.record_delivery(third, DEAD, NOON + HOUR)
    assert database.digest_facts(INTERVAL).undelivered == [Undelivered("chat", 2, "404 no_service")]
