"""The shop's database outage as the alert lane records it, without the shop: counts, evaluations, messages.

The rules are the shop's own, the engine is the one that runs in watch_errors; only Kafka and the clock are left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from dev.paths import ROOT
from faultline.adapters.database import Database
from faultline.alerting.alerts import LEASE
from faultline.alerting.rules import Rules, load_rules
from faultline.dispatch.delivery import Delivery, DeliveryStatus, OutboxState, Outcome
from faultline.dispatch.receivers import build_receivers, targets_of
from faultline.model import ErrorCount, Labels, OffsetRange, TopicPartition
from faultline.settings import Settings
from faultline.steps.evaluator import Evaluator
from faultline.topicfile import TopicsFile, load_topics

SHOP = ROOT / "examples" / "shop"
_PARTITION = TopicPartition("app-logs", "of-the-incident", 0)
_BUCKET = timedelta(seconds=10)
# Errors in each bucket by service, and what they say; each begins a bucket after the one before.
_FAILURES = (
    ("db-proxy", 3, "could not connect to db-1:5432: Connection refused"),
    ("payments", 14, "payment 20418 failed: no connection to the database within 2 s"),
    ("checkout", 31, "order 77120 of cart 5311 was lost: payments answered 503"),
)


class Incident:
    """The outage in this database. It goes on until ``until``, which moves on with every call of ``go_on``."""

    def __init__(self, database: Database, start: datetime, rules_file: Path = SHOP / "rules.yaml") -> None:
        self._database = database
        self._start = self.until = _floor(start)
        self._rules: Rules = load_rules(rules_file.read_text(), str(rules_file))
        self._topics: TopicsFile = load_topics((SHOP / "topics.yaml").read_text())
        self._targets = targets_of(build_receivers(self._rules))
        settings = Settings(database_url="sqlite:///unused.db", allowed_lateness=timedelta(0))
        self._evaluator = Evaluator(settings, database, LEASE)
        self._lease = database.acquire_lease(LEASE, "the incident")
        self._offset = 0
        database.record_rules(str(rules_file), rules_file.read_text(), self._rules.hash, (), start)
        self._evaluate(self.until)

    def go_on(self, until: datetime) -> None:
        """Count what fails until then, evaluate after each bucket, and have every message delivered."""
        while self.until + _BUCKET <= until:
            self._count(self.until)
            self.until += _BUCKET
            self._evaluate(self.until)
        self._evaluate(until)

    def _count(self, bucket: datetime) -> None:
        counts = list(_failures(bucket, (bucket - self._start) // _BUCKET))
        span = OffsetRange(_PARTITION, self._offset, self._offset + sum(each.count for each in counts))
        self._offset = span.end
        self._database.record_counts([span], counts, {_PARTITION: bucket + _BUCKET})

    def _evaluate(self, at: datetime) -> None:
        evaluation = self._evaluator.decide(self._rules, self._topics, at=at)
        self._database.record_evaluation(self._lease, evaluation, self._targets)
        for leased in self._database.lease_due(at, _BUCKET, 100):
            self._database.record_delivery(leased, _DELIVERED, at)


_DELIVERED = Outcome(OutboxState.DELIVERED, Delivery(DeliveryStatus.DELIVERED, "200", "ok"))


def _floor(at: datetime) -> datetime:
    return at - timedelta(seconds=at.second % 10, microseconds=at.microsecond)


def _failures(bucket: datetime, number: int) -> Iterator[ErrorCount]:
    begun: Sequence[tuple[str, int, str]] = _FAILURES[: number + 1]
    for offset, (service, count, text) in enumerate(begun):
        labels = {"topic": _PARTITION.topic, "service": service, "environment": "prod", "level": "ERROR"}
        yield ErrorCount(
            bucket_start=bucket,
            labels=Labels(labels, logger=f"shop.{service}", host=f"{service}-1"),
            count=count,
            first_ts=bucket,
            last_ts=bucket + _BUCKET - timedelta(milliseconds=1),
            fingerprint=f"v1:{service.encode().hex()[:12]}",
            sample=text,
            sample_partition=0,
            sample_offset=offset,
        )
