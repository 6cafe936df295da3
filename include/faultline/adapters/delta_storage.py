"""The files below a table's folder, as Arrow's file system, every read of them watched.

deltalake 1.6.6 keeps the GIL while it opens a file whose size it does not know, lists a folder, or reads
``DeltaTable.history``: a server that hangs would stop the whole process. So sizes are asked for first, the log is read
as the files it is, and a listing begins only while the NameNode answers.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import chain, takewhile
from typing import Any

import pyarrow as pa
import pyarrow.fs
from deltalake import DeltaTable
from deltalake.fs import DeltaStorageHandler

from faultline.adapters.watch import Watch

_READERS = 8
_PORTION = 8


class WatchedStorage(DeltaStorageHandler):
    """A handler for ``pyarrow.fs.PyFileSystem``; it reads through the connection of the table it is of."""

    def __init__(self, table: DeltaTable, options: Mapping[str, str], watch: Watch) -> None:
        self._raw, self._options, self._watch = table._table, dict(options), watch
        self._handler = self._with_sizes({})

    def get_file_info(self, paths: list[str]) -> list[pyarrow.fs.FileInfo]:
        """What is at the paths."""
        return self._watch.request(super().get_file_info, paths)

    def get_file_info_selector(self, selector: pyarrow.fs.FileSelector) -> list[pyarrow.fs.FileInfo]:
        """What is below a folder."""
        self.get_file_info([selector.base_dir])
        return super().get_file_info_selector(selector)

    def open_input_file(self, path: str) -> pa.PythonFile:
        """To read anywhere in it."""
        [info] = self.get_file_info([path])
        if not info.is_file:
            return super().open_input_file(path)  # which says so
        return pa.PythonFile(_WatchedFile(self._open(path, info.size), self._watch), "r")

    def contents(self, paths: Sequence[str]) -> list[bytes]:
        """Small files, whole, up to the first that is not there."""
        return self._watch.request(self._contents, paths)

    def _contents(self, paths: Sequence[str]) -> list[bytes]:
        there = list(takewhile(lambda info: info.is_file, super().get_file_info(list(paths))))
        files = self._with_sizes({info.path: info.size for info in there})
        return [files.open_input_file(info.path).read(info.size) for info in there]

    def _open(self, path: str, size: int) -> Any:
        return self._with_sizes({path: size}).open_input_file(path)

    def _with_sizes(self, sizes: dict[str, int]) -> Any:
        return DeltaStorageHandler.from_table(self._raw, self._options, sizes)._handler


class _WatchedFile:
    """What ``pa.PythonFile`` needs of a file to read; once a read of it was left behind, it can only be closed."""

    def __init__(self, file: Any, watch: Watch) -> None:
        self._file, self._watch = file, watch
        self._left = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def read(self, size: int | None = None) -> bytes:
        try:
            content: bytes = self._watch.request(self._file.read, size)
        except TimeoutError:
            self._left = True
            raise
        return content

    @property
    def closed(self) -> bool:
        return self._left or bool(self._file.closed)

    def close(self) -> None:
        if not self._left:
            self._file.close()


def history(storage: WatchedStorage, versions: Sequence[int]) -> Iterator[dict[str, Any]]:
    """What each of these commits, newest first, says of itself, and its ``version``; as far back as the log goes."""
    portions = [versions[start : start + _PORTION] for start in range(0, len(versions), _PORTION)]
    with ThreadPoolExecutor(_READERS, "log") as pool:
        for portion, found in zip(portions, pool.map(partial(_commits, storage), portions), strict=True):
            yield from chain.from_iterable(found)
            if len(found) < len(portion):
                return


def _commits(storage: WatchedStorage, versions: Sequence[int]) -> list[list[dict[str, Any]]]:
    """Of each version that the log has what its commit says: nothing, or one entry."""
    contents = storage.contents([f"_delta_log/{version:020}.json" for version in versions])
    return [
        [said | {"version": version} for said in _commit_info(content)]
        for version, content in zip(versions, contents, strict=False)
    ]


def _commit_info(content: bytes) -> Iterator[dict[str, Any]]:
    for line in content.splitlines():
        if b'"commitInfo"' in line and (said := json.loads(line).get("commitInfo")) is not None:
            yield said
