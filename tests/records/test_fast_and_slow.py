"""However a batch is read, fast, slow, whole or in parts, its rows are the same."""

from __future__ import annotations

from datetime import timedelta
from random import Random
from typing import Any

import orjson
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from faultline.records import fingerprints, json_batches, json_columns, json_records, levels, times
from faultline.records.decode import decode
from faultline.records.fields import field_paths
from faultline.testing.records import raw_table
from faultline.topicfile import TopicConfig
from tests.records.hostile import HOSTILE, LINES

SPAN = timedelta(days=7)
TOPIC = TopicConfig(name="app", count_labels=("status", "http.route"))
PATTERNS = (
    r"^(?P<timestamp>\S+) (?P<level>\w+) (?P<message>.*)$",
    r"^(?P<logger>\w+): ?(?P<tenant>\d*)",
    r"^(?P<msg>\S)$",
)
TOPICS = {
    "json": TOPIC,
    "zone and levels": TopicConfig(name="app", timezone="Europe/Berlin", levels={"30": "INFO", "AUDIT": "WARNING"}),
    "deep names": TopicConfig(name="app", fields={"service": "http.route.level", "host": ["log.host", "status"]}),
    "combined": TopicConfig(name="web", format="nginx", count_labels=("status", "path")),
    "log_format": TopicConfig(
        name="web",
        format="nginx",
        log_format='$msec $host$uri [$time_local] "$request" $status $http_x',
        timezone="UTC",
    ),
    "text": TopicConfig(name="text", format="text"),
    "patterns": TopicConfig(name="text", format="text", patterns=PATTERNS, count_labels=("tenant",)),
}
FIELDS = field_paths(TOPIC)
KEYS = sorted({key for paths in FIELDS.paths.values() for path in paths for key in path} | {"other", "extra"})

numbers = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
times_as_text = st.datetimes().map(lambda time: time.isoformat()) | st.sampled_from(
    [
        "2026-11-22T11:00:00Z",
        "2026-11-22 11:00:00,5",
        "2026-11-22T11:00:00.123+08:00",
        "1795345200",
        "1795345200.5",
        "0x10",
        "2026/11/22 11:00:00",
        "2026-11-22 11:00:00 +0100 CET",
        "2026-11-22T23:59:60z",
        "22/Nov/2026:13:00:00 +0200",
        "2026-11-22",
    ]
)
leaves = (
    st.none()
    | st.booleans()
    | numbers
    | st.text(max_size=8)
    | times_as_text
    | st.lists(st.text(max_size=3), max_size=2)
)
values = st.recursive(leaves, lambda inner: st.dictionaries(st.sampled_from(KEYS), inner, max_size=3), max_leaves=4)
records = st.dictionaries(st.sampled_from(KEYS), values, max_size=6)


