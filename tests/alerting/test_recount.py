"""Live counts beside those of the archive: a table of cases."""

from __future__ import annotations

from dataclasses import replace

import pytest

from faultline.alerting.recount import Difference, differences
from faultline.model import ErrorCount
from tests.contracts.values import BUCKET, NOON, count

THREE, FIVE = count(3), count(5)


def difference(live: int, archived: int, missing: int = 0, surplus: int = 0, service: str = "db") -> Difference:
    return Difference("app-logs", service, NOON, live, archived, missing, surplus)


@pytest.mark.parametrize(
    ("live", "archived", "found"),
    [
        ([], [], []),
        ([FIVE], [FIVE], []),
        ([THREE, count(2)], [FIVE], []),
        ([FIVE], [replace(FIVE, sample="another", first_ts=NOON + BUCKET)], []),
        ([THREE], [FIVE], [difference(3, 5, missing=2)]),
        ([FIVE], [THREE], [difference(5, 3, surplus=2)]),
        ([], [FIVE], [difference(0, 5, missing=5)]),
        ([FIVE], [count(5, level="ERROR")], [difference(5, 5, missing=5, surplus=5)]),
        ([FIVE], [replace(FIVE, fingerprint="v1:other")], [difference(5, 5, missing=5, surplus=5)]),
        (
            [THREE, count(1, level="INFO")],
            [THREE, count(2, level="INFO")],
            [difference(4, 5, missing=1)],
        ),
        (
            [count(1, service="web")],
            [count(2, service="web"), FIVE],
            [difference(0, 5, 5), difference(1, 2, 1, 0, "web")],
        ),
        ([count(2, bucket=1)], [FIVE], [difference(0, 5, 5), Difference("app-logs", "db", NOON + BUCKET, 2, 0, 0, 2)]),
    ],
    ids=[
        "nothing",
        "the same",
        "in parts",
        "samples do not count",
        "missing",
        "too many",
        "not counted at all",
        "other labels",
        "another fingerprint",
        "one of two label sets",
        "two services",
        "another bucket",
    ],
)
def test_every_record_counted_otherwise_is_found(
    live: list[ErrorCount], archived: list[ErrorCount], found: list[Difference]
) -> None:
    assert differences(live, archived) == found


def test_a_record_without_a_service_is_one_of_no_name() -> None:
    nameless = replace(FIVE, labels=FIVE.labels.__class__({"topic": "app-logs"}))
    assert [each.service for each in differences([], [nameless])] == [""]
