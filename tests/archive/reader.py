"""Somebody who reads a table all the time, while it is written, merged and broken."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from faultline.adapters.delta import TableMissing, TopicTable
from faultline.adapters.delta_errors import NoAnswer

_TIMEOUT = timedelta(seconds=20)
_SQL = "SELECT count(*) AS rows, count(DISTINCT kafka_partition * 1000000 + kafka_offset) AS offsets FROM logs"


@contextmanager
def polled(archive: str, topic: str) -> Iterator[None]:
    """Reads from now to the end of the block; no read may fail, see an offset twice, or fewer rows than one before.

    hdfs-native may never answer a read whose DataNode is killed: it is given up, and done again.
    """
    over, seen, errors = threading.Event(), [0], list[BaseException]()

    def read() -> None:
        while True:
            last = over.is_set()
            try:
                [found] = TopicTable.open(archive, topic, timeout=_TIMEOUT).query(_SQL).to_pylist()
                assert found["rows"] == found["offsets"] >= seen[-1], (found, seen[-1])
                seen.append(found["rows"])
            except TableMissing:
                assert seen == [0]
            except NoAnswer:
                continue
            except Exception as error:  # noqa: BLE001  whatever a reader may meet
                errors.append(error)
            if last:
                return

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield
    finally:
        over.set()
        reader.join()
    assert not errors, errors[0]
    assert seen[-1] > 0
