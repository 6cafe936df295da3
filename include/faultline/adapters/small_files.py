"""Small JSON files below a folder, on HDFS or on this machine, each written as a whole.

Who reads one never sees half of it, nor none where one was: it is written under another name, and takes the place of
the one before in one step. On HDFS every change is read back: a connection cut short leaves a short file that looks
whole.
"""

from __future__ import annotations

import getpass
import json
import os
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from hdfs import InsecureClient

from faultline.adapters.webhdfs import webhdfs_errors
from faultline.errors import TransientError

_TIMEOUT = 30

Checkpoint = Callable[[str], None]


def silent(step: str) -> None:
    """Nobody watches."""


class SmallFiles(Protocol):
    """Where the files are; a path is below their folder."""

    def read(self, path: str) -> Mapping[str, Any] | None:
        """What the file says; None when there is none, or none that can be read."""

    def write(self, path: str, said: Mapping[str, Any], checkpoint: Checkpoint = silent) -> None:
        """Write the file, or write it anew; ``checkpoint`` is told ``mark_staged`` before anybody sees it."""

    def remove(self, path: str) -> None:
        """Delete the file, if there is one."""

    def names(self, folder: str) -> list[str]:
        """What is in the folder; nothing when there is none."""


class LocalFiles:
    """In a local folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, path: str) -> Mapping[str, Any] | None:
        """What the file says; None when there is none, or none that can be read."""
        try:
            return _parsed((self._folder / path).read_bytes())
        except FileNotFoundError:
            return None

    def write(self, path: str, said: Mapping[str, Any], checkpoint: Checkpoint = silent) -> None:
        """Write the file, or write it anew."""
        file = self._folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        waiting = file.with_name(f"_{file.name}.{uuid.uuid4()}")
        waiting.write_bytes(_text(said))
        checkpoint("mark_staged")
        os.replace(waiting, file)

    def remove(self, path: str) -> None:
        """Delete the file, if there is one."""
        (self._folder / path).unlink(missing_ok=True)

    def names(self, folder: str) -> list[str]:
        """What is in the folder; nothing when there is none."""
        try:
            return os.listdir(self._folder / folder)
        except FileNotFoundError:
            return []


class HdfsFiles:
    """On HDFS, by WebHDFS at ``url``; as the user that writes the tables."""

    def __init__(self, url: str, folder: str) -> None:
        user = os.environ.get("HADOOP_USER_NAME") or getpass.getuser()
        self._client = InsecureClient(url, user=user, timeout=_TIMEOUT)
        self._folder = folder

    def read(self, path: str) -> Mapping[str, Any] | None:
        """What the file says; None when there is none, or none that can be read."""
        text = self._read(f"{self._folder}/{path}")
        return None if text is None else _parsed(text)

    def write(self, path: str, said: Mapping[str, Any], checkpoint: Checkpoint = silent) -> None:
        """Write the file, or write it anew; TransientError when something else is read back."""
        file, text = f"{self._folder}/{path}", _text(said)
        folder, _, name = file.rpartition("/")
        waiting = f"{folder}/_{name}.{uuid.uuid4()}"
        with webhdfs_errors(file):
            self._client.write(waiting, data=text, overwrite=True)
            self._require(waiting, text)
            checkpoint("mark_staged")
            # The client's own ``rename`` cannot take the place of a file.
            self._client._rename(waiting, destination=file, renameoptions="OVERWRITE")
        self._require(file, text)

    def remove(self, path: str) -> None:
        """Delete the file, if there is one."""
        file = f"{self._folder}/{path}"
        with webhdfs_errors(file):
            self._client.delete(file)
        if self._read(file) is not None:
            raise TransientError(f"WebHDFS: {file} is there after it was deleted")

    def names(self, folder: str) -> list[str]:
        """What is in the folder; nothing when there is none."""
        path = f"{self._folder}/{folder}"
        with webhdfs_errors(path):
            if self._client.status(path, strict=False) is None:
                return []
            names: list[str] = self._client.list(path)
            return names

    def _require(self, file: str, text: bytes) -> None:
        if self._read(file) != text:
            raise TransientError(f"WebHDFS: {file} does not hold what was written")

    def _read(self, file: str) -> bytes | None:
        with webhdfs_errors(file):
            if self._client.status(file, strict=False) is None:
                return None
            with self._client.read(file) as reader:
                content: bytes = reader.read()
                return content


def _text(said: Mapping[str, Any]) -> bytes:
    return json.dumps(said).encode()


def _parsed(text: bytes) -> Mapping[str, Any] | None:
    try:
        said: Mapping[str, Any] = json.loads(text)
    except ValueError:
        return None
    return said
