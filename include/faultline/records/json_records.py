"""The slow way through JSON records: one by one, saying of each what is wrong with it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import pyarrow as pa

from faultline.records.fields import FieldPaths, Path

_KINDS = {list: "a list", str: "a string", int: "a number", float: "a number", bool: "a truth value"}


@dataclass(frozen=True, slots=True)
class Unreadable(Exception):
    """No parser understands the record; the reason says what is wrong and where."""

    reason: str


def parse_records(raw: pa.Array, fields: FieldPaths) -> tuple[dict[str, pa.Array], pa.Array]:
    """A string column per field, and per record why it could not be read, or null."""
    columns: dict[str, list[str | None]] = {name: [] for name in fields.paths}
    errors: list[str | None] = []
    for value in raw.to_pylist():
        try:
            record, error = load_record(value), None
        except Unreadable as unreadable:
            record, error = {}, unreadable.reason
        errors.append(error)
        for name, paths in fields.paths.items():
            columns[name].append(_choose(record, name, paths, fields))
    return {name: pa.array(column, pa.string()) for name, column in columns.items()}, pa.array(errors, pa.string())


def load_record(value: bytes | None) -> dict[str, Any]:
    """The JSON object in a message's value; Unreadable says why there is none.

    NaN, infinities, numbers beyond 64 bits and unpaired surrogates are no JSON, yet Python's own writers produce them:
    they are accepted.
    """
    if value is None:
        raise Unreadable("no value: the message is a tombstone")
    if not value:
        raise Unreadable("empty value")
    try:
        record = orjson.loads(value)
    except orjson.JSONDecodeError:
        record = _load_leniently(value)
    if not isinstance(record, dict):
        raise Unreadable(f"not a JSON object: {_KINDS.get(type(record), 'null')}")
    return record


def _load_leniently(value: bytes) -> Any:
    try:
        return json.loads(value.decode())
    except UnicodeDecodeError as error:
        raise Unreadable(f"not UTF-8: {error.reason} at byte {error.start}") from None
    except RecursionError:
        raise Unreadable("not JSON: nested too deeply") from None
    except ValueError as error:
        raise Unreadable(f"not JSON: {error}") from None


def _choose(record: dict[str, Any], name: str, paths: Sequence[Path], fields: FieldPaths) -> str | None:
    for path in paths:
        value: Any = record
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        if value is not None and (text := _text(value, name, fields)):
            return text
    return None


def _text(value: Any, name: str, fields: FieldPaths) -> str | None:
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "replace").decode()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        text: str = pa.scalar(value).cast(pa.string()).as_py()
        return text
    if name in fields.joined and isinstance(value, list) and all(isinstance(line, str) for line in value):
        return _lines(value)
    return _dump(value) if name in fields.dumped else None


def _lines(lines: Sequence[str]) -> str:
    ended = all(line.endswith("\n") for line in lines)
    return ("" if ended else "\n").join(lines).encode("utf-8", "replace").decode()


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace").decode()