@st.composite
def alike(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Records of one program: the same keys with values of the same kind, some missing."""
    kinds = [st.text(max_size=8), st.integers(-(2**53), 2**60), st.floats(-1e12, 1e12), st.booleans(), times_as_text]
    shape = {key: draw(st.sampled_from(kinds)) for key in draw(st.lists(st.sampled_from(KEYS), max_size=6))}
    inner = {key: draw(st.sampled_from(kinds)) for key in draw(st.lists(st.sampled_from(KEYS), max_size=4))}
    optional: dict[str, Any] = {
        **shape,
        draw(st.sampled_from(["@fields", "log", "host"])): st.fixed_dictionaries({}, optional=inner),
    }
    return draw(st.lists(st.fixed_dictionaries({}, optional=optional), min_size=1, max_size=12))


hostile = st.sampled_from(HOSTILE)
junk = st.none() | st.binary(max_size=12) | hostile
batches = alike() | st.lists(records, min_size=1, max_size=8)


# With few samples most guesses at a field's type are made without the record that proves them wrong.
samples = st.sampled_from([1, 8])


@given(batches, samples)
@example([{"ts": 1}, {"ts": 1.5}], 8)
@example([{"levelname": "INFO", "x": 1}, {"level": "ERROR"}], 1)
@example([{"status": 10**10}, {"status": 0.5}], 8)
@example([{"exception": ["a\n", "b\n"]}, {"exception": []}], 8)
@example([{"service": {"name": "a"}}, {"service": {"name": "b", "environment": "c"}}], 1)
def test_the_fast_way_reads_what_the_slow_way_reads(batch: list[dict[str, Any]], seen: int) -> None:
    raw = pa.array([orjson.dumps(record) for record in batch], pa.large_binary())
    slow, errors = json_records.parse_records(raw, FIELDS)
    fast = json_columns.parse_columns(raw, FIELDS, samples=seen)
    assert errors.null_count == len(raw)
    assert fast is None or {name: column.to_pylist() for name, column in fast.items()} == {
        name: column.to_pylist() for name, column in slow.items()
    }


@pytest.mark.parametrize("value", HOSTILE, ids=lambda value: repr(value[:40]))
def test_a_hostile_record_alone_and_among_others_is_read_the_same_fast_and_slow(value: bytes) -> None:
    usual = orjson.dumps({"msg": "m", "level": "INFO", "ts": 1795345200, "log": {"level": "x"}})
    for batch in ([value], [usual, value, usual], [value] * 3 + [usual] * 20):
        raw = pa.array(batch, pa.large_binary())
        slow, errors = json_records.parse_records(raw, FIELDS)
        assert _lists(json_batches.parse_json(raw, FIELDS)) == _lists(slow | {"parse_error": errors})


@given(st.lists(junk, min_size=1, max_size=6), alike(), samples, st.randoms())
def test_junk_never_makes_the_fast_way_differ(
    bad: list[bytes | None], batch: list[dict[str, Any]], seen: int, random: Random
) -> None:
    values = [*map(orjson.dumps, batch), *bad]
    random.shuffle(values)
    raw = pa.array(values, pa.large_binary())
    slow, errors = json_records.parse_records(raw, FIELDS)
    fast = json_columns.parse_columns(raw, FIELDS, samples=seen)
    assert fast is None or (errors.null_count == len(raw) and all(fast[name].equals(slow[name]) for name in slow))


def test_records_of_one_program_go_the_fast_way() -> None:
    batch = [
        {"@message": "m", "@fields": {"levelname": "INFO", "status": 1, "exception": ["a\n"]}, "x": number}
        for number in range(50)
    ]
    raw = pa.array([orjson.dumps(record) for record in batch], pa.large_binary())
    assert json_columns.parse_columns(raw, FIELDS) is not None


def test_a_rare_traceback_does_not_spoil_the_fast_way() -> None:
    usual = [{"@message": "m", "@fields": {"levelname": "INFO"}} for _ in range(999)]
    rare = {"@message": "m", "@fields": {"levelname": "ERROR", "exception": ["Traceback\n", "  x\n", "E: y\n"]}}
    raw = pa.array([orjson.dumps(record) for record in [*usual[:500], rare, *usual[500:]]], pa.large_binary())
    fast = json_columns.parse_columns(raw, FIELDS)
    assert fast is not None
    assert fast["stack_trace"][500].as_py() == "Traceback\n  x\nE: y\n"


@given(st.lists(junk, min_size=1, max_size=6), alike(), st.randoms())
def test_what_the_fast_way_refuses_is_set_apart_and_comes_back_in_its_place(
    bad: list[bytes | None], batch: list[dict[str, Any]], random: Random
) -> None:
    values = [*map(orjson.dumps, batch), *bad]
    random.shuffle(values)
    raw = pa.array(values, pa.large_binary())
    slow, errors = json_records.parse_records(raw, FIELDS)
    assert _lists(json_batches.parse_json(raw, FIELDS)) == _lists(slow | {"parse_error": errors})


anything = st.lists(
    junk | records.map(orjson.dumps) | st.sampled_from(LINES) | st.text(max_size=20).map(lambda text: text.encode()),
    min_size=1,
    max_size=8,
)


@pytest.mark.parametrize("topic", TOPICS.values(), ids=TOPICS)
@settings(max_examples=25)
@given(anything, st.integers(0, 8))
def test_a_batch_of_any_format_is_the_sum_of_its_records(
    topic: TopicConfig, batch: list[bytes | None], cut: int
) -> None:
    raw = raw_table(batch)
    whole = decode(raw, topic, event_time_span=SPAN)
    singles = [raw.slice(row, 1) for row in range(cut, len(batch))]
    parts = [decode(part, topic, event_time_span=SPAN) for part in (raw.slice(0, cut), *singles)]
    assert whole.equals(pa.concat_tables(parts))
    assert whole["raw"].to_pylist() == batch


def _lists(columns: dict[str, pa.Array]) -> dict[str, list[str | None]]:
    return {name: column.to_pylist() for name, column in columns.items()}


epochs = st.integers(-(2**63), 2**63 - 1).map(str) | st.floats(-1e19, 1e19).map(repr)


@given(
    st.lists(st.none() | times_as_text, max_size=5)
    | st.lists(st.none() | epochs, max_size=5)
    | st.lists(st.text(max_size=6))
)
def test_a_column_of_times_is_its_times(texts: list[str | None]) -> None:
    expected = [None if text is None else times.parse_time(text) for text in texts]
    assert times.parse_times(pa.array(texts, pa.string())).to_pylist() == expected


@given(st.lists(st.none() | st.text(max_size=6) | st.sampled_from(["warn", "30", "3", "FATAL", "[crit]", "Level 5"])))
def test_a_column_of_levels_is_its_levels(texts: list[str | None]) -> None:
    own = {"30": "INFO"}
    expected = [None if text is None else levels.normalise_level(text, own) for text in texts]
    assert levels.normalise_levels(pa.array(texts, pa.string()), own).to_pylist() == expected


stacks = st.none() | st.text(max_size=12) | st.sampled_from(['File "a.py", line 1, in f', "x\n\tat a.B.c(B.java:1)"])


@given(st.lists(st.tuples(st.none() | st.text(max_size=4), st.none() | st.text(max_size=12), stacks)))
def test_a_column_of_fingerprints_is_its_fingerprints(rows: list[tuple[str | None, str | None, str | None]]) -> None:
    columns = [pa.array([row[column] for row in rows], pa.string()) for column in range(3)]
    assert fingerprints.fingerprints(*columns).to_pylist() == [fingerprints.fingerprint(*row) for row in rows]
