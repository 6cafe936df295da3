"""Reports in a task's log."""

from __future__ import annotations

import logging

import pytest

from faultline.steps.report import some, table_lines, write_report


def test_numbers_end_below_each_other_and_have_separators() -> None:
    assert table_lines(("Topic", "Records"), [("app-logs", 1234567), ("nginx", 5)]) == [
        "Topic       Records",
        "--------  ---------",
        "app-logs  1,234,567",
        "nginx             5",
    ]


def test_a_table_without_a_row_is_none() -> None:
    assert table_lines(("Topic", "Records"), []) == []


def test_each_line_is_a_record_of_its_own(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        write_report(logging.getLogger("test"), "2 of 100% done", ("Hour",), [("%s",)])
    assert caplog.messages == ["2 of 100% done", "Hour", "----", "%s"]


def test_of_many_the_first_few_are_named() -> None:
    assert some([]) == ""
    assert some([1, 2]) == "1, 2"
    assert some(range(1234), 2) == "0, 1 and 1,232 more"
