"""No exception leaves the handler, whatever is wrong, and every record is accounted for."""

from __future__ import annotations

import io
import json
import logging
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException
from hypothesis import given, settings
from hypothesis import strategies as st

from kafka_logging import HandlerStats, KafkaLoggingHandler, LogstashFormatter
from kafka_logging.testing import CaptureHandler, FakeProducer


class Broken:
    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


class Unable(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        raise LookupError("this formatter never works")


def logger_with(handler: logging.Handler) -> logging.Logger:
    logger = logging.Logger("shop")
    logger.addHandler(handler)
    return logger


@pytest.fixture
def handler() -> Iterator[CaptureHandler]:
    made = CaptureHandler()
    yield made
    made.close()


@pytest.fixture
def log(handler: CaptureHandler) -> logging.Logger:
    return logger_with(handler)


def settled(handler: KafkaLoggingHandler) -> HandlerStats:
    handler.close()
    return handler.stats()


def test_a_record_is_formatted_and_produced(handler: CaptureHandler, log: logging.Logger) -> None:
    log.error("order %s failed", "a-1", extra={"user": 17})
    (line,) = handler.records
    assert line["@message"] == "order a-1 failed"
    assert line["@fields"]["user"] == 17
    assert settled(handler) == HandlerStats(emitted=1, delivered=1, queued=0, dropped={}, failed=0)


def test_mutable_arguments_are_captured_in_time(handler: CaptureHandler, log: logging.Logger) -> None:
    cart = ["apple"]
    log.info("cart %s", cart)
    cart.clear()
    assert handler.records[0]["@message"] == "cart ['apple']"


def test_every_record_has_an_id_of_its_own(handler: CaptureHandler, log: logging.Logger) -> None:
    for _ in range(3):
        log.info("paid")
    ids = [line["@fields"]["record_id"] for line in handler.records]
    assert len(set(ids)) == 3
    host, pid, start, _ = zip(*(each.rsplit("-", 3) for each in ids), strict=True)
    assert len(set(zip(host, pid, start, strict=True))) == 1


def test_handlers_of_one_process_give_different_ids() -> None:
    handlers = [CaptureHandler() for _ in range(3)]
    for handler in handlers:
        logger_with(handler).info("paid")
    assert len({handler.records[0]["@fields"]["record_id"] for handler in handlers}) == 3


def test_topic_key_and_headers_go_with_the_message() -> None:
    handler = CaptureHandler(lambda record: f"logs-{record.levelname}", key="field:user", headers={"zone": "a"})
    logger_with(handler).error("no", extra={"user": "ann"})
    (message,) = handler.messages
    assert (message.topic, message.key, message.headers) == ("logs-ERROR", b"ann", (("zone", "a"),))


def test_filters_and_levels_work_as_ever(handler: CaptureHandler, log: logging.Logger) -> None:
    handler.setLevel(logging.WARNING)
    handler.addFilter(lambda record: "secret" not in record.msg)
    log.info("low")
    log.error("secret")
    log.error("shown")
    assert [line["@message"] for line in handler.records] == ["shown"]
    assert handler.stats().emitted == 1


def test_any_formatter_serves(handler: CaptureHandler, log: logging.Logger) -> None:
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s %(record_id)s"))
    log.error("plain")
    assert handler.messages[0].value.startswith(b"ERROR plain ")


def test_a_formatter_that_extends_ours_is_obeyed(handler: CaptureHandler, log: logging.Logger) -> None:
    class Louder(LogstashFormatter):
        def format(self, record: logging.LogRecord) -> str:
            return super().format(record).upper()

    handler.setFormatter(Louder())
    log.error("loud")
    assert b'"@MESSAGE":"LOUD"' in handler.messages[0].value


FAULTY_CALLS = {
    "arguments that do not fit": ("%d of %s", ("x",)),
    "an argument that raises": ("%s", (Broken(),)),
    "a message that raises": (Broken(), ()),
    "a mapping without the key": ("%(user)s", ({"id": 1},)),
}


@pytest.mark.parametrize("call", FAULTY_CALLS.values(), ids=FAULTY_CALLS)
@pytest.mark.parametrize("formatter", [LogstashFormatter(), logging.Formatter("%(message)s")], ids=["json", "plain"])
def test_a_call_with_a_fault_is_sent_in_a_safe_form(
    handler: CaptureHandler, log: logging.Logger, call: Any, formatter: logging.Formatter
) -> None:
    handler.setFormatter(formatter)
    msg, args = call
    log.error(msg, *args)
    assert settled(handler) == HandlerStats(emitted=1, delivered=1, queued=0, dropped={}, failed=0)


def test_the_safe_form_says_what_was_wrong(handler: CaptureHandler, log: logging.Logger) -> None:
    log.error("%d of %s", "x", extra={"user": 17})
    (line,) = handler.records
    assert line["@message"] == "%d of %s ('x',)"
    assert line["@fields"]["logging_error"].startswith("TypeError: ")
    assert line["@fields"]["user"] == 17


def test_text_that_is_not_unicode_is_sent(handler: CaptureHandler, log: logging.Logger) -> None:
    handler.setFormatter(logging.Formatter("%(message)s"))
    handler.producers.clear()
    log.error("file \udcff")
    assert settled(handler).delivered == 1
    assert handler.messages[0].value == b"file \\udcff"


def fault(code: int, *, fatal: bool = False) -> KafkaException:
    return KafkaException(KafkaError(code, "no", fatal))


@pytest.mark.parametrize(
    ("raised", "reason"),
    [
        (BufferError("Local: Queue full"), "queue_full"),
        (fault(KafkaError._UNKNOWN_TOPIC), "unknown_topic"),
        (fault(KafkaError.MSG_SIZE_TOO_LARGE), "msg_size_too_large"),
        (MemoryError(), "unformattable"),
        (RecursionError(), "unformattable"),
    ],
    ids=["queue full", "Kafka", "too large whatever is cut", "memory", "recursion"],
)
def test_what_cannot_be_produced_is_counted(
    handler: CaptureHandler, log: logging.Logger, raised: Exception, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    log.info("the first one makes the producer")
    handler.producers[0].fault = raised
    log.error("lost")
    assert settled(handler) == HandlerStats(emitted=2, delivered=1, queued=0, dropped={reason: 1}, failed=0)
    assert "--- Logging error ---" in capsys.readouterr().err


def test_a_formatter_that_never_works_is_counted(handler: CaptureHandler, log: logging.Logger) -> None:
    handler.setFormatter(Unable())
    log.error("lost")
    assert settled(handler).dropped == {"unformattable": 1}


def test_a_topic_function_that_raises_is_counted() -> None:
    handler = CaptureHandler(lambda record: record.tenant)
    logger_with(handler).error("lost")
    assert settled(handler).dropped == {"unformattable": 1}


def test_a_closed_handler_drops_and_counts(handler: CaptureHandler, log: logging.Logger) -> None:
    log.error("in time")
    handler.close()
    log.error("too late")
    assert handler.stats() == HandlerStats(emitted=2, delivered=1, queued=0, dropped={"closed": 1}, failed=0)


def test_an_outage_does_not_flood_stderr(
    handler: CaptureHandler, log: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    log.error("the first one makes the producer")
    handler.producers[0].fault = BufferError()
    for _ in range(100):
        log.error("lost")
    assert capsys.readouterr().err.count("--- Logging error ---") == 1
    assert handler.stats().dropped == {"queue_full": 100}


def test_a_closed_stderr_is_no_fault_of_the_application(
    handler: CaptureHandler, log: logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stderr", closed)
    handler.setFormatter(Unable())
    log.error("lost")
    assert handler.stats().dropped == {"unformattable": 1}


def test_a_fatal_error_costs_a_producer_and_no_record(handler: CaptureHandler, log: logging.Logger) -> None:
    log.error("one")
    handler.producers[0].fault = fault(KafkaError._FATAL, fatal=True)
    log.error("two")
    assert len(handler.producers) == 2
    assert [line["@message"] for line in handler.records] == ["one", "two"]
    assert settled(handler).delivered == 2


class Limited(FakeProducer):
    """Refuses what is longer than message.max.bytes, as librdkafka does."""

    def produce(self, topic: str, value: Any = None, key: Any = None, **more: Any) -> None:
        if len(value) > self.properties["message.max.bytes"]:
            raise fault(KafkaError.MSG_SIZE_TOO_LARGE)
        super().produce(topic, value, key, **more)


class LimitedHandler(CaptureHandler):
    def _make_producer(self, properties: dict[str, Any]) -> FakeProducer:
        self.producers.append(Limited(properties))
        return self.producers[-1]


@pytest.mark.parametrize("letter", ["x", "\n", "\u2028", "\x00"], ids=ascii)
def test_an_oversized_record_is_cut_and_says_so(letter: str) -> None:
    text = letter * 50_000
    handler = LimitedHandler(message_max_bytes=20_000)
    log = logger_with(handler)
    try:
        raise ValueError(text)
    except ValueError:
        log.exception("order failed: %s", text, extra={"dump": text, "order": "a-1"})
    (line,) = handler.records
    fields = line["@fields"]
    assert line["@message"].startswith("order failed: ")
    assert fields["truncated"] is True
    assert fields["original_size"] > 150_000
    assert fields["order"] == "a-1"
    assert fields["exc_type"] == "ValueError"
    assert "".join(fields["exception"]).startswith("Traceback (most recent call last)")
    assert settled(handler).delivered == 1


def test_a_full_queue_drops_the_newest_and_never_waits() -> None:
    handler = CaptureHandler(queue_max_messages=3)
    log = logger_with(handler)
    for number in range(5):
        log.error("%d", number)
    assert handler.stats() == HandlerStats(emitted=5, delivered=0, queued=3, dropped={"queue_full": 2}, failed=0)
    assert [line["@message"] for line in handler.records] == ["0", "1", "2"]


def test_the_last_fifth_of_the_queue_is_for_warnings_and_errors() -> None:
    handler = CaptureHandler(queue_max_messages=10)
    log = logger_with(handler)
    for level in (logging.INFO, logging.DEBUG, logging.WARNING, logging.ERROR):
        for _ in range(9):
            log.log(level, "%s", logging.getLevelName(level))
    assert handler.stats().dropped == {"queue_crowded": 10, "queue_full": 16}
    assert [line["@message"] for line in handler.records] == ["INFO"] * 8 + ["WARNING"] * 2


def test_a_queue_full_of_bytes_keeps_room_for_errors_as_well() -> None:
    handler = CaptureHandler(queue_max_messages=1000, queue_max_kbytes=100)
    log = logger_with(handler)
    for _ in range(200):
        log.info("x" * 10_000)
        handler._shipping.watch_size()
    log.error("kept")
    assert handler.stats().dropped["queue_crowded"] > 100
    assert handler.records[-1]["@message"] == "kept"


def test_close_with_a_dead_broker_counts_what_it_gives_up(handler: CaptureHandler, log: logging.Logger) -> None:
    log.error("never arrives")
    handler.producers[0].reachable = False
    assert settled(handler) == HandlerStats(emitted=1, delivered=0, queued=0, dropped={"purge_queue": 1}, failed=0)


class Chatty(FakeProducer):
    """Has a line of its own log in its queue, which its length counts."""

    def __len__(self) -> int:
        return super().__len__() + 1

    def flush(self, timeout: float = -1, /) -> int:
        super().flush(timeout)
        return len(self.queued)


class ChattyHandler(CaptureHandler):
    def _make_producer(self, properties: dict[str, Any]) -> FakeProducer:
        self.producers.append(Chatty(properties))
        return self.producers[-1]


def test_what_is_no_record_in_the_queue_is_not_counted_as_one() -> None:
    handler = ChattyHandler()
    log = logger_with(handler)
    log.error("one")
    handler.flush()
    assert (handler.stats().delivered, handler.stats().queued) == (1, 0)
    log.error("two")
    assert settled(handler) == HandlerStats(emitted=2, delivered=2, queued=0, dropped={}, failed=0)


def test_close_does_not_wait_for_a_client_that_does_not_end() -> None:
    begun, go_on, ended = threading.Event(), threading.Event(), threading.Event()

    class Stuck(FakeProducer):
        def __del__(self) -> None:
            begun.set()
            go_on.wait(30)
            ended.set()

    class StuckHandler(KafkaLoggingHandler):
        def _make_producer(self, properties: dict[str, Any]) -> FakeProducer:
            return Stuck(properties)

    handler = StuckHandler("a:1", "logs")
    logger_with(handler).error("one")
    assert settled(handler).delivered == 1
    assert begun.wait(30)
    assert not ended.is_set()
    go_on.set()
    assert ended.wait(30)


def test_on_drop_hears_of_every_lost_record() -> None:
    heard: list[tuple[str, str | None]] = []
    handler = CaptureHandler(
        on_drop=lambda reason, record: heard.append((reason, record and record.getMessage())), queue_max_messages=1
    )
    log = logger_with(handler)
    log.error("one")
    log.error("two")
    handler.producers[0].reachable = False
    handler.close()
    assert heard == [("queue_full", "two"), ("purge_queue", None)]


def test_an_on_drop_that_raises_or_logs_harms_nobody() -> None:
    def on_drop(reason: str, record: logging.LogRecord | None) -> None:
        log.error("dropped for %s", reason)
        raise RuntimeError

    handler = CaptureHandler(on_drop=on_drop, queue_max_messages=1)
    log = logger_with(handler)
    log.error("one")
    log.error("two")
    assert handler.stats().dropped == {"recursion": 1, "queue_full": 1}


def test_an_argument_that_logs_does_not_recurse(handler: CaptureHandler, log: logging.Logger) -> None:
    class Chatty:
        def __str__(self) -> str:
            log.error("being formatted: %s", self)
            return "chatty"

    log.error("%s", Chatty())
    assert [line["@message"] for line in handler.records] == ["chatty"]
    assert set(settled(handler).dropped) == {"recursion"}


@pytest.mark.parametrize("name", ["kafka_logging.librdkafka", "confluent_kafka", "librdkafka.x"])
def test_what_the_kafka_client_logs_is_not_sent_to_kafka(handler: CaptureHandler, name: str) -> None:
    handler.handle(logging.makeLogRecord({"name": name, "msg": "broker down"}))
    assert handler.stats().emitted == 0


def test_names_that_only_look_like_it_are_sent(handler: CaptureHandler) -> None:
    handler.handle(logging.makeLogRecord({"name": "kafka_logging_demo", "msg": "hello"}))
    assert handler.stats().emitted == 1


def test_ctrl_c_in_the_middle_reaches_the_application(handler: CaptureHandler, log: logging.Logger) -> None:
    class Interrupting:
        def __str__(self) -> str:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        log.error("%s", Interrupting())
    assert settled(handler).dropped == {"interrupted": 1}


def test_no_lock_is_held_while_a_record_is_formatted(handler: CaptureHandler, log: logging.Logger) -> None:
    inside, go_on = threading.Event(), threading.Event()

    class Slow:
        def __str__(self) -> str:
            inside.set()
            assert go_on.wait(30)
            return "slow"

    slow = threading.Thread(target=log.error, args=("%s", Slow()))
    slow.start()
    assert inside.wait(30)
    log.error("quick")
    go_on.set()
    slow.join()
    assert [line["@message"] for line in handler.records] == ["quick", "slow"]


def test_many_threads_lose_nothing(handler: CaptureHandler, log: logging.Logger) -> None:
    threads = [threading.Thread(target=lambda: [log.info("x") for _ in range(500)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert settled(handler) == HandlerStats(emitted=2000, delivered=2000, queued=0, dropped={}, failed=0)
    assert len({line["@fields"]["record_id"] for line in handler.records}) == 2000


def test_stats_that_do_not_add_up_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="unaccounted"):
        HandlerStats(emitted=2, delivered=1, queued=0, dropped={}, failed=0)


STEPS = ("log", "bad call", "flush", "broker down", "broker up", "fault", "no fault", "fatal", "close")


@settings(max_examples=40, deadline=None)
@given(steps=st.lists(st.sampled_from(STEPS), max_size=30))
def test_the_identity_holds_after_every_step(steps: list[str]) -> None:
    handler = CaptureHandler(queue_max_messages=5)
    handler.handleError = lambda record: None  # type: ignore[method-assign]
    log = logger_with(handler)
    logged = 0
    for step in steps:
        producer = handler.producers[-1] if handler.producers else FakeProducer({})
        match step:
            case "log" | "bad call":
                log.error("%d" if step == "bad call" else "x", *(("y",) if step == "bad call" else ()))
                logged += 1
            case "flush":
                handler.flush()
            case "broker down" | "broker up":
                producer.reachable = step == "broker up"
            case "fault" | "no fault" | "fatal":
                faults = {"fault": fault(KafkaError._STATE), "fatal": fault(KafkaError._FATAL, fatal=True)}
                producer.fault = faults.get(step)
            case "close":
                handler.close()
        assert handler.stats().emitted == logged
    assert settled(handler).queued == 0
    assert handler.stats().delivered == sum(len(producer.delivered) for producer in handler.producers)
    assert json.dumps([message.value.decode() for message in handler.messages])
