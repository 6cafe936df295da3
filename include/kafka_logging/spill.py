"""A folder of segments for what Kafka cannot take now: bounded, oldest out first, and handed over between processes.

Each handler in each process writes to a folder of its own below ``spill_dir`` and holds a lock on it, which the system
takes from a process that dies; whoever then gets the lock replays what is there. Knows nothing of Producers.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections import deque
from pathlib import Path

from kafka_logging import native
from kafka_logging.segments import Segment, Spilled
from kafka_logging.stats import Tally

if sys.platform != "win32":
    import fcntl

_SEGMENTS = 8  # at least so many, so that dropping the oldest one loses a small part
_LARGEST_SEGMENT = 4 * 2**20  # a replay has one in memory
_LOCK = "lock"
_own: set[Path] = set()  # a second lock on a file of this process would succeed, and free the first at its close


class SpillError(Exception):
    """The disk did not take a message."""


def new_spill(parent: str | os.PathLike[str] | None, max_kbytes: int, origin: str, tally: Tally) -> Spill | None:
    """A Spill below ``parent``, if one is wanted."""
    return Spill(Path(parent), origin, max_kbytes * 1024, tally) if parent else None


class Spill:
    """Holds at most ``max_bytes``, those of adopted folders included; ``tally`` is told of all that comes and goes."""

    def __init__(self, parent: Path, origin: str, max_bytes: int, tally: Tally) -> None:
        if sys.platform == "win32":
            raise ValueError("spill_dir needs the file locks of a POSIX system")
        self._parent = parent
        self._folder = parent / origin
        self._max_bytes = max_bytes
        self._tally = tally
        self._segments: deque[Segment] = deque()  # oldest first
        self._size = 0  # of them all
        self._writing: Segment | None = None
        self._replaying: Segment | None = None
        self._number = 0
        self._locks: dict[Path, int] = {}
        self._lock = native.rlock()  # a signal handler that logs may interrupt the thread that holds it

    def append(self, message: Spilled) -> None:
        """Keep the message on disk; it outlives a killed process. SpillError when the disk refuses."""
        with self._lock:
            try:
                writing = self._writing or self._begin()
                before = writing.size
                try:
                    writing.append(message)
                finally:
                    self._size += writing.size - before
            except OSError as error:
                raise SpillError(f"{self._folder}: {error.strerror}") from error
            if writing.size >= min(self._max_bytes // _SEGMENTS, _LARGEST_SEGMENT):
                self._end()
            while self._size > self._max_bytes and self._drop_oldest():
                pass

    def adopt(self) -> None:
        """Take over what processes that are no more have left."""
        with contextlib.suppress(OSError), self._lock:
            found = [segment for folder in self._parent.iterdir() for segment in self._take_over(folder)]
            found.sort(key=lambda segment: segment.path.stat().st_mtime)
            self._segments.extendleft(reversed(found))
            self._size += sum(segment.size for segment in found)
            self._tally.adopt(sum(segment.count - segment.done for segment in found))

    def next(self) -> Segment | None:
        """The oldest segment, to replay; it stays until ``finish``."""
        with self._lock:
            if self._segments and self._segments[0] is self._writing:
                self._end()
            self._replaying = self._segments[0] if self._segments else None
            return self._replaying

    def advance(self, segment: Segment, number: int, refused: int) -> None:
        """So many messages of it were replayed, and Kafka refused so many of them for good."""
        with self._lock:
            self._tally.replay(number - refused)
            self._tally.lose("spill_refused", refused)
            with contextlib.suppress(OSError):  # a later process replays them once more
                segment.advance(number)

    def finish(self, segment: Segment) -> None:
        """All of it was replayed."""
        with self._lock:
            self._replaying = None
            self._remove(segment)

    def leak(self) -> None:
        """In a forked child: let go of what is the parent's; its locks are not inherited."""
        self._end()
        for file in self._locks.values():
            os.close(file)
        _own.clear()

    def close(self) -> None:
        """Write no more; what is left is for another process, or another handler."""
        with self._lock:
            self._end()
            for folder in list(self._locks):
                self._leave(folder)

    def _begin(self) -> Segment:
        if self._folder not in self._locks:
            self._folder.mkdir(parents=True, exist_ok=True)
            _own.add(self._folder)
            self._locks[self._folder] = file = os.open(self._folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._number += 1
        self._writing = Segment(self._folder / f"{self._number:08d}.spill")
        self._segments.append(self._writing)
        return self._writing

    def _end(self) -> None:
        writing, self._writing = self._writing, None
        if writing:
            writing.close()

    def _drop_oldest(self) -> bool:
        old = next((each for each in self._segments if each not in (self._replaying, self._writing)), None)
        if old is None:
            return False
        self._tally.lose("spill_full", old.count - old.done)
        self._remove(old)
        return True

    def _remove(self, segment: Segment) -> None:
        self._segments.remove(segment)
        self._size -= segment.size
        with contextlib.suppress(OSError):
            segment.path.unlink(missing_ok=True)
        folder = segment.path.parent
        if folder != self._folder and not any(each.path.parent == folder for each in self._segments):
            self._leave(folder)

    def _take_over(self, folder: Path) -> list[Segment]:
        if folder in _own or not (folder / _LOCK).exists():
            return []
        file = os.open(folder / _LOCK, os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:  # its process lives
            os.close(file)
            return []
        self._locks[folder] = file
        _own.add(folder)
        found = [Segment.found(path) for path in folder.glob("*.spill")]
        for empty in (segment for segment in found if segment.done == segment.count):
            empty.path.unlink()
        kept = [segment for segment in found if segment.done < segment.count]
        if not kept:
            self._leave(folder)
        return kept

    def _leave(self, folder: Path) -> None:
        """Free the folder for others, and delete it if it is empty."""
        with contextlib.suppress(OSError):
            if not any(folder.glob("*.spill")):
                (folder / _LOCK).unlink()
                folder.rmdir()
        os.close(self._locks.pop(folder))
        _own.discard(folder)
