"""Alerts about Faultline itself, out of the archive lane: told when the alert lane can be reached, never waited for."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime

from faultline.adapters.database import Database
from faultline.archive.table import Loss
from faultline.dispatch.meta import meta_notification
from faultline.dispatch.receivers import build_receivers, targets_of
from faultline.errors import PermanentError, TransientError
from faultline.model import OffsetRange
from faultline.settings import Settings
from faultline.steps.last_good import configured_rules, in_force
from faultline.yaml_files import Document

log = logging.getLogger(__name__)


def tell_of_losses(settings: Settings, losses: Sequence[Loss]) -> None:
    """One message for each range that is gone."""
    for loss in losses:
        part = loss.range.partition
        summary = f"{loss.range} ({len(loss.range)} offsets) was {loss.reason}"
        log.error("%s", summary)
        tell_operators(
            settings,
            "ArchiveLostRecords",
            {"topic": part.topic, "partition": str(part.partition)},
            summary,
            identity=f"lost:{part.topic}:{part.topic_id}:{part.partition}:{loss.range.start}",
            at=loss.at,
        )


def say_close_to_loss(settings: Settings, span: OffsetRange, distance: int, *, at: datetime, tell: bool) -> None:
    """Kafka will soon delete what is not archived: said in the log, and to the operators once an hour."""
    part = span.partition
    summary = (
        f"{span} is not archived, and Kafka already deletes what is {distance} offsets before it: "
        "archive faster, or keep more"
    )
    log.warning("%s", summary)
    if tell:
        labels = {"topic": part.topic, "partition": str(part.partition)}
        identity = f"behind:{part.topic}:{part.topic_id}:{part.partition}:{at:%Y-%m-%dT%H}"
        tell_operators(settings, "ArchiveBehindRetention", labels, summary, identity=identity, at=at)


def tell_of_faults(settings: Settings, document: Document, said: str, at: datetime) -> None:
    """What people configured and was refused: once for each faulty version of it."""
    identity = f"configuration:{document.source}:{document.hash}"
    tell_operators(settings, "ConfigurationFaulty", {"source": document.source}, said, identity=identity, at=at)


def tell_operators(
    settings: Settings, alert: str, labels: Mapping[str, str], summary: str, *, identity: str, at: datetime
) -> bool:
    """Put a message about ourselves into the outbox, for the receiver of the root route; once for each ``identity``.

    False, and a warning in the log, when there is no database or no rules: what is archived does not depend on them.
    """
    try:
        with Database(settings.database_url) as database:
            rules = in_force(configured_rules(settings), database)
            if (receiver := rules.file.route.receiver) is None:
                raise PermanentError(f"the root route of {settings.rules_file} has no receiver")
            notification = meta_notification(alert, labels, summary, identity=identity, receiver=receiver, at=at)
            database.enqueue(notification, targets_of(build_receivers(rules))[receiver])
    except (TransientError, PermanentError) as error:
        log.warning("nobody could be told that %s: %s", summary, error)
        return False
    return True
