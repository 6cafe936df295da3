"""The slow way through JSON records: one by one, saying of each what is wrong with it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import pyarrow as pa

from faultline.records.fields import FieldPaths, Path

_BOM = "\ufeff"
_KINDS = {list: "a list", str: "a string", int: "a number", float: "a number", bool: "a truth value"}

# Records whose keys are data are all different: remembering them would help nobody.
_MOST_KINDS = 1000


@dataclass(frozen=True, slots=True)
class Unreadable(Exception):
    """No parser understands the record; the reason says what is wrong and where."""

    reason: str


def parse_records(raw: pa.Array, fields: FieldPaths) -> tuple[dict[str, pa.Array], pa.Array]:
    """A string column per field, and per record why it could not be read, or null."""
    columns: dict[str, list[str | None]] = {name: [None] * len(raw) for name in fields.paths}
    errors: list[str | None] = [None] * len(raw)
    places = _Places(fields)
    for row, value in enumerate(raw.to_pylist()):
        try:
            record = load_record(value)
        except Unreadable as unreadable:
            errors[row] = unreadable.reason
            continue
        for name, paths in places.of(record):
            columns[name][row] = _choose(record, name, paths, fields)
    return {name: pa.array(column, pa.string()) for name, column in columns.items()}, pa.array(errors, pa.string())


class _Places:
    """Where to look in a record: the paths that begin with one of its keys, found once for all records alike."""

    def __init__(self, fields: FieldPaths) -> None:
        self._fields = fields
        self._known: dict[tuple[str, ...], list[tuple[str, tuple[Path, ...]]]] = {}

    def of(self, record: dict[str, Any]) -> list[tuple[str, tuple[Path, ...]]]:
        keys = tuple(record)
        if (places := self._known.get(keys)) is None:
            places = self._find(record)
            if len(self._known) < _MOST_KINDS:
                self._known[keys] = places
        return places

    def _find(self, record: dict[str, Any]) -> list[tuple[str, tuple[Path, ...]]]:
        found = [(name, tuple(p for p in paths if p[0] in record)) for name, paths in self._fields.paths.items()]
        return [(name, paths) for name, paths in found if paths]


def load_record(value: bytes | None) -> dict[str, Any]:
    """The JSON object in a message's value; Unreadable says why there is none.

    NaN, infinities, numbers beyond 64 bits and unpaired surrogates are no JSON, yet Python's own writers produce them,
    and some of .NET's put a byte order mark in front: they are accepted.
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
        return json.loads(value.decode().removeprefix(_BOM))
    except UnicodeDecodeError as error:
        raise Unreadable(f"not UTF-8: {error.reason} at byte {error.start}") from None
    except RecursionError:
        raise Unreadable("not JSON: nested too deeply") from None
    except ValueError as error:
        raise Unreadable(f"not JSON: {error}") from None


def _choose(record: dict[str, Any], name: str, paths: Sequence[Path], fields: FieldPaths) -> str | None:
    """The text at the first path that has one; each path begins with a key of the record."""
    for path in paths:
        value = record[path[0]]
        for key in path[1:]:
            value = value.get(key) if isinstance(value, dict) else None
        if type(value) is str and value.isascii():
            if value:
                return value
        elif value is not None and (text := _text(value, name, fields)):
            return text
    return None


def _text(value: Any, name: str, fields: FieldPaths) -> str | None:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
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
