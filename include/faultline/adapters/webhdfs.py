"""HDFS as an operator sees it, by WebHDFS and the NameNode's own beans: health, capacity, quotas, files per hour.

Reads only. Every call has a timeout; a NameNode that does not answer is a TransientError.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import requests
from hdfs import HdfsError, InsecureClient

from faultline.errors import PermanentError, TransientError

_BEAN = "Hadoop:service=NameNode,name={}"
_TIMEOUT = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class HdfsState:
    """Bytes, DataNodes, and whether writes are taken."""

    safe_mode: bool
    total: int
    used: int
    remaining: int
    live_datanodes: int
    dead_datanodes: int
    missing_replicas: int  # blocks with fewer replicas than they should have


@dataclass(frozen=True, slots=True)
class HourFiles:
    """What one ``dt=/hr=`` folder of a table holds, files that no commit names included."""

    dt: str
    hr: str
    files: int
    bytes: int


@dataclass(frozen=True, slots=True)
class FolderUse:
    """What a folder takes, and how much it may: bytes ``stored`` and ``space_quota`` count every replica."""

    files: int
    bytes: int
    stored: int
    space_quota: int | None
    names: int  # files and folders
    name_quota: int | None


class HdfsHealth:
    """Questions to the NameNodes at ``url``, ``http://host:port`` or several of them separated by ``;``."""

    def __init__(self, url: str, *, user: str | None = None, timeout: timedelta = _TIMEOUT) -> None:
        self._urls = url.split(";")
        self._timeout = timeout.total_seconds()
        self._session = requests.Session()
        self._client = InsecureClient(url, user=user, timeout=self._timeout, session=self._session)

    def state(self) -> HdfsState:
        """How the active NameNode is."""
        active = self._active()
        if not (bean := self._bean(active, "FSNamesystemState")):
            raise TransientError(f"the NameNode at {active} is starting or has just gone: it says nothing of its state")
        return HdfsState(
            safe_mode=bean["FSState"] != "Operational",
            total=bean["CapacityTotal"],
            used=bean["CapacityUsed"],
            remaining=bean["CapacityRemaining"],
            live_datanodes=bean["NumLiveDataNodes"],
            dead_datanodes=bean["NumDeadDataNodes"],
            missing_replicas=bean["UnderReplicatedBlocks"],
        )

    def safe_mode(self) -> bool:
        """Whether HDFS refuses changes."""
        return self.state().safe_mode

    def use(self, folder: str) -> FolderUse | None:
        """What the folder takes, with its quotas; None when there is no such folder."""
        with webhdfs_errors(folder):
            content = self._client.content(folder, strict=False)
        if not content:
            return None
        return FolderUse(
            content["fileCount"],
            content["length"],
            content["spaceConsumed"],
            _limit(content["spaceQuota"]),
            content["fileCount"] + content["directoryCount"],
            _limit(content["quota"]),
        )

    def hours(self, folder: str, *, newest: int = 24) -> tuple[HourFiles, ...]:
        """The newest hours of the table in ``folder``, oldest first; none when there is no such folder."""
        found: list[HourFiles] = []
        for dt in reversed(self._names(folder, "dt=")):
            for hr in reversed(self._names(f"{folder}/dt={dt}", "hr=")):
                if len(found) == newest:
                    return tuple(reversed(found))
                found.append(self._hour(folder, dt, hr))
        return tuple(reversed(found))

    def _hour(self, folder: str, dt: str, hr: str) -> HourFiles:
        with webhdfs_errors(folder):
            content = self._client.content(f"{folder}/dt={dt}/hr={hr}", strict=False)
        return HourFiles(dt, hr, content["fileCount"], content["length"]) if content else HourFiles(dt, hr, 0, 0)

    def _names(self, folder: str, prefix: str) -> list[str]:
        """What follows ``prefix`` in the names of the folder's entries, sorted."""
        with webhdfs_errors(folder):
            if self._client.status(folder, strict=False) is None:
                return []
            names = self._client.list(folder)
        return sorted(name.removeprefix(prefix) for name in names if name.startswith(prefix))

    def _active(self) -> str:
        states = {url: self._bean(url, "NameNodeStatus").get("State") for url in self._urls}
        if (active := next((url for url, state in states.items() if state == "active"), None)) is None:
            raise TransientError(f"no NameNode is active: {states}")
        return active

    def _bean(self, url: str, name: str) -> dict[str, Any]:
        """A bean's attributes; none when the NameNode is away and another one may answer."""
        try:
            answer = self._session.get(f"{url}/jmx", params={"qry": _BEAN.format(name)}, timeout=self._timeout)
            answer.raise_for_status()
            beans: list[dict[str, Any]] = answer.json()["beans"]
        except (requests.RequestException, ValueError, KeyError) as error:
            if len(self._urls) > 1:
                return {}
            raise TransientError(f"the NameNode at {url} does not answer: {error}") from error
        return beans[0] if beans else {}


def _limit(quota: int) -> int | None:
    """WebHDFS says -1 for none."""
    return quota if quota >= 0 else None


@contextmanager
def webhdfs_errors(folder: str) -> Iterator[None]:
    """Errors inside the block become decisions; the sentence names the folder."""
    try:
        yield
    except HdfsError as error:
        kind = PermanentError if error.exception == "AccessControlException" else TransientError
        raise kind(f"WebHDFS, {folder}: {error.message}") from error
    except requests.RequestException as error:
        raise TransientError(f"WebHDFS, {folder}: {error}") from error
