"""Retention and cleaning of the tables."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from faultline.adapters.delta import LOG_RETENTION
from faultline.adapters.delta_upkeep import TopicUpkeep
from faultline.adapters.markers import Markers, markers
from faultline.archive.compact import plan_expiry
from faultline.archive.expire import expire_hour, shorten_log, vacuum
from faultline.archive.hours import Hour
from faultline.settings import Settings
from faultline.steps.patience import patiently
from faultline.steps.topics import archived_topics

log = logging.getLogger(__name__)

# The log is shortened once a day at most.
_LOG_SLACK = timedelta(days=1)


def clean_topic(
    settings: Settings, topic: str, *, now: datetime, checkpoint: Callable[[str], None] = lambda step: None
) -> dict[str, Any]:
    """Expire what is older than the topic's retention, shorten the log, vacuum; what was done, as plain values."""
    (config,) = archived_topics(settings, [topic])
    table = TopicUpkeep.open(settings.archive_url, topic, timeout=settings.archive_timeout)
    hours = plan_expiry(table.data_files(), retention=config.retention, now=now)
    store = markers(settings.archive_url, settings.webhdfs_url) if hours else None
    rows = sum(_expire(settings, table, store, hour, checkpoint) for hour in hours)
    if shortened := table.log_since() < now - LOG_RETENTION - _LOG_SLACK:
        patiently(partial(shorten_log, table, checkpoint=checkpoint), settings.archive_patience)
    deleted = patiently(
        partial(vacuum, table, settings.archive_grace, checkpoint=checkpoint), settings.archive_patience
    )
    log.info("%s: %d hours expired, %d files deleted", topic, len(hours), len(deleted))
    expired = [str(hour) for hour in hours]
    return {"topic": topic, "expired": expired, "rows": rows, "log_shortened": shortened, "deleted": len(deleted)}


def _expire(
    settings: Settings, table: TopicUpkeep, store: Markers | None, hour: Hour, checkpoint: Callable[[str], None]
) -> int:
    # In this order: a mark promises rows.
    if store is not None:
        store.remove(table.topic, hour)
    return patiently(partial(expire_hour, table, hour, checkpoint=checkpoint), settings.archive_patience)
