"""A process that appends what a real broker holds to a table, and dies by SIGKILL at a named step."""

from __future__ import annotations

import os
import signal
import sys
from datetime import timedelta

from faultline.adapters.delta import TopicTable
from faultline.adapters.kafka import KafkaSource
from faultline.archive.append import AppendReport, Limits, append_ranges
from faultline.archive.plan import plan_archive
from faultline.settings import TopicConfig

BATCH = 40


def append_all(bootstrap: str, archive: str, topic: str, dies_at: str | None = None, after: int = 0) -> AppendReport:
    """Append everything; die when the step has come ``after`` times before."""
    left = [after]

    def checkpoint(step: str) -> None:
        if step == dies_at:
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            left[0] -= 1

    table = TopicTable.open_or_create(archive, topic)
    with KafkaSource(bootstrap) as source:
        parts = source.partitions(topic)
        marks = source.watermarks(parts)
        until = {part: span.end for part, span in marks.items()}
        plan = plan_archive(topic, table.positions(parts), marks, until, group_size=8)
        return append_ranges(
            table,
            source,
            TopicConfig(name=topic),
            plan.ranges,
            Limits(BATCH, 2**20, timedelta(minutes=1)),
            event_time_span=timedelta(days=7),
            group=f"archive-{topic}",
            checkpoint=checkpoint,
        )


if __name__ == "__main__":
    append_all(*sys.argv[1:5], after=int(sys.argv[5]))
