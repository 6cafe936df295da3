"""A text that a person edits while we run: read again when it changes, and never a fault in force."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Generic, TypeVar

from faultline.adapters.database import Database
from faultline.alerting.rules import Rules, load_rules
from faultline.errors import ConfigurationError, Fault
from faultline.settings import Kind, Settings
from faultline.topicfile import TopicsFile, load_topics
from faultline.yaml_files import Document

log = logging.getLogger(__name__)

Value = TypeVar("Value")

Read = Callable[[Kind], Document]
Refused = Callable[[Document, str, datetime], None]


@dataclass(frozen=True, slots=True)
class Configured(Generic[Value]):
    """What can be configured. Its versions are kept under the name of its ``file``, wherever a text came from.

    ``load`` takes a text and the name of its source. It, ``read``, and ``begun_with``, which has what was in force when
    the task began, raise ConfigurationError.
    """

    kind: Kind
    file: Path
    load: Callable[[str, str], Value]
    read: Read
    begun_with: Read


# Reading a text of a thousand rules takes a second, and every request of the page asks for it.
remembered_rules = lru_cache(maxsize=8)(load_rules)


def configured_rules(settings: Settings, read: Read | None = None) -> Configured[Rules]:
    """The rules of these settings, or as ``read`` finds them."""
    return Configured("rules", settings.rules_file, remembered_rules, read or settings.document, settings.document)


def configured_topics(settings: Settings, read: Read | None = None) -> Configured[TopicsFile]:
    """The topics of these settings, or as ``read`` finds them."""
    return Configured("topics", settings.topics_file, load_topics, read or settings.document, settings.document)


class LastGood(Generic[Value]):
    """What the text says; while it is faulty, what the last good version said, also after a restart.

    Good versions and faults are recorded; ``refused`` is called once with each faulty version, what is wrong with it,
    and the time.
    """

    def __init__(self, what: Configured[Value], database: Database, refused: Refused) -> None:
        self._what = what
        self._database = database
        self._refused = refused
        self._seen: Document | None = None
        self._value: Value | None = None

    def at(self, now: datetime) -> Value | None:
        """What is in force; None when there has never been a good version."""
        document, unreadable = self._read()
        if document != self._seen:
            if faults := unreadable or self._accept(document, now):
                self._refuse(document, faults, now)
            self._seen = document
        return self._value

    def _read(self) -> tuple[Document, tuple[Fault, ...]]:
        try:
            return self._what.read(self._what.kind), ()
        except ConfigurationError as error:
            return Document(error.faults[0].file, str(error)), error.faults

    def _accept(self, document: Document, now: datetime) -> tuple[Fault, ...]:
        try:
            value = self._what.load(document.text, document.source)
        except ConfigurationError as error:
            return error.faults
        self._database.record_rules(str(self._what.file), document.text, document.hash, (), now)
        self._database.record_change(self._what.kind, document, now)
        self._value = value
        log.info("In force: %s, version %s", document.source, document.hash)
        return ()

    def _refuse(self, document: Document, faults: tuple[Fault, ...], now: datetime) -> None:
        self._database.record_rules(str(self._what.file), document.text, "", faults, now)
        if self._value is None:
            self._value = self._last_good()
        stays = (
            "the last good version stays in force" if self._value else "there is no good version: no rule is evaluated"
        )
        said = f"{document.source} is faulty, {stays}. Faults:\n" + "\n".join(map(str, faults))
        log.error("%s", said)
        self._refused(document, said, now)

    def _last_good(self) -> Value | None:
        good = self._database.last_good_rules(str(self._what.file))
        try:
            if good is not None:
                return self._what.load(good.text, str(self._what.file))
        except ConfigurationError as error:
            log.error("The last good version of %s is not good any more:\n%s", self._what.file, error)
        try:
            begun = self._what.begun_with(self._what.kind)
            return self._what.load(begun.text, begun.source)
        except ConfigurationError:
            return None


def in_force(what: Configured[Value], database: Database) -> Value:
    """What the text says now, or its last good version while it is faulty; ConfigurationError when there is none."""
    try:
        document = what.read(what.kind)
        return what.load(document.text, document.source)
    except ConfigurationError as error:
        good = database.last_good_rules(str(what.file))
        if good is None:
            raise
        log.error("The last good version of %s stays in force. Faults:\n%s", what.file, error)
        return what.load(good.text, str(what.file))


def in_force_if_any(what: Configured[Value], database: Database) -> Value | None:
    """The same; None when there is none."""
    try:
        return in_force(what, database)
    except ConfigurationError:
        return None
