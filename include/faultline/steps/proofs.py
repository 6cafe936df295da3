"""How the last proof of each table came out, written beside the tables for whoever asks later."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from faultline.adapters.markers import Markers, markers
from faultline.archive.findings import VerifyReport
from faultline.errors import FaultlineError
from faultline.settings import Settings

log = logging.getLogger(__name__)

# More faults than a person reads at a glance; the proof itself has them all.
_FAULTS = 5


@dataclass(frozen=True, slots=True)
class Proof:
    """A proof of a topic's table: as of which version, whether every row was read and whether Kafka was asked.

    ``since`` is None when it was of all rows. ``faults`` are the first few of ``found``.
    """

    at: datetime
    version: int
    rows: int
    deep: bool
    kafka: bool
    since: datetime | None = None
    found: int = 0
    faults: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether every archived offset was there once and none was missing."""
        return not self.found

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "at": self.at.isoformat(timespec="seconds"),
            "ok": self.ok,
            "version": self.version,
            "rows": self.rows,
            "deep": self.deep,
            "kafka": self.kafka,
            "since": self.since.isoformat(timespec="seconds") if self.since else None,
            "found": self.found,
            "faults": list(self.faults),
        }


def note_proof(
    settings: Settings, report: VerifyReport, *, at: datetime, deep: bool, kafka: bool, since: datetime | None
) -> None:
    """Write down how a proof came out. That it cannot be is logged: the proof itself is as good without."""
    messages = tuple(fault.message for fault in report.faults[:_FAULTS])
    proof = Proof(at, report.version, report.rows, deep, kafka, since, len(report.faults), messages)
    try:
        if (store := markers(settings.archive_url, settings.webhdfs_url)) is not None:
            store.write_proof(report.topic, proof.to_dict())
    except (FaultlineError, OSError) as error:
        log.warning("%s: how the proof came out is not written down: %s", report.topic, error)


def last_proof(store: Markers, topic: str) -> Proof | None:
    """The last one; None when there was none, or when what is there is not one."""
    said = store.proof(topic)
    try:
        return None if said is None else _proof(said)
    except (KeyError, TypeError, ValueError):
        return None


def _proof(said: Mapping[str, Any]) -> Proof:
    since = said["since"]
    return Proof(
        at=datetime.fromisoformat(said["at"]),
        version=int(said["version"]),
        rows=int(said["rows"]),
        deep=bool(said["deep"]),
        kafka=bool(said["kafka"]),
        since=datetime.fromisoformat(since) if since else None,
        found=int(said["found"]),
        faults=tuple(map(str, said["faults"])),
    )
