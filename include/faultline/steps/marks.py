"""The marks of hours that are complete and merged, for jobs that wait for them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from faultline.adapters.delta_upkeep import TopicUpkeep
from faultline.adapters.markers import markers
from faultline.archive.compact import closed_before
from faultline.archive.marks import complete_hours_until, hours_between, is_stale, mark_hours
from faultline.errors import TopicMissing
from faultline.records.source import RecordSource
from faultline.settings import Settings
from faultline.steps.archive_plan import archived_until
from faultline.steps.compact import plan_topic
from faultline.steps.topics import archived_topics

log = logging.getLogger(__name__)

# What ``checkpoint`` is told, in this order. A process may die at any of them.
MARK_STEPS = ("before_mark", "mark_staged", "after_mark")

# Hours that began longer ago are marked when they have changed since, or when they are asked for.
_MARKED = timedelta(days=2)


def mark_topic(
    settings: Settings,
    source: RecordSource,
    topic: str,
    *,
    now: datetime,
    since: datetime | None = None,
    until: datetime | None = None,
    target_mib: int | None = None,
    checkpoint: Callable[[str], None] = lambda step: None,
) -> list[str]:
    """Mark the hours that are complete and merged; those whose mark was written, as in ``2026-11-22T05``.

    Of ``[since, until)``, else of the last two days and those that have changed since then.
    """
    store = markers(settings.archive_url, settings.webhdfs_url)
    if store is None:
        log.warning("hours of %s are not marked: FAULTLINE_WEBHDFS_URL is not set", topic)
        return []
    (config,) = archived_topics(settings, [topic])
    table = TopicUpkeep.open(settings.archive_url, topic, timeout=settings.archive_timeout)
    files = table.data_files()
    complete = _complete(settings, source, topic, until or closed_before(now, settings.archive_lateness), now)
    if not files or complete is None:
        log.warning("%s: no hour is complete", topic)
        return []
    hours = set(hours_between(max(since or now - _MARKED, min(file.hour for file in files).start), complete))
    if since is None:
        hours |= {hour for hour in table.hours_changed_since(now - _MARKED) if hour.end <= complete}
    plan = plan_topic(settings, files, config, now=now, target_mib=target_mib)
    hours -= {*plan.hours, *plan.expired}
    written = []
    for mark in mark_hours(topic, files, sorted(hours), version=table.version, at=now):
        if is_stale(store.read(topic, mark.hour), mark):
            checkpoint("before_mark")
            store.write(topic, mark.hour, mark.to_dict(), checkpoint)
            checkpoint("after_mark")
            written.append(str(mark.hour))
    return written


def _complete(settings: Settings, source: RecordSource, topic: str, until: datetime, now: datetime) -> datetime | None:
    """Up to where hours are complete, at most ``until``."""
    hours = [until.replace(minute=0, second=0, microsecond=0) - timedelta(hours=back) for back in range(48)]
    times = [hour + settings.archive_lateness for hour in hours]
    try:
        complete = archived_until(settings, source, topic, times=times, now=now)
    except TopicMissing as error:
        log.warning("nothing more will come: %s", error)
        complete = now
    reached = complete_hours_until(complete, settings.archive_lateness)
    return None if reached is None else min(reached, until)
