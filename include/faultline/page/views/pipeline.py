"""Pipeline: how far behind both lanes are, what the archive has, and how well all they need is doing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query, Response

from faultline.dispatch.delivery import OutboxState
from faultline.errors import ConfigurationError
from faultline.page.asked import AskedNow
from faultline.page.completeness import HourState, hours_until
from faultline.page.concerns import WAITING_ALLOWED, concerns, evaluation_level
from faultline.page.health import topic_health
from faultline.page.lags import ARCHIVE_ALLOWED, Level, worst
from faultline.page.probes import Standing
from faultline.page.sources import DAYS, Findings
from faultline.settings import Settings
from faultline.steps.hdfs_state import nearly_full
from faultline.steps.kafka_state import AGES
from faultline.steps.topics import topics_of
from faultline.topicfile import TopicConfig

NAME = "pipeline"
router = APIRouter()

TOPICS = 5
PARTITIONS = 10
# Of a topic that is looked at by itself.
PARTITIONS_ALONE = 500
LOSSES = 3
# Seconds between two looks; while something has not answered yet, it soon may.
_FRESH, _SOON = 10, 1


@router.get("/pipeline")
def pipeline(asked: AskedNow, topic: str = "", page: Annotated[int, Query(ge=1, le=100_000)] = 1) -> Response:
    """What needs somebody first, then every number beside what is normal; a page of topics."""
    found = asked.page.sources(asked.settings).look()
    configured, fault = _topics(asked.settings)
    hours = hours_until(asked.at, DAYS)
    topics = [topic_health(each, found, hours, asked.settings, asked.at) for each in configured or _known(found)]
    shown = [each for each in topics if topic in ("", each.name)]
    pages = max(-(-len(shown) // TOPICS), 1)
    said = concerns(found, topics, asked.settings, asked.at)
    waits = any(each.standing is Standing.ASKED for each in found.readings.values())
    lane = found.lane.value
    evaluated = lane.state.evaluated if lane else None
    return asked.render(
        "pipeline.html.j2",
        concerns=said,
        level=worst([*(each.level for each in said), Level.BAD if fault else Level.GOOD]),
        readings=found.readings,
        refresh=_SOON if waits else _FRESH,
        waits=waits,
        fault=fault,
        topics=shown[(min(page, pages) - 1) * TOPICS :][:TOPICS],
        names=[each.name for each in topics],
        query={"topic": topic},
        page=min(page, pages),
        pages=pages,
        partitions=PARTITIONS_ALONE if topic else PARTITIONS,
        longest=AGES[-1],
        losses=LOSSES,
        hour_states=tuple(HourState),
        marks_known=found.storage.value is None or found.storage.value.marked is not None,
        hdfs=found.storage.value.hdfs if found.storage.value else None,
        nearly_full=nearly_full,
        lane=lane,
        evaluated=evaluated,
        evaluation=evaluation_level(asked.at - evaluated.at, asked.settings) if evaluated else Level.BAD,
        outbox=tuple(OutboxState),
        allowed={
            "counting": asked.settings.allowed_lateness,
            "stalled": asked.settings.stalled_after,
            "archive": ARCHIVE_ALLOWED,
            "waiting": WAITING_ALLOWED,
            "lateness": asked.settings.archive_lateness,
        },
    )


def _topics(settings: Settings) -> tuple[Sequence[TopicConfig], str]:
    """The topics that something is done with; none, and why, when their file is faulty."""
    try:
        return [each for each in topics_of(settings).topics if each.archive or each.count], ""
    except ConfigurationError as error:
        return (), str(error)


def _known(found: Findings) -> list[TopicConfig]:
    """The topics that were looked at before their file became faulty."""
    partitions = found.kafka.value.timelines if found.kafka.value else ()
    return [TopicConfig(name=name) for name in sorted({part.topic for part in partitions})]
