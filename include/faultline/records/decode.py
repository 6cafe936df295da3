"""A batch of raw records → the columns of the archive and of the counts; the same rows in the same order.

Nothing a record holds is an error: what no parser understands is a row with ``parse_error``.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from faultline.records.columns import Columns
from faultline.records.distinct import map_distinct
from faultline.records.fields import field_paths
from faultline.records.fingerprints import fingerprints
from faultline.records.json_batches import parse_json
from faultline.records.levels import WARNING_AND_ABOVE, normalise_levels
from faultline.records.lines import parse_nginx, parse_text
from faultline.records.schema import EVENT_SCHEMA, LABEL_PREFIX
from faultline.records.source import RAW_SCHEMA
from faultline.records.stacks import exception_type
from faultline.records.times import in_zone, parse_times
from faultline.topicfile import TopicConfig, TopicFields

# Larger slices are no faster, and a record that spoils the fast way spoils it for the whole slice.
_SLICE = 2**15
_LINES = {"nginx": parse_nginx, "text": parse_text}
_NO_FIELDS = TopicFields(**dict.fromkeys(TopicFields.model_fields, ()))
# Years of four digits, in microseconds: what a folder can be named by and every reader's calendar has.
_EARLIEST, _LATEST = -30_610_224_000_000_000, 253_402_300_799_999_999


def decoded_schema(topic: TopicConfig) -> pa.Schema:
    """EVENT_SCHEMA and a ``label.<name>`` column per count label of the topic."""
    labels = [pa.field(LABEL_PREFIX + name, pa.string()) for name in topic.count_labels]
    return pa.schema([*EVENT_SCHEMA, *labels])


def decode(raw: pa.Table, topic: TopicConfig, *, event_time_span: timedelta) -> pa.Table:
    """RAW_SCHEMA → ``decoded_schema(topic)``.

    An event time that is missing, or further than ``event_time_span`` from Kafka's timestamp, gives way to Kafka's.
    """
    parts = [_parse(piece, topic) for chunk in raw["raw"].chunks for piece in _slices(chunk)]
    if not parts:
        return decoded_schema(topic).empty_table()
    columns = {name: pa.concat_arrays([part[name] for part in parts]) for name in parts[0]}
    columns |= _defaults(columns, topic) | _exceptions(columns)
    columns["level"] = normalise_levels(columns["level"], topic.levels)
    columns["fingerprint"] = _fingerprints(columns)
    columns |= _event_times(
        _written(columns["timestamp"], topic), raw["kafka_timestamp"].combine_chunks(), event_time_span
    )
    kept = {name: raw[name] for name in raw.column_names}
    schema = decoded_schema(topic)
    return pa.table([(columns | kept)[name] for name in schema.names], schema=schema)


def read_fields(raw: pa.Table, topic: TopicConfig, names: Sequence[str]) -> dict[str, pa.Array]:
    """Only the records' own fields of these names, as texts: what count labels of these names would be."""
    bare = topic.model_copy(update={"fields": _NO_FIELDS, "count_labels": tuple(names)})
    # Times do not matter: whichever is trusted, the fields are the same.
    found = decode(raw.select(RAW_SCHEMA.names), bare, event_time_span=timedelta(0))
    return {name: found[LABEL_PREFIX + name].combine_chunks() for name in names}


def _slices(chunk: pa.Array) -> list[pa.Array]:
    return [chunk.slice(start, _SLICE) for start in range(0, len(chunk), _SLICE)]


def _parse(raw: pa.Array, topic: TopicConfig) -> Columns:
    """A string column per field the records have, as they write it, and ``parse_error``."""
    fields = field_paths(topic)
    if topic.format in _LINES:
        columns, errors = _LINES[topic.format](raw, topic)
        columns |= {"parse_error": errors}
    else:
        columns = parse_json(raw, fields)
    empty = pa.nulls(len(raw), pa.string())
    return {name: columns.get(name, empty) for name in (*fields.paths, "parse_error")}


def _defaults(columns: Columns, topic: TopicConfig) -> Columns:
    defaults = {"service": topic.service, "environment": topic.environment}
    return {name: columns[name].fill_null(value) for name, value in defaults.items() if value is not None}


def _exceptions(columns: Columns) -> Columns:
    from_stack = map_distinct(columns["stack_trace"], exception_type, pa.string())
    return {"exception_type": pc.coalesce(columns["exception_type"], from_stack)}


def _fingerprints(columns: Columns) -> pa.Array:
    chosen = pc.is_in(columns["level"], pa.array(WARNING_AND_ABOVE))
    found = fingerprints(*(columns[name].filter(chosen) for name in ("exception_type", "message", "stack_trace")))
    return pc.replace_with_mask(pa.nulls(len(chosen), pa.string()), chosen, found)


def _written(texts: pa.Array, topic: TopicConfig) -> pa.Array:
    """The times that records name, as int64; null where there is none."""
    times = _on_calendar(parse_times(texts))
    return times if topic.timezone is None else _on_calendar(in_zone(texts, times, ZoneInfo(topic.timezone)))


def _event_times(written: pa.Array, kafka: pa.Array, span: timedelta) -> Columns:
    """``timestamp`` and ``time_source``. Without any time at all it is the epoch, from "kafka"."""
    arrived = _on_calendar(kafka.cast(pa.int64()))
    distance = pc.abs(pc.subtract(written, arrived))
    near = pc.less_equal(distance, span // timedelta(microseconds=1)).fill_null(True)
    trusted = pc.and_(pc.is_valid(written), near)
    times = pc.if_else(trusted, written, arrived).fill_null(0)
    return {
        "timestamp": times.cast(pa.timestamp("us", tz="UTC")),
        "time_source": pc.if_else(trusted, "record", "kafka"),
    }


def _on_calendar(times: pa.Array) -> pa.Array:
    known = pc.and_(pc.greater_equal(times, _EARLIEST), pc.less_equal(times, _LATEST))
    return pc.if_else(known, times, pa.scalar(None, pa.int64()))
