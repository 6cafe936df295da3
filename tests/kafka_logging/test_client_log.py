"""What Kafka's client says is heard, and not too often."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from confluent_kafka import KafkaError

from kafka_logging import client_log
from kafka_logging.testing import CaptureHandler
from tests.kafka_logging.mock import mock_kafka
from tests.kafka_logging.test_faults import handler_for

REFUSED = "FAIL [shop] 127.0.0.1:1: Connect failed: Connection refused"
PASSWORD = "FAIL [shop] 127.0.0.1:1: SASL authentication error: Invalid username or password"
HANG_UP = "FAIL [shop] 127.0.0.1:1: Disconnected (after 0ms in state APIVERSION_QUERY)"


@pytest.fixture(autouse=True)
def nothing_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_log, "_pacers", {True: client_log.Pacer(), False: client_log.Pacer()})


@contextmanager
def only(*others: logging.Handler) -> Iterator[logging.Logger]:
    """The client's logger with our handler and these, none of pytest's."""
    log, parent, ours = client_log.client_log(), logging.getLogger("kafka_logging"), CaptureHandler()
    before = log.handlers[:], parent.handlers[:], parent.propagate
    log.handlers[:], parent.handlers[:], parent.propagate = [], [ours, *others], False
    try:
        yield log
    finally:
        log.handlers[:], parent.handlers[:], parent.propagate = before
        ours.close()


def test_it_goes_to_stderr_when_nobody_else_takes_it(capsys: pytest.CaptureFixture[str]) -> None:
    with only() as log:
        log.error(REFUSED)
    assert capsys.readouterr().err == f"{REFUSED}\n"


def test_it_goes_to_the_console_once(capsys: pytest.CaptureFixture[str]) -> None:
    with only(logging.StreamHandler()) as log:
        log.error(REFUSED)
    assert capsys.readouterr().err == f"{REFUSED}\n"


def test_an_outage_is_one_line_and_hides_no_wrong_password(capsys: pytest.CaptureFixture[str]) -> None:
    with only() as log:
        for text in (REFUSED, REFUSED, PASSWORD, PASSWORD):
            log.error(text)
    assert capsys.readouterr().err == f"{REFUSED}\n{PASSWORD}\n"


def test_what_goes_on_as_ever_is_not_told(capsys: pytest.CaptureFixture[str]) -> None:
    with only() as log:
        log.info("FAIL [shop] 127.0.0.1:1: Disconnected (after 600000ms in state UP)")
        log.error("SSL [shop] error:0200008A:rsa routines::invalid padding")
    assert capsys.readouterr().err == ""


def test_a_broker_that_hangs_up_at_once_may_want_tls(capsys: pytest.CaptureFixture[str]) -> None:
    with only() as log:
        log.info(HANG_UP)
    assert "may want TLS, see security_protocol" in capsys.readouterr().err


def test_a_level_that_somebody_chose_is_kept() -> None:
    log = client_log.client_log()
    log.setLevel(logging.CRITICAL)
    assert client_log.client_log().level == logging.CRITICAL
    log.setLevel(logging.NOTSET)


def test_records_that_the_broker_refuses_are_told(capfd: pytest.CaptureFixture[str]) -> None:
    with mock_kafka() as broker, only():
        handler, logger = handler_for(broker)
        broker.refuse(KafkaError.TOPIC_AUTHORIZATION_FAILED)
        logger.error("refused")
        handler.flush()
        handler._shipping._now_and_then()
        handler.close()
    assert handler.stats().failed == 1
    assert "a record for the topic logs was not delivered: Broker: Topic authorization failed" in capfd.readouterr().err
