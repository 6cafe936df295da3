"""What people configure in Airflow: Connections over the environment, Variables over these and the files, a run's
Params over all.

A Variable has an object or a document in YAML or JSON. A faulty one changes nothing: its last good version, of which
``…_last_good`` is a copy, stays in force, the log names every fault, and the operators are told.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, Self

if TYPE_CHECKING:
    from faultline.adapters.database import Database
    from faultline.connections import ConnectionKind
    from faultline.errors import Fault
    from faultline.settings import Kind, Settings
    from faultline.yaml_files import Document

log = logging.getLogger(__name__)

SETTINGS, RULES, TOPICS = "faultline_settings", "faultline_rules", "faultline_topics"

# How many seconds old what a continuous task knows of the Variables may be.
FRESH = 1.0


class Faulty(NamedTuple):
    """A version of a Variable that is not in force."""

    document: Document
    faults: tuple[Fault, ...]


def run_settings(params: Mapping[str, Any], kinds: Collection[str] = ()) -> Settings:
    """The settings of a task by the form of its run; a task that needs only some Connections names the kinds."""
    from faultline_connections import named_conn_ids

    return settings(params["settings"], named_conn_ids(params, kinds))


def settings(
    overrides: Mapping[str, Any] | None = None, conn_ids: Mapping[ConnectionKind, str] | None = None
) -> Settings:
    """The settings of a task, with the rules and the topics that stand in for their files.

    ``overrides`` are those of the run's form, ``conn_ids`` the Connections it needs, the usual ones unless given;
    ConfigurationError when the form is faulty, PermanentError when a Connection is.
    """
    from faultline_connections import connected, usual_conn_ids

    from faultline.alerting.rules import load_rules
    from faultline.model import utc_now
    from faultline.settings import load_settings
    from faultline.steps.meta import tell_of_faults
    from faultline.topicfile import load_topics

    loaders: dict[str, Callable[[str, str], object]] = {RULES: load_rules, TOPICS: load_topics}
    found = {name: _last_good(name, load) for name, load in {SETTINGS: load_settings, **loaders}.items()}
    ours = found[SETTINGS][0]
    usual, chosen = connected(usual_conn_ids() if conn_ids is None else conn_ids)
    config = load_settings(ours.text if ours else "{}", source_of(SETTINGS), {**chosen, **(overrides or {})}, usual)
    documents = {kind: found[name][0] for kind, name in _standing_in(overrides).items()}
    config = config.with_documents({kind: document for kind, document in documents.items() if document})
    for good, faulty in found.values():
        if faulty is not None:
            stays = "the last good version" if good else "what it would override"
            said = f"{faulty.document.source} is faulty, {stays} stays in force. Faults:\n"
            said += "\n".join(map(str, faulty.faults))
            log.error("%s", said)
            tell_of_faults(config, faulty.document, said, utc_now())
    return config


def settings_to_look_at() -> Settings:
    """The settings as tasks have them, for what only looks: it keeps no copy and tells nobody of faults.

    Of rules and topics the texts are the present ones, faulty or not.
    """
    from faultline_connections import connected, usual_conn_ids

    from faultline.settings import load_settings
    from faultline.yaml_files import Document

    ours, _ = _last_good(SETTINGS, load_settings, keep=False)
    texts = {kind: (name, read_variable(name)) for kind, name in _standing_in({}).items()}
    usual, _ = connected(usual_conn_ids())
    return load_settings(ours.text if ours else "{}", source_of(SETTINGS), connected=usual).with_documents(
        {kind: Document(source_of(name), text) for kind, (name, text) in texts.items() if text is not None}
    )


def save_rules(text: str, instead_of: str) -> Document:
    """Set the Variable of the rules in the place of the version of that hash, which may be that of the file.

    Superseded when another one is configured by now, PermanentError when a secrets backend has the Variable too.
    """
    from airflow.models.variable import Variable
    from airflow.utils.session import create_session
    from sqlalchemy import select
    from sqlalchemy.exc import IntegrityError

    from faultline.errors import ConfigurationError, PermanentError, Superseded
    from faultline.yaml_files import Document

    changed = Superseded("the rules have been changed meanwhile: load them again")
    try:
        configured = settings_to_look_at().document("rules")
    except ConfigurationError:
        configured = Document("", "")  # neither Variable nor file
    if configured.hash != instead_of:
        raise changed
    seen = configured.text if configured.source == source_of(RULES) else None
    try:
        with create_session() as session:
            row = session.scalar(select(Variable).where(Variable.key == RULES).with_for_update())
            stored = row.val if row else None
            if stored == seen:
                if row is None:
                    session.add(Variable(RULES, text, "The rules, saved on the page of Faultline"))
                else:
                    row.val = text
                return Document(source_of(RULES), text)
    except IntegrityError:
        raise changed from None
    if read_variable(RULES) != stored:
        raise PermanentError(f"a secrets backend has the Variable {RULES} and comes first: change it there")
    raise changed


def source_of(variable: str) -> str:
    """What faults call the place of a Variable's text."""
    return f"Variable {variable}"


