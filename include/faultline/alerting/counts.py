"""Decoded records → error counts: how many records with these labels fell into each event-time bucket.

Pure. Knows columns, labels and buckets; refuses to know where records come from and where counts go. Counts are
additive: the counts of a batch's parts, merged, are the counts of the batch.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from faultline.model import ErrorCount, Labels, OffsetRange, TopicPartition
from faultline.records.schema import LABEL_PREFIX
from faultline.topicfile import TopicConfig

LABEL_COLUMNS = ("service", "environment", "host", "level", "logger", "exception_type")
SAMPLE_LENGTH = 500
# A label is a name, not a text: a record that puts a megabyte into `service` must not put it into every index.
LABEL_LENGTH = 200

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
Codes = npt.NDArray[np.int64]


def count_events(events: pa.Table, topic: TopicConfig, *, bucket: timedelta) -> list[ErrorCount]:
    """Counts per epoch-aligned bucket, labels and fingerprint, for records of every level.

    ``events`` has EVENT_SCHEMA and a ``label.<name>`` column per count label of the topic. A null or empty field is an
    absent label. A record no parser understood is counted with the label ``parse_error="true"``. The sample is the
    group's earliest record (then lowest partition and offset), its message or, without one, its raw text.
    """
    if not len(events):
        return []
    columns = [_encode(name, column) for name, column in _label_columns(events, topic)]
    fingerprints = _encode("fingerprint", events["fingerprint"])
    times = _microseconds(events["timestamp"])
    frame = pd.DataFrame(
        {
            "bucket": times // (bucket // _MICROSECOND),
            "labels": _combine([column.codes for column in columns]),
            "fingerprint": fingerprints.codes,
            "time": times,
            "partition": events["kafka_partition"].to_numpy(),
            "offset": events["kafka_offset"].to_numpy(),
        }
    )
    groups = _group(frame)
    rows = groups["row"].to_numpy()
    labels = _labels_of(groups["labels"].to_numpy(), rows, columns, topic.name)
    names = fingerprints.values_at(rows)
    return [
        ErrorCount(
            bucket_start=_EPOCH + bucket * int(number),
            labels=labels[code],
            count=int(count),
            first_ts=_EPOCH + timedelta(microseconds=int(first)),
            last_ts=_EPOCH + timedelta(microseconds=int(last)),
            fingerprint=name,
            sample=sample,
            sample_partition=int(partition),
            sample_offset=int(offset),
        )
        for (number, code, count, first, last, partition, offset), name, sample in zip(
            groups[["bucket", "labels", "count", "first", "last", "partition", "offset"]].itertuples(index=False),
            names,
            _samples(events, rows),
            strict=True,
        )
    ]


def merge_counts(counts: Iterable[ErrorCount]) -> list[ErrorCount]:
    """Sum counts that agree in bucket, labels and fingerprint; sorted by these."""
    ordered = sorted(counts, key=_identity)
    return [_sum(list(group)) for _, group in groupby(ordered, key=_identity)]


def complete_to(
    events: pa.Table, ranges: Sequence[OffsetRange], *, caught_up: Collection[TopicPartition], at: datetime
) -> dict[TopicPartition, datetime]:
    """The event time up to which each partition of ``ranges`` is known, none later than ``at``.

    That is the latest event time read from it; for a partition seen caught up with the broker's end it is ``at``, so
    that an idle partition does not hold the watermark back. A partition of which nothing is known is left out.
    """
    latest = pa.TableGroupBy(events, ["kafka_topic_id", "kafka_partition"]).aggregate([("timestamp", "max")])
    seen = {(row["kafka_topic_id"], row["kafka_partition"]): row["timestamp_max"] for row in latest.to_pylist()}
    known: dict[TopicPartition, datetime] = {}
    for partition in (span.partition for span in ranges):
        time = at if partition in caught_up else seen.get((partition.topic_id, partition.partition))
        if time is not None:
            known[partition] = min(time.astimezone(UTC), at)
    return known


def none_from_the_future(events: pa.Table, at: datetime | Sequence[datetime], tolerance: timedelta) -> pa.Table:
    """Events whose time is more than ``tolerance`` after ``at``, when they came, happened then: a clock is ahead.

    In a bucket that is still to come they would not be looked at until it does. The archive keeps the time they claim.
    """
    times = events["timestamp"]
    came = pa.scalar(at, times.type) if isinstance(at, datetime) else pa.array(at, times.type)
    ahead = pc.greater(times, pc.add(came, pa.scalar(tolerance, pa.duration("us"))))
    return events.set_column(
        events.schema.get_field_index("timestamp"), events.schema.field("timestamp"), pc.if_else(ahead, came, times)
    )


@dataclass(frozen=True, slots=True)
class _Column:
    """A text column as small numbers: the position in ``values``, or -1 for absent."""

    name: str
    codes: Codes
    values: Sequence[str]

    def values_at(self, rows: Codes) -> list[str | None]:
        return [self.values[code] if code >= 0 else None for code in self.codes[rows]]


def _label_columns(events: pa.Table, topic: TopicConfig) -> Iterable[tuple[str, pa.ChunkedArray]]:
    for name in LABEL_COLUMNS:
        yield name, events[name]
    for name in topic.count_labels:
        if LABEL_PREFIX + name in events.column_names:
            yield name, events[LABEL_PREFIX + name]
    broken = pc.is_valid(events["parse_error"])
    yield "parse_error", pc.if_else(broken, "true", pa.scalar(None, pa.string()))


def _encode(name: str, column: pa.ChunkedArray) -> _Column:
    encoded = column.combine_chunks().dictionary_encode()
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    texts = pd.Series(pc.utf8_slice_codeunits(encoded.dictionary, 0, LABEL_LENGTH).to_pylist(), dtype=object)
    # Values that were cut may now be equal, and an empty one is absent: number them again.
    numbers, values = pd.factorize(texts.where(texts != "", None))
    return _Column(name, np.append(numbers, -1).astype(np.int64)[codes], list(values))


def _combine(columns: Sequence[Codes]) -> Codes:
    """One number per distinct combination of codes, dense from 0, so that the next product cannot overflow."""
    combined: Codes = np.zeros(len(columns[0]), dtype=np.int64)
    for codes in columns:
        if (width := int(codes.max()) + 2) > 1:
            combined = pd.factorize(combined * width + codes + 1)[0].astype(np.int64)
    return combined


def _group(frame: pd.DataFrame) -> pd.DataFrame:
    """One line per group with count, first and last time, and the row, partition and offset of its earliest record."""
    keys = ["bucket", "labels", "fingerprint"]
    number = _combine([pd.factorize(frame[key])[0].astype(np.int64) for key in keys])
    grouped = frame["time"].groupby(number, sort=False)
    totals = grouped.agg(count="size", first="min", last="max")
    earliest = frame[frame["time"].to_numpy() == totals["first"].to_numpy()[number]]
    earliest = earliest.assign(number=number[earliest.index], row=earliest.index)
    samples = earliest.sort_values(["number", "partition", "offset"]).drop_duplicates("number").set_index("number")
    lines: pd.DataFrame = totals.join(samples)
    return lines


def _labels_of(codes: Codes, rows: Codes, columns: Sequence[_Column], topic: str) -> dict[int, Labels]:
    """The labels behind each combined code, built once per combination."""
    distinct, where = np.unique(codes, return_index=True)
    chosen = rows[where]
    named = [(column.name, column.values_at(chosen)) for column in columns]
    return {
        int(code): Labels({name: value for name, values in named if (value := values[index])}, topic=topic)
        for index, code in enumerate(distinct)
    }


def _samples(events: pa.Table, rows: Codes) -> list[str | None]:
    chosen = events.select(["message", "raw"]).take(pa.array(rows))
    messages = pc.utf8_slice_codeunits(chosen["message"], 0, SAMPLE_LENGTH).to_pylist()
    raws = pc.binary_slice(chosen["raw"], 0, 4 * SAMPLE_LENGTH).to_pylist()
    return [_text(raw) if message is None else message for message, raw in zip(messages, raws, strict=True)]


def _text(raw: bytes | None) -> str | None:
    return raw.decode("utf-8", "replace")[:SAMPLE_LENGTH] if raw is not None else None


def _microseconds(column: pa.ChunkedArray) -> Codes:
    times: Codes = column.cast(pa.int64()).to_numpy()
    return times


def _identity(count: ErrorCount) -> tuple[Any, ...]:
    return count.bucket_start, tuple(count.labels.items()), count.fingerprint or ""


def _sum(group: Sequence[ErrorCount]) -> ErrorCount:
    earliest = min(group, key=lambda count: (count.first_ts, count.sample_partition or 0, count.sample_offset or 0))
    return replace(earliest, count=sum(count.count for count in group), last_ts=max(count.last_ts for count in group))
