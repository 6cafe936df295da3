"""Up to when a topic's archive is complete: nothing that Kafka received before is still to be archived. Pure.

Knows positions and the broker's answers; refuses to know how long a record may be under way. Whoever asks whether an
hour of event time is complete adds that to the hour's end.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from faultline.model import OffsetRange, TopicPartition


def complete_until(
    positions: Mapping[TopicPartition, int | None],
    watermarks: Mapping[TopicPartition, OffsetRange],
    ends: Mapping[datetime, Mapping[TopicPartition, int]],
) -> datetime | None:
    """The latest of the times asked for up to which every partition is archived; None when none of them is.

    ``ends`` has, for each time, where the partition's records from before it end: the first offset received at or after
    it, records of undecided transactions included, else the end of the log. A partition that is idle has reached the
    end of its log and so holds no time back, and one that was never archived is complete where its log begins.
    """
    reached = {part: held.start if (at := positions.get(part)) is None else at for part, held in watermarks.items()}
    complete = (time for time, end in ends.items() if all(reached[part] >= end[part] for part in watermarks))
    return max(complete, default=None)
