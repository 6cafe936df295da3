"""What is written beside the tables: a mark for each hour that is complete, and how each table's last proof came out.

Marks are ``<archive>/_complete/<topic>/dt=…/hr=…``, proofs ``<archive>/_verified/<topic>``, a small JSON file each.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from faultline.adapters.small_files import Checkpoint, HdfsFiles, LocalFiles, SmallFiles, silent
from faultline.archive.hours import Hour

_MARKS = "_complete"
_PROOFS = "_verified"


class Markers:
    """Marks of hours, and proofs, among these files."""

    def __init__(self, files: SmallFiles) -> None:
        self.files = files

    def read(self, topic: str, hour: Hour) -> Mapping[str, Any] | None:
        """What the mark of an hour says; None when there is none, or none that can be read."""
        return self.files.read(mark_path(topic, hour))

    def write(self, topic: str, hour: Hour, said: Mapping[str, Any], checkpoint: Checkpoint = silent) -> None:
        """Write a mark, or write it anew; ``checkpoint`` is told ``mark_staged`` before anybody sees it."""
        self.files.write(mark_path(topic, hour), said, checkpoint)

    def remove(self, topic: str, hour: Hour) -> None:
        """Delete a mark, if there is one."""
        self.files.remove(mark_path(topic, hour))

    def marked(self, topic: str, days: Iterable[str]) -> frozenset[Hour]:
        """The hours of these days (``2026-11-22``) that have a mark: a listing for each day, no mark is read."""
        return frozenset(
            Hour.of(day, name.removeprefix("hr="))
            for day in days
            for name in self.files.names(f"{_MARKS}/{topic}/dt={day}")
            if name.startswith("hr=")
        )

    def proof(self, topic: str) -> Mapping[str, Any] | None:
        """How the last proof of the topic's table came out; None when there was none."""
        return self.files.read(f"{_PROOFS}/{topic}")

    def write_proof(self, topic: str, said: Mapping[str, Any]) -> None:
        """Note how a proof came out, in the place of the one before."""
        self.files.write(f"{_PROOFS}/{topic}", said)


def mark_path(topic: str, hour: Hour) -> str:
    """Where the mark of an hour is, below the archive."""
    return f"{_MARKS}/{topic}/{hour.folder}"


def markers(archive_url: str, webhdfs_url: str | None) -> Markers | None:
    """For an archive in a local folder, or on HDFS with a ``webhdfs_url``; None when it is elsewhere."""
    parts = urlsplit(archive_url)
    if parts.scheme in ("", "file"):
        return Markers(LocalFiles(Path(unquote(parts.path))))
    if parts.scheme == "hdfs" and webhdfs_url is not None:
        return Markers(HdfsFiles(webhdfs_url, parts.path.rstrip("/")))
    return None
