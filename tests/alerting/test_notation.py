from __future__ import annotations

import pytest

from faultline.alerting.notation import parse_alert, parse_counts
from faultline.model import AlertKey, Labels


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ("0x3 30 _", (0, 0, 0, 0, 30, None)),
        ("1+2x3", (1, 3, 5, 7)),
        ("9-3x3", (9, 6, 3, 0)),
        ("_x2 4x0", (None, None, 4)),
        ("", ()),
    ],
)
def test_a_series_is_written_as_in_promtool(text: str, counts: tuple[int | None, ...]) -> None:
    assert parse_counts(text) == counts


@pytest.mark.parametrize("text", ["x3", "1.5", "-1", "3-2x2", "_+1x3", "1x9999999"])
def test_what_is_no_series_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="not a series"):
        parse_counts(text)


@pytest.mark.parametrize("text", ["A", "A{}", ' A{ b="1", c="x, y" } '])
def test_an_alert_reads_as_it_is_written(text: str) -> None:
    key = parse_alert(text)
    assert key == AlertKey("A", Labels(b="1", c="x, y") if "b" in text else Labels())
    assert parse_alert(str(key)) == key


@pytest.mark.parametrize("text", ["", '{a="1"}', 'A{a=~"1"}', "A{a"])
def test_what_is_no_alert_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a"):
        parse_alert(text)
