"""Pages get their context from the counts; what is not a page gets none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from faultline.adapters.database import Database
from faultline.alerting.rules import load_rules
from faultline.model import AlertKey, Context, Kind, Labels, NotificationKind
from faultline.steps.contexts import with_contexts
from tests.contracts.values import BUCKET, NOON, P0, count, evaluation, notification, span

RULES = load_rules("""
groups:
- {name: shop, rules: [{alert: DbDown, query_key: [environment], num_events: 5, timeframe: 1m}]}
route: {receiver: ops}
receivers: [{name: ops}]
""")
WEEK = timedelta(days=7)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """Six errors in the hour before noon, one after it, and two a week before."""
    with Database(database_url) as opened:
        opened.migrate()
        week = int(WEEK / BUCKET)
        counts = [
            count(4, bucket=-6, environment="prod", host="db-1"),
            count(2, bucket=-360, environment="prod", host="db-2"),
            count(9, bucket=-361, environment="prod"),
            count(1, environment="prod"),
            count(2, bucket=-week - 6, environment="prod"),
        ]
        opened.record_counts([span(0, 1)], counts)
        yield opened


def contexts(database: Database, *kinds: NotificationKind) -> list[Context | None]:
    made = with_contexts(database, RULES, evaluation(*(notification(kind) for kind in kinds)))
    return [each.alert.context for each in made.notifications]


def test_a_page_has_the_hour_before_it_and_the_same_hour_of_a_week_ago(database: Database) -> None:
    [context] = contexts(database, NotificationKind.FIRING)
    assert context == Context(6, None, (Kind("v1:0123456789ab", 6, "boom"),), 0, (("db-1", 4), ("db-2", 2)))
    longer = count(1, bucket=-int(WEEK / BUCKET) - 400, environment="prod")
    database.record_counts([span(1, 2)], [longer])
    [known] = contexts(database, NotificationKind.FIRING)
    assert known is not None
    assert known.week_before == 2


def test_every_page_of_a_storm_has_one(database: Database) -> None:
    page = notification()
    keys = [AlertKey("DbDown", Labels(environment=f"e{number}")) for number in range(200)]
    pages = [replace(page, alert=replace(page.alert, alert=key)) for key in (*keys, page.alert.alert)]
    found = [each.alert.context for each in with_contexts(database, RULES, evaluation(*pages)).notifications]
    assert {each.count if each else None for each in found[:-1]} == {0}
    assert found[-1] is not None
    assert found[-1].count == 6


def test_what_is_no_page_has_none_and_nothing_is_read_for_it(database: Database) -> None:
    assert contexts(database, NotificationKind.UPDATE, NotificationKind.RESOLVED) == [None, None]
    assert contexts(database, NotificationKind.RESOLVED, NotificationKind.PERSISTS)[0] is None


def test_an_alert_whose_rule_is_gone_has_none(database: Database) -> None:
    empty = load_rules("{groups: [], route: {receiver: ops}, receivers: [{name: ops}]}")
    [told] = with_contexts(database, empty, evaluation(notification())).notifications
    assert (told.alert.alert, told.alert.context) == (AlertKey("DbDown", Labels(environment="prod")), None)


def test_a_context_survives_the_outbox(database: Database) -> None:
    made = with_contexts(database, RULES, evaluation(notification()))
    database.record_evaluation(database.acquire_lease("alerts", "test"), made)
    [leased] = database.lease_due(NOON, timedelta(minutes=1), 10)
    assert leased.notification == made.notifications[0]
    assert database.positions([P0]) == {P0: 1}
