"""What became of every record: the tally a handler keeps and the numbers it shows."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Mapping, Sized
from dataclasses import dataclass

from kafka_logging import native


@dataclass(frozen=True, slots=True)
class HandlerStats:
    """``emitted = delivered + queued + suppressed + sum(dropped) + spilled + failed``, always.

    ``emitted`` counts records that passed the handler's level and filters in this process, the summaries of
    suppressed ones and what was found in ``spill_dir``; ``queued`` ones are being formatted or wait for the broker;
    ``suppressed`` ones were too many, see ``rate_limit``; ``dropped`` ones were given up here, by reason; ``spilled``
    ones are on disk; for ``failed`` ones the broker or the message timeout said no (such a record may have arrived all
    the same: compare ``record_id``).
    """

    emitted: int
    delivered: int
    queued: int
    dropped: Mapping[str, int]
    failed: int
    suppressed: int = 0
    spilled: int = 0

    def __post_init__(self) -> None:
        ended = self.delivered + self.suppressed + sum(self.dropped.values()) + self.failed
        if self.emitted != ended + self.queued + self.spilled:
            raise ValueError(f"records unaccounted for: {self}")


class Tally:
    """Counts that several threads raise without a lock: ``next`` on an ``itertools.count`` is one C call."""

    def __init__(self) -> None:
        self.emitted = itertools.count()
        self.sent = itertools.count()
        self._lock = native.rlock()  # a signal handler that logs may interrupt the thread that holds it
        self._dropped: Counter[str] = Counter()
        self._purged: Counter[str] = Counter()
        self._failed = self._delivered_at_least = 0
        self._spilled_before = self._spilled_after = self._adopted = self._replayed = 0
        self._lost: Counter[str] = Counter()

    def drop(self, reason: str) -> None:
        """A record was given up before it reached the Producer."""
        with self._lock:
            self._dropped[reason] += 1

    def purge(self, reason: str) -> None:
        """A record was given up after it had reached the Producer, at close."""
        with self._lock:
            self._purged[reason] += 1

    def give_up(self, reason: str, at_most: int) -> None:
        """The Producer is gone, and so are the records that it held."""
        with self._lock:
            if number := min(at_most, value_of(self.sent) - self._settled() - self._delivered_at_least):
                self._purged[reason] += number

    def confirm(self, sent: int) -> None:
        """The first so many records that reached the Producer have been delivered or are counted as something else."""
        with self._lock:
            self._delivered_at_least = max(self._delivered_at_least, sent - self._settled())

    def fail(self) -> None:
        """The broker refused a record, or its time ran out."""
        with self._lock:
            self._failed += 1

    def spill(self, *, sent: bool) -> None:
        """A record went to disk: after the Producer had taken it (``sent``), or instead."""
        with self._lock:
            if sent:
                self._spilled_after += 1
            else:
                self._spilled_before += 1

    def adopt(self, number: int) -> None:
        """Records of an earlier process were found on disk."""
        with self._lock:
            self._adopted += number

    def replay(self, number: int) -> None:
        """Records on disk have arrived."""
        with self._lock:
            self._replayed += number

    def lose(self, reason: str, number: int) -> None:
        """Records on disk were given up."""
        if number:
            with self._lock:
                self._lost[reason] += number

    def underway(self) -> int:
        """How many records are being formatted, or between that and the Producer."""
        with self._lock:
            gone = value_of(self.sent) + self._spilled_before + sum(self._dropped.values())
            return value_of(self.emitted) - gone

    def _settled(self) -> int:
        return self._failed + self._spilled_after + sum(self._purged.values())

    def stats(self, queues: Iterable[Sized], suppressed: int = 0) -> HandlerStats:
        """The numbers at one instant; ``queues`` are the Producers, whose length is what they still hold.

        ``suppressed`` records are not among those that ``emitted`` of this tally counts, only in the result's.

        The order of reading matters: ``sent`` first and ``emitted`` last, so that a record on its way is ``queued``.
        """
        with self._lock:
            sent, settled = value_of(self.sent), self._settled()
            held = sum(len(queue) for queue in queues)  # with what is no message, see Transport.close
            waiting = min(held, sent - settled - self._delivered_at_least)
            emitted = value_of(self.emitted)
            underway = emitted - sent - self._spilled_before - sum(self._dropped.values())
            on_disk = self._spilled_before + self._spilled_after + self._adopted
            return HandlerStats(
                emitted=emitted + suppressed + self._adopted,
                delivered=sent - settled - waiting + self._replayed,
                queued=waiting + underway,
                dropped=dict(self._dropped + self._purged + self._lost),
                failed=self._failed,
                suppressed=suppressed,
                spilled=on_disk - self._replayed - self._lost.total(),
            )


def value_of(count: itertools.count[int]) -> int:
    """The next number of a count without taking it; its repr, ``count(7)``, is the one way that has no side effect."""
    return int(repr(count)[len("count(") : -1])
