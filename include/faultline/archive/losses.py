"""Offsets that Kafka deleted before they were archived: written down in the table, with the reason, and passed over.

Only where the topic's policy says so; otherwise LostRange stops the topic, and a person decides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

from faultline.archive.table import ArchiveTable, Loss
from faultline.model import OffsetRange, TopicPartition

# What ``checkpoint`` is told, in this order.
LOSS_STEPS = ("before_loss_commit", "after_loss_commit")

DELETED = "deleted by Kafka's retention before it was archived"
STOPPED = f"{DELETED}; nothing more of the topic is archived"
RECREATED = "the topic was deleted before it was archived; counted for alerts up to here"


def plan_losses(gone: Iterable[OffsetRange], positions: Mapping[TopicPartition, int | None]) -> tuple[OffsetRange, ...]:
    """All that is not archived below the end of what is gone: Kafka deletes from the start, so nothing is left there.

    A reader may be ahead of the position when it learns of it.
    """
    losses = []
    for span in gone:
        position = positions.get(span.partition)
        start = span.start if position is None else position
        if start < span.end:
            losses.append(OffsetRange(span.partition, start, span.end))
    return tuple(losses)


def record_losses(
    table: ArchiveTable,
    gone: Sequence[OffsetRange],
    *,
    reason: str,
    at: datetime,
    checkpoint: Callable[[str], None] = lambda step: None,
) -> tuple[Loss, ...]:
    """Move the positions over what is gone, in one commit that says so; the losses, none when that was done before."""
    table.refresh()
    ranges = plan_losses(gone, table.positions([span.partition for span in gone]))
    losses = tuple(Loss(span, reason, at) for span in ranges)
    if losses:
        checkpoint("before_loss_commit")
        table.commit((), ranges, (), losses)
        checkpoint("after_loss_commit")
    return losses
