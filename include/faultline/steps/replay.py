"""Put archived records back into Kafka: look first, then send, oldest first, no faster than asked."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from faultline.adapters.delta_search import SearchedTopic
from faultline.adapters.kafka_writer import KafkaWriter
from faultline.archive.replay import COLUMNS, Extent, Replayed, pause, portion, to_messages
from faultline.archive.search.query import Query
from faultline.archive.search.scan import Progress, Search, matching, search
from faultline.model import Interval

log = logging.getLogger(__name__)

_SHOWN = 3


def measure(topics: Sequence[SearchedTopic], query: Query, interval: Interval, progress: Progress) -> Extent | None:
    """What there is to replay; None when it is nothing."""
    records, ends = 0, list[pa.Scalar]()
    for rows in matching(topics, Search(query, interval, columns=()), progress):
        records += len(rows)
        found = pc.min_max(rows["timestamp"])
        ends += [found["min"], found["max"]]
    if not records:
        return None
    return Extent(records, min(end.as_py() for end in ends), max(end.as_py() for end in ends))


def replay(
    topics: Sequence[SearchedTopic],
    query: Query,
    interval: Interval,
    writer: KafkaWriter,
    *,
    partitions: int,
    rate: float = 0,
    sleep: Callable[[float], object] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Replayed]:
    """Send what matches, oldest first; where it stands after each portion.

    What the broker refuses is counted and passed over. Ends early when it takes nothing of a whole portion.
    """
    done, started = Replayed(), clock()
    wanted = Search(query, interval, columns=COLUMNS, newest_first=False)
    for found in search(topics, wanted):
        for start in range(0, len(found), portion(rate)):
            rows = found.slice(start, portion(rate))
            failures = writer.send(to_messages(rows, partitions))
            for failure in failures[:_SHOWN] if done.failed < _SHOWN else ():
                log.error("%s was not taken: %s", failure.message.origin, failure.reason)
            if len(failures) == len(rows) > 1:
                yield Replayed(done.delivered, done.failed + len(failures), done.reached)
                return
            done = done.after(rows, len(failures))
            yield done
            sleep(pause(done.delivered + done.failed, clock() - started, rate))
