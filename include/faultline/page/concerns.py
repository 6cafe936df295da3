"""What of the pipeline is not as it should be, the gravest first. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from faultline.adapters.webhdfs import FolderUse, HdfsState
from faultline.dispatch.delivery import OutboxState
from faultline.durations import format_duration
from faultline.page.completeness import overdue
from faultline.page.health import TopicHealth
from faultline.page.lags import ARCHIVE_ALLOWED, Lag, Level
from faultline.page.probes import Standing
from faultline.page.sources import AlertLane, Findings, Storage
from faultline.page.templates import clock, span
from faultline.settings import Settings
from faultline.steps.hdfs_state import nearly_full

# The outbox tries again within a minute or two where a provider does not refuse for longer.
WAITING_ALLOWED = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Concern:
    """One thing: the key of its sentence and what goes into it, the section that has more, what the software said."""

    level: Level
    what: str
    section: str
    places: Mapping[str, Any] = field(default_factory=dict)
    said: str = ""


def concerns(found: Findings, topics: Iterable[TopicHealth], settings: Settings, now: datetime) -> list[Concern]:
    """Everything, the gravest first."""
    all_of_it = [*_sources(found), *_lane(found.lane.value, settings, now), *_storage(found.storage.value)]
    for topic in topics:
        all_of_it += _topic(topic, settings)
    return sorted(all_of_it, key=lambda each: each.level is not Level.BAD)


def _sources(found: Findings) -> Iterator[Concern]:
    for name, reading in found.readings.items():
        if reading.standing in (Standing.SILENT, Standing.FAILED):
            yield Concern(Level.BAD, f"{name}_{reading.standing}", "sources", said=reading.fault)


def _lane(lane: AlertLane | None, settings: Settings, now: datetime) -> Iterator[Concern]:
    if lane is None:
        return
    if lane.state.faults:
        yield Concern(Level.BAD, "faulty", "rules", {"n": len(lane.state.faults)}, str(lane.state.faults[0]))
    if (evaluated := lane.state.evaluated) is None:
        yield Concern(Level.BAD, "never_evaluated", "rules")
    elif (level := evaluation_level(now - evaluated.at, settings)) is not Level.GOOD:
        yield Concern(level, "evaluated_late", "rules", {"age": span(now - evaluated.at)})
    if dead := lane.state.outbox[OutboxState.DEAD]:
        yield Concern(Level.WATCH, "dead", "outbox", {"n": dead})
    if lane.waiting_since and (waits := now - lane.waiting_since) > WAITING_ALLOWED:
        yield Concern(Level.WATCH, "waiting", "outbox", {"age": span(waits)})
    for each in lane.uncounted:
        for what, count in (("late", each.late), ("unparsable", each.unparsable)):
            if count:
                yield Concern(Level.WATCH, what, "uncounted", {"topic": each.topic, "n": count})


def evaluation_level(age: timedelta, settings: Settings) -> Level:
    """How it is that the rules were evaluated so long ago."""
    if age > settings.stalled_after:
        return Level.BAD
    return Level.WATCH if age > settings.allowed_lateness else Level.GOOD


def _storage(storage: Storage | None) -> Iterator[Concern]:
    if storage is None or storage.hdfs is None:
        return
    if (state := storage.hdfs.state) is not None:
        yield from _hdfs(state)
    if (use := storage.hdfs.use) is not None:
        yield from _quotas(use)


def _hdfs(state: HdfsState) -> Iterator[Concern]:
    if state.safe_mode:
        yield Concern(Level.BAD, "safe_mode", "storage")
    if nearly_full(state.used, state.used + state.remaining):
        yield Concern(Level.BAD, "full", "storage")
    if state.dead_datanodes:
        yield Concern(Level.WATCH, "dead_datanodes", "storage", {"n": state.dead_datanodes})
    if state.missing_replicas:
        yield Concern(Level.WATCH, "replicas", "storage", {"n": state.missing_replicas})


def _quotas(use: FolderUse) -> Iterator[Concern]:
    full = use.space_quota is not None and nearly_full(use.stored, use.space_quota)
    if full or (use.name_quota is not None and nearly_full(use.names, use.name_quota)):
        yield Concern(Level.BAD, "quota", "storage")


def _topic(topic: TopicHealth, settings: Settings) -> Iterator[Concern]:
    name = {"topic": topic.name}
    if topic.missing:
        yield Concern(Level.WATCH, "missing", "lag", name)
    if topic.lag is not None:
        counting = _behind(topic.lag.counting, "counting", settings.allowed_lateness, name)
        archive = _behind(topic.lag.archive, "archive", ARCHIVE_ALLOWED, name)
        yield from (each for each in (counting, archive) if each)
    if late := overdue(topic.days):
        yield Concern(Level.WATCH, "overdue", "hours", {**name, "n": len(late), "since": f"{clock(late[0].start)} UTC"})
    if topic.proof is not None and not topic.proof.ok:
        yield Concern(Level.BAD, "not_proven", "tables", name, topic.proof.faults[0] if topic.proof.faults else "")
    if topic.table is not None and topic.table.losses:
        lost = sum(len(loss.range) for loss in topic.table.losses)
        yield Concern(Level.WATCH, "lost", "tables", {**name, "n": lost})


def _behind(lag: Lag | None, lane: str, allowed: timedelta, name: Mapping[str, str]) -> Concern | None:
    if lag is None or lag.level is Level.GOOD:
        return None
    if lag.lost:
        return Concern(lag.level, f"{lane}_loss", "lag", name)
    if not lag.begun:
        return Concern(lag.level, f"{lane}_not_begun", "lag", name)
    places = {**name, "n": lag.records, "allowed": format_duration(allowed)}
    if lag.age is None:
        return Concern(lag.level, f"{lane}_unknown", "lag", places)
    return Concern(lag.level, f"{lane}_behind", "lag", {**places, "age": span(lag.age)})
