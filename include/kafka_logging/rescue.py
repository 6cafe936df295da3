"""What may still be sent of a record that could not be, and the word under which it is counted if nothing may."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterator
from typing import Any

from confluent_kafka import KafkaError, KafkaException

from kafka_logging.safe import attempt, portable, text_of
from kafka_logging.shipping import ClosedHandlerError, CrowdedError
from kafka_logging.spill import SpillError

_CUTS = (8, 100)  # an oversized record's texts are cut to this part of the largest message, then to that


def forms(
    record: logging.LogRecord,
    error: Exception,
    *,
    largest: int,
    payload: Callable[[logging.LogRecord], str | bytes],
) -> Iterator[Callable[[], logging.LogRecord]]:
    """Makers of copies: the record made safe, then cut shorter and shorter; none where no other form can help."""
    marks: dict[str, Any] = {}
    if not isinstance(error, (BufferError, ClosedHandlerError, KafkaException, SpillError)):
        marks["logging_error"] = f"{type(error).__name__}: {text_of(error)}"
        yield functools.partial(portable, record, None, marks)
    elif not _is_too_large(error):
        return
    size = attempt(lambda: _size(payload(record)), lambda _: None)
    for part in _CUTS:
        marks = {"truncated": True, "original_size": size, **marks}
        yield functools.partial(portable, record, largest // part, marks)


def reason_of(error: Exception) -> str:
    """The word under which a dropped record is counted."""
    if isinstance(error, CrowdedError):
        return "queue_crowded"
    if isinstance(error, BufferError):
        return "queue_full"
    if isinstance(error, ClosedHandlerError):
        return "closed"
    if isinstance(error, SpillError):
        return "spill_failed"
    if isinstance(error, KafkaException):
        return str(error.args[0].name().strip("_").lower())
    return "unformattable"


def _is_too_large(error: Exception) -> bool:
    return isinstance(error, KafkaException) and error.args[0].code() == KafkaError.MSG_SIZE_TOO_LARGE


def _size(payload: str | bytes) -> int:
    return len(payload.encode("utf-8", "replace") if isinstance(payload, str) else payload)
