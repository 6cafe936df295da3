from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from faultline.alerting.timeintervals import TimeInterval

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("interval", "inside", "outside"),
    [
        ({"times": [{"start_time": "09:00", "end_time": "17:00"}]}, "2026-01-05T09:00Z", "2026-01-05T17:00Z"),
        ({"times": [{"start_time": "18:00", "end_time": "24:00"}]}, "2026-01-05T23:59Z", "2026-01-05T17:59Z"),
        ({"weekdays": ["monday:friday"]}, "2026-01-05T00:00Z", "2026-01-04T23:59Z"),
        ({"weekdays": ["saturday", "sunday"]}, "2026-01-04T12:00Z", "2026-01-05T12:00Z"),
        ({"days_of_month": ["1:5", "-3:-1"]}, "2026-02-26T00:00Z", "2026-02-25T00:00Z"),
        ({"days_of_month": ["-1"]}, "2028-02-29T00:00Z", "2028-02-28T00:00Z"),
        ({"months": ["january:march", "12"]}, "2026-12-01T00:00Z", "2026-04-01T00:00Z"),
        ({"years": ["2026:2027"]}, "2027-12-31T00:00Z", "2028-01-01T00:00Z"),
        (
            {"times": [{"start_time": "09:00", "end_time": "10:00"}], "location": "Europe/Berlin"},
            "2026-07-01T07:30Z",
            "2026-07-01T09:30Z",
        ),
        ({}, "2026-01-05T00:00Z", None),
    ],
)
def test_an_instant_is_inside_when_all_that_is_given_holds(
    interval: dict[str, object], inside: str, outside: str | None
) -> None:
    parsed = TimeInterval.model_validate(interval)
    assert parsed.contains(datetime.fromisoformat(inside).astimezone(BERLIN))
    assert outside is None or not parsed.contains(datetime.fromisoformat(outside))


@pytest.mark.parametrize(
    "interval",
    [
        {"times": [{"start_time": "9:00", "end_time": "10:00"}]},
        {"weekdays": ["funday"]},
        {"weekdays": ["friday:monday"]},
        {"days_of_month": ["0:40"]},
        {"location": "Moon/Base"},
        {"location": "America"},
    ],
)
def test_what_is_no_interval_is_refused(interval: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=r"not a|no such"):
        TimeInterval.model_validate(interval)
