"""Logging to Kafka for any application: a handler that never slows, blocks or breaks it, and JSON formatters.

- ``handler`` is what an application configures; ``formatters`` make the lines; ``config`` checks the arguments.
- ``shipping`` owns the Producer and the counts of one process, ``transport`` one Producer and its poll thread,
  ``lifetime`` says what a fork does, ``stats`` keeps the accounts, ``safe`` makes awkward records sendable.
- ``testing`` has a handler for an application's tests that needs no Kafka.
"""

from kafka_logging.formatters import LogstashFormatter
from kafka_logging.handler import KafkaLoggingHandler
from kafka_logging.stats import HandlerStats

__all__ = ["HandlerStats", "KafkaLoggingHandler", "LogstashFormatter"]
