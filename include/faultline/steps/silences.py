"""Every silence there is, from the rules file and from the database, with the alerts it keeps quiet."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from faultline.adapters.database import Database
from faultline.alerting.alerts import Alert
from faultline.alerting.silences import Silence, SilenceState
from faultline.settings import Settings
from faultline.steps.last_good import configured_rules, in_force_if_any


@dataclass(frozen=True, slots=True)
class ListedSilence:
    """A silence, its number unless it is written in the rules file, and the alerts that go on and that it matches."""

    id: int | None
    silence: Silence
    state: SilenceState
    alerts: tuple[Alert, ...]


def list_silences(settings: Settings, database: Database, *, at: datetime) -> list[ListedSilence]:
    """Those of the rules file in force, if there is one, then the others in the order in which they were set."""
    rules = in_force_if_any(configured_rules(settings), database)
    known: list[tuple[int | None, Silence]] = [(None, silence) for silence in rules.file.silences] if rules else []
    known += [(stored.id, stored.silence) for stored in database.silences()]
    alerts = database.alerts()
    return [ListedSilence(id, silence, silence.state(at), silence.live(alerts)) for id, silence in known]
