"""A topic that was deleted and created again: its archive goes on with the new generation, and everyone hears of it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime

from faultline.adapters.database import Database
from faultline.archive.generations import last_generation, tails
from faultline.archive.losses import RECREATED, record_losses
from faultline.archive.table import ArchiveTable
from faultline.errors import PermanentError, TransientError
from faultline.model import OffsetRange, TopicPartition
from faultline.settings import Settings
from faultline.steps.meta import tell_operators

log = logging.getLogger(__name__)


def note_new_generation(
    settings: Settings, table: ArchiveTable, partitions: Sequence[TopicPartition], *, at: datetime
) -> tuple[OffsetRange, ...]:
    """Say that the topic is another one than before, and write down what is known to be lost of the one before.

    Nothing, and empty, unless the table has an earlier generation and nothing of the current one. What was produced
    after the last archived offset is gone; that there was something is known only of what was counted for alerts.
    """
    archived = last_generation(table.commits())
    if not archived or any(part.topic_id == partitions[0].topic_id for part in archived):
        return ()
    lost = tails(archived, _counted(settings, table.topic))
    record_losses(table, lost, reason=RECREATED, at=at)
    ends = ", ".join(f"partition {part.partition} up to {end}" for part, end in archived.items())
    gone = ", ".join(f"{span} ({len(span)} offsets)" for span in lost) or "unknown"
    summary = (
        f"topic {table.topic} was deleted and created again: the archive goes on with the new one from its first "
        f"offset. Archived of the one before: {ends}; lost behind that: {gone}"
    )
    log.warning(summary)
    tell_operators(
        settings,
        "ArchiveTopicRecreated",
        {"topic": table.topic},
        summary,
        identity=f"recreated:{table.topic}:{partitions[0].topic_id}",
        at=at,
    )
    return lost


def _counted(settings: Settings, topic: str) -> Mapping[TopicPartition, int]:
    """How far the alert lane has read, if it can be asked."""
    try:
        with Database(settings.database_url) as database:
            return {each.partition: each.next_offset for each in database.counted() if each.partition.topic == topic}
    except (TransientError, PermanentError) as error:
        log.warning("how far topic %s was counted is not known: %s", topic, error)
        return {}
