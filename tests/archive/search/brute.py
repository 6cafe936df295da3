"""The meaning of a query, row by row in plain Python: what every search must agree with. And an archive to search."""

from __future__ import annotations

import json
import operator
import random
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable, WriterProperties, write_deltalake

from faultline.adapters.delta import TopicTable
from faultline.adapters.delta_search import SearchedTopic
from faultline.archive.search.query import TEXT_COLUMNS, And, Compare, Match, Not, Or, Query, Word
from faultline.model import OffsetRange, TopicPartition
from faultline.records.decode import decode
from faultline.testing.records import NOON, raw_table
from faultline.topicfile import TopicConfig

Row = Mapping[str, Any]

_ORDERS = {"=": operator.eq, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
_MESSAGES = ["timeout after 5 ms", "TIMEOUT", "支付超时", 'said "no"', "x\x1b[31mred", "café", "", "ok"]


def answer(query: Query, row: Row) -> bool:
    """Whether the row, a dictionary of columns, matches."""
    if isinstance(query, Not):
        return not answer(query.operand, row)
    if isinstance(query, And):
        return all(answer(each, row) for each in query.operands)
    if isinstance(query, Or):
        return any(answer(each, row) for each in query.operands)
    if isinstance(query, Word):
        return _has_word(query.text, row)
    value = _own(query.field.name, row) if query.field.in_raw else _text(row[query.field.name])
    if value is None:
        return False
    if isinstance(query, Match):
        return re.search(query.pattern, value) is not None
    return _compare(query, value)


def _compare(query: Compare, value: Any) -> bool:
    wanted: Any = query.value
    if query.field.in_raw and query.order != "=" and re.fullmatch(r"-?\d+(\.\d+)?", str(wanted)):
        if not re.fullmatch(r"-?\d+(\.\d+)?", value):
            return False
        value, wanted = float(value), float(wanted)
    if isinstance(value, str):
        value, wanted = value.encode(), str(wanted).encode()
    return bool(_ORDERS[query.order](value, wanted))


def _has_word(word: str, row: Row) -> bool:
    texts = [_text(row[name]) or "" for name in TEXT_COLUMNS]
    written = {word, json.dumps(word)[1:-1], json.dumps(word, ensure_ascii=False)[1:-1]}
    return any(re.search(re.escape(word), text, re.IGNORECASE) for text in texts) or any(
        re.search(re.escape(form), texts[-1], re.IGNORECASE) for form in written
    )


def _own(name: str, row: Row) -> str | None:
    try:
        value = json.loads(row["raw"])[name]
    except (ValueError, KeyError, TypeError):
        return None
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, str | int | float) and value != "" else None


def _text(value: Any) -> Any:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def records(seed: int, rows: int) -> pa.Table:
    """RAW_SCHEMA with records of all kinds within three hours, and some that are none."""
    rng = random.Random(seed)
    values = [_record(rng) for _ in range(rows)]
    return raw_table(values, start=1000 * seed, partition=seed % 2)


def _record(rng: random.Random) -> bytes | None:
    broken: list[bytes | None] = [None, b"", b"\xff timeout", b"timeout"]
    if rng.random() < 0.08:
        return rng.choice(broken)
    record: dict[str, Any] = {
        "@timestamp": (NOON + timedelta(seconds=rng.choice([0, 3599, 3600, 7199, rng.randrange(10800)]))).isoformat(),
        "message": rng.choice(_MESSAGES),
        "level": rng.choice(["debug", "INFO", "WARN", "error", "CRITICAL", "AUDIT"]),
        "service": rng.choice(["pay", "checkout", "支付", ""]),
        "host": rng.choice(["a", "b", ""]),
        "n": rng.choice([1, 20, 3.5, "7", "x", True, None]),
    }
    if rng.random() < 0.2:
        record["exc_info"] = "Traceback …\n  File a.py\nValueError: Timeout"
    kept = {name: value for name, value in record.items() if rng.random() < 0.9}
    return json.dumps(kept, ensure_ascii=rng.random() < 0.5).encode()


def append(archive: str, raw: pa.Table, topic: str = "app") -> None:
    """One commit."""
    table = TopicTable.open_or_create(archive, topic)
    part = TopicPartition(topic, "generation-1", raw["kafka_partition"][0].as_py())
    start = raw["kafka_offset"][0].as_py()
    events = decode(raw, TopicConfig(name=topic), event_time_span=timedelta(days=7))
    position = table.positions([part])[part]
    gap = [] if position is None else [OffsetRange(part, position, start)]
    span = OffsetRange(part, start if position is None else position, start + len(raw))
    table.append(events, [span], explained=gap)


def compact(archive: str, topic: str = "app", group_rows: int = 64) -> None:
    """Few files, sorted by service and time, of small parts."""
    table = DeltaTable(f"{archive}/{topic}")
    rows = table.to_pyarrow_table().sort_by([("dt", "ascending"), ("hr", "ascending"), ("service", "ascending")])
    rows = rows.sort_by([("service", "ascending"), ("timestamp", "ascending")])
    properties = WriterProperties(compression="ZSTD", max_row_group_size=group_rows)
    write_deltalake(table, rows, mode="overwrite", partition_by=["dt", "hr"], writer_properties=properties)


def opened(archive: str, topic: str = "app") -> SearchedTopic:
    """The table's newest snapshot."""
    return SearchedTopic(TopicConfig(name=topic), TopicTable.open(archive, topic))
