"""Marks of hours below ``<archive>/_complete/<topic>/dt=…/hr=…``, a small JSON file each, on HDFS or in a local folder.

What waits for a mark never sees half of one, nor none where one was: it is written under another name, and takes the
place of the one before in one step. On HDFS every change is read back: a connection cut short leaves a short file that
looks whole.
"""

from __future__ import annotations

import getpass
import json
import os
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

from hdfs import InsecureClient

from faultline.adapters.webhdfs import webhdfs_errors
from faultline.archive.hours import Hour
from faultline.errors import TransientError

_FOLDER = "_complete"
_TIMEOUT = 30

Checkpoint = Callable[[str], None]


def _silent(step: str) -> None:
    """Nobody watches."""


class Markers(Protocol):
    """Where marks are kept."""

    def read(self, topic: str, hour: Hour) -> Mapping[str, Any] | None:
        """What the mark of an hour says; None when there is none, or none that can be read."""

    def write(self, topic: str, hour: Hour, said: Mapping[str, Any], checkpoint: Checkpoint = _silent) -> None:
        """Write a mark, or write it anew; ``checkpoint`` is told ``mark_staged`` before anybody sees it."""

    def remove(self, topic: str, hour: Hour) -> None:
        """Delete a mark, if there is one."""


def markers(archive_url: str, webhdfs_url: str | None) -> Markers | None:
    """For an archive in a local folder, or on HDFS with a ``webhdfs_url``; None when it is elsewhere."""
    parts = urlsplit(archive_url)
    if parts.scheme in ("", "file"):
        return LocalMarkers(Path(unquote(parts.path)))
    if parts.scheme == "hdfs" and webhdfs_url is not None:
        return HdfsMarkers(webhdfs_url, parts.path.rstrip("/"))
    return None


class LocalMarkers:
    """In a local folder."""

    def __init__(self, archive: Path) -> None:
        self._root = archive / _FOLDER

    def read(self, topic: str, hour: Hour) -> Mapping[str, Any] | None:
        """What the mark of an hour says; None when there is none, or none that can be read."""
        try:
            return _parsed((self._root / topic / hour.folder).read_bytes())
        except FileNotFoundError:
            return None

    def write(self, topic: str, hour: Hour, said: Mapping[str, Any], checkpoint: Checkpoint = _silent) -> None:
        """Write a mark, or write it anew."""
        path = self._root / topic / hour.folder
        path.parent.mkdir(parents=True, exist_ok=True)
        waiting = path.with_name(f"_{path.name}.{uuid.uuid4()}")
        waiting.write_bytes(_text(said))
        checkpoint("mark_staged")
        os.replace(waiting, path)

    def remove(self, topic: str, hour: Hour) -> None:
        """Delete a mark, if there is one."""
        (self._root / topic / hour.folder).unlink(missing_ok=True)


class HdfsMarkers:
    """On HDFS, by WebHDFS at ``url``, below the folder of an archive; as the user that writes the tables."""

    def __init__(self, url: str, archive: str) -> None:
        user = os.environ.get("HADOOP_USER_NAME") or getpass.getuser()
        self._client = InsecureClient(url, user=user, timeout=_TIMEOUT)
        self._root = f"{archive}/{_FOLDER}"

    def read(self, topic: str, hour: Hour) -> Mapping[str, Any] | None:
        """What the mark of an hour says; None when there is none, or none that can be read."""
        text = self._read(self._path(topic, hour))
        return None if text is None else _parsed(text)

    def write(self, topic: str, hour: Hour, said: Mapping[str, Any], checkpoint: Checkpoint = _silent) -> None:
        """Write a mark, or write it anew; TransientError when something else is read back."""
        path, text = self._path(topic, hour), _text(said)
        folder, _, name = path.rpartition("/")
        waiting = f"{folder}/_{name}.{uuid.uuid4()}"
        with webhdfs_errors(path):
            self._client.write(waiting, data=text, overwrite=True)
            self._require(waiting, text)
            checkpoint("mark_staged")
            # The client's own ``rename`` cannot take the place of a file.
            self._client._rename(waiting, destination=path, renameoptions="OVERWRITE")
        self._require(path, text)

    def remove(self, topic: str, hour: Hour) -> None:
        """Delete a mark, if there is one."""
        path = self._path(topic, hour)
        with webhdfs_errors(path):
            self._client.delete(path)
        if self._read(path) is not None:
            raise TransientError(f"WebHDFS: {path} is there after it was deleted")

    def _path(self, topic: str, hour: Hour) -> str:
        return f"{self._root}/{topic}/{hour.folder}"

    def _require(self, path: str, text: bytes) -> None:
        if self._read(path) != text:
            raise TransientError(f"WebHDFS: {path} does not hold what was written")

    def _read(self, path: str) -> bytes | None:
        with webhdfs_errors(path):
            if self._client.status(path, strict=False) is None:
                return None
            with self._client.read(path) as reader:
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
