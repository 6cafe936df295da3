"""A file that a person edits while we run: read again when its text changes, and never a fault in force."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Generic, TypeVar

from faultline.adapters.database import Database
from faultline.errors import ConfigurationError, Fault
from faultline.yaml_files import read_text

log = logging.getLogger(__name__)

Value = TypeVar("Value")


class LastGood(Generic[Value]):
    """What the file says; while its text is faulty, what the last good version said, also after a restart.

    ``load`` takes a text and the name of its file, and raises ConfigurationError. Good texts and faults are recorded;
    ``refused`` is called with a faulty text, what is wrong with it, and the time.
    """

    def __init__(
        self,
        path: Path,
        load: Callable[[str, str], Value],
        database: Database,
        refused: Callable[[str, str, datetime], None] = lambda text, said, at: None,
    ) -> None:
        self._path = path
        self._load = load
        self._database = database
        self._refused = refused
        self._seen: str | None = None
        self._value: Value | None = None

    def at(self, now: datetime) -> Value | None:
        """What is in force; None when there has never been a good version."""
        text, unreadable = _read(self._path)
        if text != self._seen:
            faults = (unreadable,) if unreadable else self._accept(text, now)
            if faults:
                self._refuse(text, faults, now)
            self._seen = text
        return self._value

    def _accept(self, text: str, now: datetime) -> tuple[Fault, ...]:
        try:
            value = self._load(text, str(self._path))
        except ConfigurationError as error:
            return error.faults
        version = hashlib.sha256(text.encode()).hexdigest()[:16]
        self._database.record_rules(str(self._path), text, version, (), now)
        self._value = value
        log.info("In force: %s, version %s", self._path, version)
        return ()

    def _refuse(self, text: str, faults: tuple[Fault, ...], now: datetime) -> None:
        self._database.record_rules(str(self._path), text, "", faults, now)
        if self._value is None:
            self._value = self._last_good()
        stays = (
            "the last good version stays in force" if self._value else "there is no good version: no rule is evaluated"
        )
        said = f"{self._path} is faulty, {stays}. Faults:\n" + "\n".join(map(str, faults))
        log.error("%s", said)
        self._refused(text, said, now)

    def _last_good(self) -> Value | None:
        good = self._database.last_good_rules(str(self._path))
        try:
            return self._load(good.text, str(self._path)) if good else None
        except ConfigurationError as error:
            log.error("The last good version of %s is not good any more:\n%s", self._path, error)
            return None


def in_force(path: Path, load: Callable[[str, str], Value], database: Database) -> Value:
    """What the file says now, or its last good version while it is faulty; ConfigurationError when there is none."""
    try:
        return load(read_text(path), str(path))
    except ConfigurationError as error:
        good = database.last_good_rules(str(path))
        if good is None:
            raise
        log.error("The last good version of %s stays in force. Faults:\n%s", path, error)
        return load(good.text, str(path))


def in_force_if_any(path: Path, load: Callable[[str, str], Value], database: Database) -> Value | None:
    """The same; None when there is none."""
    try:
        return in_force(path, load, database)
    except ConfigurationError:
        return None


def _read(path: Path) -> tuple[str, Fault | None]:
    try:
        return read_text(path), None
    except ConfigurationError as error:
        return str(error), error.faults[0]
