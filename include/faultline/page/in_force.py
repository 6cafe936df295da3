"""The rules that the last evaluation worked with, as the database has them: their file may be on another machine.

Reading a text of a thousand rules takes seconds, so what came of it is remembered.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from faultline.adapters.database import Database, Evaluated
from faultline.alerting.alerts import LEASE
from faultline.alerting.rules import Rules, load_rules
from faultline.alerting.warnings import find_warnings
from faultline.errors import ConfigurationError, Fault
from faultline.settings import Settings
from faultline.yaml_files import Document


def rules_in_force(database: Database, evaluated: Evaluated | None) -> Rules | None:
    """None before the first evaluation, or when this version of Faultline cannot read them."""
    version = database.rules_version(evaluated.rules_hash) if evaluated else None
    return check(version.text).rules if version else None


@dataclass(frozen=True, slots=True)
class Written:
    """The text that is configured, and the rules that are evaluated, which a faulty or a new one is not yet."""

    document: Document | None
    evaluated: Evaluated | None
    rules: Rules | None
    faulty: bool

    @property
    def waits(self) -> bool:
        """Whether the text is good and no evaluation has worked with it yet."""
        used = self.evaluated.rules_hash if self.evaluated else ""
        return self.document is not None and not self.faulty and self.document.hash != used


def read_written(settings: Settings, database: Database) -> Written:
    """What is configured and what is evaluated; before the first evaluation that is what is configured."""
    evaluated = database.evaluated(LEASE)
    try:
        document = settings.document("rules")
    except ConfigurationError:
        document = None
    configured = check(document.text).rules if document else None
    found = rules_in_force(database, evaluated) or configured
    return Written(document, evaluated, found, faulty=document is not None and configured is None)


@dataclass(frozen=True, slots=True)
class Checked:
    """What ``faultline check`` says of a text: its faults, or its rules and what is to be doubted about them."""

    faults: tuple[Fault, ...] = ()
    doubts: tuple[Fault, ...] = ()
    rules: Rules | None = None


@lru_cache(maxsize=8)
def check(text: str) -> Checked:
    """The text checked."""
    try:
        rules = load_rules(text)
    except ConfigurationError as error:
        return Checked(error.faults)
    return Checked((), tuple(find_warnings(rules.file, text, "rules.yaml")), rules)