def read_variable(name: str) -> str | None:
    """The text of a Variable; None when there is none, TransientError when Airflow does not say."""
    from airflow.sdk import Variable
    from airflow.sdk.exceptions import AirflowException, AirflowRuntimeError

    from faultline.errors import TransientError

    try:
        text: str | None = Variable.get(name, default=None)
        # To a task a Variable is also not there when Airflow's API is away.
        if text is None and _is_listed(name):
            raise TransientError(f"Airflow does not give the Variable {name}, which there is")
    except (AirflowException, AirflowRuntimeError, PermissionError) as error:
        raise TransientError(f"Airflow does not say what the Variable {name} is: {error}") from error
    return text


def _is_listed(name: str) -> bool:
    from airflow.sdk import Variable

    try:
        return name in Variable.keys(prefix=name)
    except ImportError:  # not in a task: it was Airflow's database that was asked
        return False


def _standing_in(overrides: Mapping[str, Any] | None) -> dict[Kind, str]:
    """The Variables that stand in for files; not for one that the run's form names."""
    names: dict[Kind, str] = {"rules": RULES, "topics": TOPICS}
    return {kind: name for kind, name in names.items() if f"{kind}_file" not in (overrides or {})}


def _last_good(
    name: str, load: Callable[[str, str], object], *, keep: bool = True
) -> tuple[Document | None, Faulty | None]:
    """The Variable's last version without a fault, which is kept as such, and its present one if that has some."""
    from airflow.sdk import Variable

    from faultline.errors import ConfigurationError
    from faultline.yaml_files import Document

    if (text := read_variable(name)) is None:
        return None, None
    copy, present = f"{name}_last_good", Document(source_of(name), text)
    good = read_variable(copy)
    try:
        load(present.text, present.source)
    except ConfigurationError as error:
        return (Document(present.source, good) if good is not None else None), Faulty(present, error.faults)
    if keep and text != good:
        with suppress(ImportError):  # only tasks can; the next one will
            Variable.set(copy, text)
    return present, None


class LiveVariables:
    """The Variables as they were a moment ago, for tasks that go on for minutes.

    They are read in a thread of its own: while Airflow's API is away a read takes minutes, and alerts do not wait.
    """

    def __init__(self, config: Settings, overrides: Mapping[str, Any] | None = None) -> None:
        self._files = config.with_documents({})
        self._names = _standing_in(overrides)
        self._begun = self._texts = self._read()
        self._pool = ThreadPoolExecutor(1, "variables")
        self._reading: Future[dict[str, str | None]] | None = None
        self._due = time.monotonic() + FRESH

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown()  # a read and the task's last word go the same way

    def document(self, kind: Kind) -> Document:
        """The rules or the topics as they are now, faulty or not; ConfigurationError when there are none."""
        from faultline.yaml_files import Document

        name = self._names.get(kind)
        text = self._fresh()[name] if name else None
        return self._files.document(kind) if name is None or text is None else Document(source_of(name), text)

    def record_settings(self, database: Database) -> None:
        """Remember which settings are in force from now on, without what must not be seen."""
        from faultline.model import utc_now
        from faultline.settings import load_settings, without_credentials
        from faultline.yaml_files import Document

        good, _ = _last_good(SETTINGS, load_settings)
        document = good or Document("environment", "{}")
        shown = Document(document.source, without_credentials(document.text, document.source))
        database.record_change("settings", shown, utc_now(), hash=document.hash)

    def restart_needed(self) -> bool:
        """Whether what a continuous task reads when it starts has changed since: the settings, or the topics."""
        texts = self._fresh()
        return any(texts.get(name) != self._begun.get(name) for name in (SETTINGS, TOPICS))

    def _fresh(self) -> dict[str, str | None]:
        from faultline.errors import TransientError

        if self._reading is not None and self._reading.done():
            finished, self._reading = self._reading, None
            try:
                self._texts = finished.result()
            except TransientError as error:
                log.warning("Variables are as they were: %s", error)
        if self._reading is None and time.monotonic() >= self._due:
            self._due = time.monotonic() + FRESH
            self._reading = self._pool.submit(self._read)
        return self._texts

    def _read(self) -> dict[str, str | None]:
        return {name: read_variable(name) for name in (SETTINGS, *self._names.values())}
