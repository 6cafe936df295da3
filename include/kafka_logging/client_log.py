"""What Kafka's client says, in the log: little of it, as it repeats itself while a broker is away, and never nowhere.

Our handlers do not send it. Where there are no others, it goes to stderr, as what nobody handles does in ``logging``.
"""

from __future__ import annotations

import logging
import time

from kafka_logging import lifetime

NAME = "kafka_logging.librdkafka"
_OF_ACCESS = ("SASL", "SSL", "uthenti", "uthoriz", "certificate", "security_protocol")  # not to be missed among others
_HANDSHAKE = "in state APIVERSION_QUERY"  # the first words to a broker; one that wants TLS hangs up, at level INFO
_HINT = " - if this goes on, the port may want TLS, see security_protocol"


class Pacer:
    """Says yes once in so many seconds."""

    def __init__(self, seconds: float = 30.0) -> None:
        self._seconds = seconds
        self._next = 0.0

    def __call__(self) -> bool:
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + self._seconds
        return True


_pacers = {True: Pacer(), False: Pacer()}


def client_log() -> logging.Logger:
    """The client's logger. Asked for late: fileConfig disables the loggers there are."""
    log = logging.getLogger(NAME)
    log.addFilter(_pass)
    if log.level == logging.NOTSET:
        log.setLevel(logging.INFO)
    return log


def _pass(record: logging.LogRecord) -> bool:
    log, text = logging.getLogger(NAME), record.getMessage()
    if _HANDSHAKE in text:
        text += _HINT
        record.msg, record.args = text, ()
        record.levelno, record.levelname = logging.ERROR, logging.getLevelName(logging.ERROR)
    elif text.startswith("SSL ") or not _is_wanted(log, record.levelno):  # the line after those of OpenSSL says it all
        return False
    if not _pacers[any(word in text for word in _OF_ACCESS)]():
        return False
    if _is_ours_alone(log):
        assert logging.lastResort
        logging.lastResort.handle(record)
    return True


def _is_wanted(log: logging.Logger, level: int) -> bool:
    """Whether the line would be there if this had not lowered the logger's level."""
    return log.level < logging.INFO or logging.getLogger(NAME.partition(".")[0]).isEnabledFor(level)


def _is_ours_alone(log: logging.Logger) -> bool:
    """Whether there are handlers, but only those that do not send what the client says."""
    handlers: list[logging.Handler] = []
    logger: logging.Logger | None = log
    while logger:
        handlers += logger.handlers
        logger = logger.parent if logger.propagate else None
    return bool(handlers) and all(map(lifetime.is_registered, handlers))
