"""What the log says of a file's columns, so that readers can leave it out: ends and nulls, as JSON."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

# What readers prune files by; statistics of the rest would only make the log larger.
STATISTICS = ("timestamp", "level", "service", "kafka_topic_id", "kafka_partition", "kafka_offset")

# A column with a longer value goes without statistics: a service named by a megabyte belongs into no log.
_LONGEST = 100


class FileStatistics:
    """Of rows that are written portion by portion."""

    def __init__(self) -> None:
        self.rows = 0
        self._lowest: dict[str, Any] = {}
        self._highest: dict[str, Any] = {}
        self._nulls: Counter[str] = Counter(dict.fromkeys(STATISTICS, 0))

    def add(self, rows: pa.Table) -> None:
        """Note a portion."""
        self.rows += len(rows)
        for name in STATISTICS:
            self._nulls[name] += rows[name].null_count
            ends = pc.min_max(rows[name])
            low, high = ends["min"].as_py(), ends["max"].as_py()
            if low is not None:
                self._lowest[name] = min(low, self._lowest.get(name, low))
                self._highest[name] = max(high, self._highest.get(name, high))

    def to_json(self) -> str:
        """As an add action carries it."""
        kept = [name for name, low in self._lowest.items() if _is_short(low) and _is_short(self._highest[name])]
        lowest = {name: _plain(self._lowest[name]) for name in kept}
        highest = {name: _plain(self._highest[name]) for name in kept}
        return json.dumps(
            {"numRecords": self.rows, "minValues": lowest, "maxValues": highest, "nullCount": dict(self._nulls)}
        )


def _plain(value: Any) -> Any:
    return f"{value:%Y-%m-%dT%H:%M:%S.%fZ}" if isinstance(value, datetime) else value


def _is_short(value: Any) -> bool:
    return not isinstance(value, str) or len(value) <= _LONGEST
