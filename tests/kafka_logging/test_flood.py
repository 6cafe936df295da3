"""Too many records: which pass, what the summaries say, and that the numbers add up."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kafka_logging import HandlerStats
from kafka_logging.flood import MAX_SITES, Flood
from kafka_logging.testing import CaptureHandler


class Clock:
    """Seconds that go on when told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def record(line: int = 1, level: int = logging.INFO, msg: Any = "paid %s") -> logging.LogRecord:
    return logging.LogRecord("shop", level, "/srv/shop.py", line, msg, ("a-1",), None)


def passed(flood: Flood, number: int, **what: Any) -> int:
    return sum(not flood.refuses(record(**what)) for _ in range(number))


def summaries(flood: Flood) -> list[logging.LogRecord]:
    sent: list[logging.LogRecord] = []

    def send(summary: logging.LogRecord) -> bool:
        sent.append(summary)
        return True

    flood.report(send)
    return sent


def logger_with(handler: logging.Handler) -> logging.Logger:
    logger = logging.Logger("shop")
    logger.addHandler(handler)
    return logger


def test_a_site_has_half_of_the_burst_and_of_the_rate() -> None:
    clock = Clock()
    flood = Flood(100, 20, clock)
    assert passed(flood, 50) == 10
    clock.now += 0.1
    assert passed(flood, 50) == 5


def test_one_loop_gone_wild_leaves_room_for_others() -> None:
    flood = Flood(100, 20, Clock())
    passed(flood, 50, line=1)
    assert passed(flood, 50, line=2) == 5


def test_the_last_quarter_is_for_errors() -> None:
    flood = Flood(100, 20, Clock())
    assert sum(passed(flood, 50, line=line) for line in range(9)) == 15
    assert passed(flood, 50, level=logging.ERROR) == 5


def test_a_bucket_never_holds_more_than_its_burst() -> None:
    clock = Clock()
    flood = Flood(100, 20, clock)
    clock.now += 3600
    assert sum(passed(flood, 50, line=line, level=logging.ERROR) for line in range(9)) == 20


def test_one_place_at_least_for_each_site() -> None:
    assert passed(Flood(0.1, 1, Clock()), 5, level=logging.ERROR) == 1


@pytest.mark.parametrize(("rate", "burst"), [(0.0, 5), (-1, 5), (float("nan"), 5), (5, 0)])
def test_limits_that_let_nothing_pass_are_refused(rate: float, burst: int) -> None:
    with pytest.raises(ValueError, match="rate_limit"):
        Flood(rate, burst)


def test_a_summary_stands_for_the_records_of_one_site_and_level() -> None:
    flood = Flood(1, 2, Clock())
    for created in (1780000000.0, 1780000001.25, 1780000002.5, 1780000003.0):
        made = record(line=7, level=logging.ERROR)
        made.created = created
        flood.refuses(made)
    (summary,) = summaries(flood)
    assert summary.getMessage() == "3 suppressed: paid %s"
    assert (summary.name, summary.levelname, summary.pathname, summary.lineno) == ("shop", "ERROR", "/srv/shop.py", 7)
    fields = {key: value for key, value in summary.__dict__.items() if key.startswith("suppressed")}
    assert fields == {
        "suppressed_count": 3,
        "suppressed_first": "2026-05-28T20:26:41.250Z",
        "suppressed_last": "2026-05-28T20:26:43.000Z",
        "suppressed_template": "paid %s",
    }
    assert summaries(flood) == []


def test_a_line_that_logs_at_two_levels_has_a_summary_for_each() -> None:
    flood = Flood(1, 2, Clock())
    for level in (logging.INFO, logging.ERROR):
        passed(flood, 4, level=level)
    assert {summary.levelname: summary.__dict__["suppressed_count"] for summary in summaries(flood)} == {
        "INFO": 3,
        "ERROR": 3,
    }


def test_a_summary_that_could_not_be_sent_is_part_of_the_next() -> None:
    flood = Flood(1, 2, Clock())
    passed(flood, 4)
    flood.report(lambda _: False)
    passed(flood, 2)
    (summary,) = summaries(flood)
    assert summary.__dict__["suppressed_count"] == 5


def test_a_message_that_is_no_text_is_named_by_its_type() -> None:
    flood = Flood(1, 2, Clock())
    passed(flood, 4, msg={"order": 1})
    assert summaries(flood)[0].getMessage() == "3 suppressed: <dict>"


def test_summaries_are_due_every_ten_seconds() -> None:
    clock = Clock()
    flood = Flood(1, 2, clock)
    assert not flood.due()
    clock.now += 10
    assert [flood.due(), flood.due()] == [True, False]


def test_code_made_at_run_time_does_not_fill_the_memory() -> None:
    flood = Flood(1, 1, Clock())
    for line in range(MAX_SITES + 100):
        passed(flood, 1, line=line)
    assert len(flood._sites) == MAX_SITES + 1
    assert sum(summary.__dict__["suppressed_count"] for summary in summaries(flood)) == MAX_SITES + 99


moments = st.tuples(
    st.floats(0, 3), st.integers(1, 3), st.sampled_from([logging.INFO, logging.ERROR]), st.integers(1, 40)
)


