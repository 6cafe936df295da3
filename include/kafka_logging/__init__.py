"""Logging to Kafka for any application: a handler that never slows, blocks or breaks it, and JSON formatters.

- ``handler`` is what an application configures; ``formatters`` (on ``json_lines``) make the lines; ``config`` checks
  the arguments.
- ``flood`` decides which records are too many, ``rescue`` what may still be sent of a faulty one.
- ``shipping`` owns the Producer and the counts of one process, ``transport`` one Producer and its poll thread,
  ``spill`` (of ``segments``) and ``replay`` bridge an outage, ``lifetime`` says what a fork does, ``native`` has the
  threads and locks, ``client_log`` what Kafka's client says, ``stats`` the accounts, ``safe`` makes awkward records
  sendable.
- ``testing`` has a handler for an application's tests that needs no Kafka.
"""

from kafka_logging.formatters import EcsFormatter, LogstashFormatter, LogstashFormatterV1
from kafka_logging.handler import KafkaLoggingHandler
from kafka_logging.stats import HandlerStats

__all__ = ["EcsFormatter", "HandlerStats", "KafkaLoggingHandler", "LogstashFormatter", "LogstashFormatterV1"]
