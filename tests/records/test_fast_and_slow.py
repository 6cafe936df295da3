"""However a batch is read, fast, slow, whole or in parts, its rows are the same."""

from __future__ import annotations

from datetime import timedelta
from random import Random
from typing import Any

import orjson
import pyarrow as pa
from hypothesis import example, given
from hypothesis import strategies as st

from faultline.records import fingerprints, json_columns, json_records, levels, times
from faultline.records.decode import decode
from faultline.records.fields import field_paths
from faultline.settings import TopicConfig
from faultline.testing.records import raw_table

TOPIC = TopicConfig(name="app", count_labels=("status", "http.route"))
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


junk = (
    st.none()
    | st.binary(max_size=12)
    | st.sampled_from([b"", b"{", b"{}{}", b"{}\n", b'{"level":NaN}', b'{"msg":"\xff"}'])
)
batches = alike() | st.lists(records, min_size=1, max_size=8)


# With few samples most guesses at a field's type are made without the record that proves them wrong.
samples = st.sampled_from([1, 8])


@given(batches, samples)
@example([{"ts": 1}, {"ts": 1.5}], 8)
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


@given(batches.flatmap(lambda batch: st.tuples(st.just(batch), st.lists(junk, max_size=3), st.integers(0, len(batch)))))
def test_a_batch_is_the_sum_of_its_parts(case: tuple[list[dict[str, Any]], list[bytes | None], int]) -> None:
    batch, bad, cut = case
    raw = raw_table([*bad, *map(orjson.dumps, batch)])
    whole = decode(raw, TOPIC, event_time_span=timedelta(days=7))
    parts = [decode(part, TOPIC, event_time_span=timedelta(days=7)) for part in (raw.slice(0, cut), raw.slice(cut))]
    assert whole.to_pylist() == pa.concat_tables(parts).to_pylist()
    assert whole["raw"].to_pylist() == raw["raw"].to_pylist()


epochs = st.integers(-(2**63), 2**63 - 1).map(str) | st.floats(-1e19, 1e19).map(repr)


@given(
    st.lists(st.none() | times_as_text, max_size=5)
    | st.lists(st.none() | epochs, max_size=5)
    | st.lists(st.text(max_size=6))
)
def test_a_column_of_times_is_its_times(texts: list[str | None]) -> None:
    expected = [None if text is None else times.parse_time(text) for text in texts]
    assert times.parse_times(pa.array(texts, pa.string())).to_pylist() == expected


@given(st.lists(st.none() | st.text(max_size=6) | st.sampled_from(["warn", "30", "3", "FATAL"])))
def test_a_column_of_levels_is_its_levels(texts: list[str | None]) -> None:
    expected = [None if text is None else levels.normalise_level(text) for text in texts]
    assert levels.normalise_levels(pa.array(texts, pa.string())).to_pylist() == expected


@given(st.lists(st.tuples(st.none() | st.text(max_size=4), st.none() | st.text(max_size=12))))
def test_a_column_of_fingerprints_is_its_fingerprints(rows: list[tuple[str | None, str | None]]) -> None:
    kinds, messages = pa.array([row[0] for row in rows], pa.string()), pa.array([row[1] for row in rows], pa.string())
    assert fingerprints.fingerprints(kinds, messages).to_pylist() == [fingerprints.fingerprint(*row) for row in rows]
