"""What a recount compares with. On SQLite and on PostgreSQL."""

from __future__ import annotations

from faultline.adapters.database import Database
from faultline.model import LateCount
from tests.contracts.values import BUCKET, NOON, P0, P1, count, span


def test_counts_come_with_the_offsets_they_are_made_of(database: Database) -> None:
    database.record_counts([span(0, 10), span(0, 4, P1)], [count(3), count(2, bucket=1)])
    database.record_counts([span(10, 20)], [count(4), count(1, bucket=5)])
    database.record_counts([span(20, 35), span(4, 9, P1)], [count(6, bucket=5)])
    live = database.live_counts(["app-logs"], NOON, NOON + 2 * BUCKET)
    assert [(each.bucket_start, each.count) for each in live.counts] == [(NOON, 7), (NOON + BUCKET, 2)]
    assert live.reached == {P0: 20, P1: 4}
    assert live.positions == {P0: 35, P1: 9}


def test_other_topics_and_other_hours_are_left_out(database: Database) -> None:
    late = [LateCount("app-logs", NOON, 3), LateCount("app-logs", NOON - 360 * BUCKET, 1), LateCount("other", NOON, 9)]
    database.record_counts([span(0, 10)], [count(3)], late=late)
    live = database.live_counts(["app-logs"], NOON, NOON + 360 * BUCKET)
    assert (len(live.counts), live.late) == (1, (LateCount("app-logs", NOON, 3),))
    assert database.live_counts(["other"], NOON, NOON + BUCKET).positions == {}
