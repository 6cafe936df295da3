"""How the alert lane is doing, as its database has it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from faultline.adapters.database import Counted, Database, Evaluated
from faultline.alerting.alerts import LEASE
from faultline.dispatch.delivery import OutboxState
from faultline.errors import Fault
from faultline.model import LateCount


@dataclass(frozen=True, slots=True)
class CountingState:
    """How far each partition is counted and the rules are evaluated, what came too late, what waits to be sent.

    ``faults`` are those of the rules file as it is now.
    """

    counted: Sequence[Counted]
    evaluated: Evaluated | None
    late: Sequence[LateCount]
    outbox: Mapping[OutboxState, int]
    faults: Sequence[Fault]


def counting_state(database: Database) -> CountingState:
    """As of now; TransientError when the database is away."""
    return CountingState(
        counted=database.counted(),
        evaluated=database.evaluated(LEASE),
        late=database.late_dropped(),
        outbox=database.outbox_summary(),
        faults=database.rule_faults(),
    )