@given(steps=st.lists(moments, max_size=20), rate=st.floats(0.5, 50), burst=st.integers(1, 40))
def test_never_more_than_the_cap_and_every_record_counted(
    steps: list[tuple[float, int, int, int]], rate: float, burst: int
) -> None:
    clock = Clock()
    flood = Flood(rate, burst, clock)
    through: list[tuple[float, int]] = []
    logged: Counter[int] = Counter()
    for pause, line, level, number in steps:
        clock.now += pause
        through.append((clock.now, passed(flood, number, line=line, level=level)))
        logged[level] += number
    for start, (begin, _) in enumerate(through):
        total = 0
        for at, number in through[start:]:
            total += number
            assert total <= burst + rate * (at - begin) + 0.01
    suppressed = Counter[int]()
    for summary in summaries(flood):
        suppressed[summary.levelno] += summary.__dict__["suppressed_count"]
    assert flood.suppressed() == suppressed.total()
    assert sum(number for _, number in through) + suppressed.total() == logged.total()


def test_a_busy_site_takes_places_ahead_within_the_cap() -> None:
    flood = Flood(1, 20_000, Clock())
    assert passed(flood, 30_000, line=1, level=logging.ERROR) == 10_000
    assert sum(passed(flood, 30_000, line=line, level=logging.ERROR) for line in (2, 3)) == 10_000


def test_what_a_silent_site_has_taken_ahead_is_less_than_a_thousandth_of_a_burst() -> None:
    clock = Clock()
    flood = Flood(1, 20_000, clock)
    passed(flood, 100, line=1, level=logging.ERROR)
    clock.now += 100_000
    others = sum(passed(flood, 30_000, line=line, level=logging.ERROR) for line in (2, 3, 4))
    assert others == 20_000
    assert passed(flood, 100, line=1, level=logging.ERROR) < 20


def test_sites_that_log_once_take_one_place_each() -> None:
    flood = Flood(1, 20_000, Clock())
    for line in range(1000):
        passed(flood, 1, line=line)
    assert sum(passed(flood, 30_000, line=line, level=logging.ERROR) for line in (2001, 2002, 2003)) == 19_000


@pytest.mark.parametrize("burst", [1000, 20_000])
def test_the_cap_holds_for_all_threads_together(burst: int) -> None:
    flood = Flood(0.001, burst, Clock())
    passes: list[int] = []
    threads = [
        threading.Thread(
            target=lambda line=line: passes.append(passed(flood, 2 * burst, line=line, level=logging.ERROR))
        )
        for line in (1, 1, 2, 2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(passes) == burst
    assert flood.suppressed() == 7 * burst


def test_a_suppressed_record_is_not_formatted() -> None:
    class Counting(logging.Formatter):
        times = 0

        def format(self, record: logging.LogRecord) -> str:
            self.times += 1
            return "text"

    handler = CaptureHandler(rate_limit=1, burst=10, clock=Clock())
    handler.setFormatter(counting := Counting())
    log = logger_with(handler)
    for _ in range(100):
        log.info("paid")
    assert counting.times == 5
    handler.close()


def test_delivered_and_suppressed_add_up() -> None:
    handler = CaptureHandler(rate_limit=1, burst=10, clock=Clock())
    log = logger_with(handler)
    for number in range(1000):
        log.error("order %d", number)
    assert handler.stats().suppressed == 995
    handler.close()
    assert handler.stats() == HandlerStats(
        emitted=1001, delivered=6, queued=0, dropped={}, failed=0, suppressed=995
    )  # five and a summary
    fields = [line["@fields"] for line in handler.records]
    assert sum(each.get("suppressed_count", 1) for each in fields) == 1000
    assert {each["levelname"] for each in fields} == {"ERROR"}
    assert len({each["record_id"] for each in fields}) == 6


def test_summaries_come_while_the_flood_goes_on() -> None:
    clock = Clock()
    handler = CaptureHandler(rate_limit=0.01, burst=2, clock=clock)
    log = logger_with(handler)
    for _ in range(10):
        log.info("paid")
    clock.now += 10
    deadline = time.monotonic() + 30
    while len(handler.records) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert handler.records[1]["@fields"]["suppressed_count"] == 9
    handler.close()
    assert len(handler.records) == 2


def test_a_limit_can_be_lifted() -> None:
    handler = CaptureHandler(rate_limit=None, queue_max_messages=100_000)
    log = logger_with(handler)
    for _ in range(30_000):
        log.info("paid")
    assert handler.stats().queued == 30_000
    handler.close()


def test_a_record_that_is_hardly_one_is_let_through() -> None:
    handler = CaptureHandler()
    handler.handle(logging.makeLogRecord({"pathname": ["no", "path"], "levelno": "high", "name": {}, "msg": "kept"}))
    assert handler.records[0]["@message"] == "kept"
    handler.close()


@pytest.mark.parametrize("created", [float("nan"), 1e12, "noon", None], ids=str)
def test_records_without_a_time_have_a_summary_too(created: Any) -> None:
    handler = CaptureHandler(rate_limit=1, burst=10, clock=Clock())
    for _ in range(100):
        made = record(level=logging.ERROR)
        made.created = created
        handler.handle(made)
    handler.close()
    assert sum(line["@fields"].get("suppressed_count", 1) for line in handler.records) == 100


def test_nothing_is_counted_after_close() -> None:
    handler = CaptureHandler(rate_limit=1, burst=2, clock=Clock())
    log = logger_with(handler)
    handler.close()
    for _ in range(3):
        log.error("late")
    handler.close()
    assert handler.records == []
    assert handler.stats().emitted == 3
