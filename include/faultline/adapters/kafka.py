"""Kafka as a RecordSource: planned ranges in, batches of raw bytes out; no group subscription.

Every call ends in bounded time: with an answer, a TransientError (broker away) or a PermanentError (no such topic, not
allowed, range gone). Offsets are read committed: the high mark is the last stable offset.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from datetime import datetime, timedelta
from typing import Any, Self

import pyarrow as pa
from confluent_kafka import ConsumerGroupTopicPartitions, IsolationLevel, KafkaException, TopicCollection
from confluent_kafka import TopicPartition as Position
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._listoffsets import OffsetSpec

from faultline.adapters.kafka_errors import NOT_READY, faultline_error, is_unknown_topic
from faultline.adapters.kafka_reader import RangeReader
from faultline.errors import FaultlineError, LostRange, PermanentError, TopicMissing, TransientError
from faultline.model import OffsetRange, TopicPartition

_LOG = logging.getLogger(__name__)
_TIMEOUT = timedelta(seconds=8)
_PAUSE = 0.1
_SPEC: Any = OffsetSpec  # its constructors carry no types


class KafkaSource:
    """Reads topics of one cluster. Opens connections when first asked, keeps them until ``close``; not thread-safe.

    ``properties`` are further librdkafka properties, such as security.protocol.
    """

    def __init__(
        self, bootstrap_servers: str, properties: Mapping[str, str] | None = None, *, timeout: timedelta = _TIMEOUT
    ) -> None:
        self._timeout = timeout.total_seconds()
        self._properties: dict[str, str | int | float | bool] = {
            "socket.timeout.ms": str(round(self._timeout * 1000)),
            "socket.connection.setup.timeout.ms": str(min(5000, round(self._timeout * 1000))),
            **(properties or {}),
            "bootstrap.servers": bootstrap_servers,
        }
        self._admin: AdminClient | None = None
        self._reader: RangeReader | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give up the connections."""
        if self._reader is not None:
            self._reader.close()
        self._reader = self._admin = None

    def brokers(self) -> int:
        """How many brokers there are."""
        try:
            [answer] = self._ask(
                lambda admin, timeout: {"cluster": admin.describe_cluster(request_timeout=timeout)}
            ).values()
        except KafkaException as error:
            raise self._fault(error, "asking for the brokers") from error
        return len(answer.nodes)

    def partitions(self, topic: str) -> tuple[TopicPartition, ...]:
        """The topic's partitions with its current id, by number; PermanentError when the topic does not exist."""
        try:
            [answer] = self._ask(
                lambda admin, timeout: admin.describe_topics(TopicCollection([topic]), request_timeout=timeout)
            ).values()
        except KafkaException as error:
            if is_unknown_topic(error):
                raise TopicMissing(topic) from error
            raise self._fault(error, f"describing topic {topic!r}") from error
        # librdkafka writes the id in base64, Kafka's own tools in its URL-safe form.
        topic_id = str(answer.topic_id).translate(str.maketrans("+/", "-_", "="))
        return tuple(
            TopicPartition(topic, topic_id, number) for number in sorted(part.id for part in answer.partitions)
        )

    def watermarks(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, OffsetRange]:
        """The offsets the broker holds of each partition, ``[low, high)``; high is the last stable offset."""
        low = self._offsets(partitions, _SPEC.earliest())
        high = self._offsets(partitions, _SPEC.latest())
        # A partition emptied between the two answers has its low mark above the older high mark.
        return {part: OffsetRange(part, low[part], max(low[part], high[part])) for part in partitions}

    def offsets_at(self, partitions: Sequence[TopicPartition], at: datetime) -> dict[TopicPartition, int]:
        """The first offset whose timestamp is at or after ``at``; the high mark where there is none."""
        high = self._offsets(partitions, _SPEC.latest())
        found = self._offsets(partitions, _SPEC.for_timestamp(round(at.timestamp() * 1000)))
        return {part: min(found[part], high[part]) if found[part] >= 0 else high[part] for part in partitions}

    def ends_at(self, partitions: Sequence[TopicPartition], at: datetime) -> dict[TopicPartition, int]:
        """As ``offsets_at``, counting what belongs to undecided transactions: the log's end where there is none."""
        level = IsolationLevel.READ_UNCOMMITTED
        end = self._offsets(partitions, _SPEC.latest(), level)
        found = self._offsets(partitions, _SPEC.for_timestamp(round(at.timestamp() * 1000)), level)
        return {part: found[part] if found[part] >= 0 else end[part] for part in partitions}

    def read(
        self, ranges: Sequence[OffsetRange], *, max_rows: int, max_bytes: int
    ) -> Iterator[tuple[pa.Table, tuple[OffsetRange, ...]]]:
        """Exactly the ranges, in batches, one topic after the other; see ``RecordSource``."""
        planned = [span for span in ranges if len(span)]
        if not planned:
            return
        self._check_generation(planned)
        self._check_held(planned)
        if self._reader is None:
            self._reader = RangeReader(self._properties, self._timeout, _LOG)
        for topic in sorted({span.partition.topic for span in planned}):
            mine = [span for span in planned if span.partition.topic == topic]
            for batch in self._reader.read(mine, max_rows=max_rows, max_bytes=max_bytes):
                # The broker knows names and numbers: only the id tells that they still mean the same records.
                self._check_generation(mine)
                yield batch

    def commit_group_offsets(self, group: str, positions: Mapping[TopicPartition, int]) -> None:
        """Copy positions to a consumer group, for lag tools; nobody reads them back."""
        if not positions:
            return
        offsets = [Position(part.topic, part.partition, offset) for part, offset in positions.items()]
        request = [ConsumerGroupTopicPartitions(group, offsets)]
        try:
            self._ask(lambda admin, timeout: admin.alter_consumer_group_offsets(request, request_timeout=timeout))
        except KafkaException as error:
            raise self._fault(error, f"committing offsets of group {group!r}") from error

    def _fault(self, error: KafkaException, doing: str) -> FaultlineError:
        return faultline_error(error, f"{doing} at {self._properties['bootstrap.servers']}")

    def _check_generation(self, ranges: Sequence[OffsetRange]) -> None:
        for topic in {span.partition.topic for span in ranges}:
            current = {part.topic_id for part in self.partitions(topic)}
            for span in ranges:
                if span.partition.topic == topic and span.partition.topic_id not in current:
                    raise PermanentError(
                        f"{span} belongs to topic id {span.partition.topic_id}, but the topic was deleted and created "
                        f"again as {', '.join(sorted(current))}: the range can no longer be read"
                    )

    def _check_held(self, ranges: Sequence[OffsetRange]) -> None:
        marks = self.watermarks([span.partition for span in ranges])
        lost = [
            OffsetRange(span.partition, span.start, min(span.end, marks[span.partition].start))
            for span in ranges
            if span.start < marks[span.partition].start
        ]
        if lost:
            raise LostRange(lost)
        for span in ranges:
            if span.end > marks[span.partition].end:
                raise PermanentError(f"{span} ends beyond the broker's last stable offset {marks[span.partition].end}")

    def _offsets(
        self,
        partitions: Sequence[TopicPartition],
        spec: OffsetSpec,
        level: IsolationLevel = IsolationLevel.READ_COMMITTED,
    ) -> dict[TopicPartition, int]:
        if not partitions:
            return {}
        request = {Position(part.topic, part.partition): spec for part in partitions}
        try:
            answers = self._ask(
                lambda admin, timeout: admin.list_offsets(request, isolation_level=level, request_timeout=timeout)
            )
        except KafkaException as error:
            raise self._fault(error, f"asking for offsets of {_names(partitions)}") from error
        offsets = {(place.topic, place.partition): answer.offset for place, answer in answers.items()}
        return {part: offsets[part.topic, part.partition] for part in partitions}

    def _ask(self, request: Callable[[AdminClient, float], Mapping[Any, Future[Any]]]) -> dict[Any, Any]:
        """All answers. What a topic just created answers until its leader is known is asked again, in the timeout."""
        if self._admin is None:
            self._admin = AdminClient(self._properties, logger=_LOG)
        end = time.monotonic() + self._timeout
        while True:
            try:
                futures = request(self._admin, max(1.0, end - time.monotonic()))
                return {key: future.result(self._timeout + 1) for key, future in futures.items()}
            except TimeoutError:
                servers = self._properties["bootstrap.servers"]
                raise TransientError(f"Kafka at {servers} did not answer within {self._timeout:g} s") from None
            except KafkaException as error:
                if error.args[0].code() not in NOT_READY or time.monotonic() + _PAUSE > end:
                    raise
            time.sleep(_PAUSE)


def _names(partitions: Iterable[TopicPartition]) -> str:
    return ", ".join(str(part) for part in partitions)
