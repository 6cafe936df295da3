"""Single errors through the handler, to time the way from a log call to the pager."""

from __future__ import annotations

import logging
import secrets
import time
from datetime import UTC, datetime, timedelta

from kafka_logging import KafkaLoggingHandler, LogstashFormatter


def send_probes(bootstrap: str, number: int, pause: timedelta) -> dict[str, datetime]:
    """Log so many errors, each with a ``probe`` of its own; returns when each was logged.

    The pause should not be a whole number of seconds, so that probes meet the counter and the sensor in every phase.
    """
    logger = logging.getLogger("latency-probe")
    logger.propagate = False
    handler = KafkaLoggingHandler(bootstrap, "app-logs")
    handler.setFormatter(LogstashFormatter({"extra": {"appName": "latency-probe", "environment": "demo"}}))
    logger.addHandler(handler)
    run, sent = secrets.token_hex(3), {}
    for count in range(number):
        probe = f"{run}-{count}"
        sent[probe] = datetime.now(UTC)
        logger.error("how long does this take to the pager?", extra={"probe": probe})
        time.sleep(pause.total_seconds())
    logger.removeHandler(handler)
    handler.close()
    return sent
