"""The digest of an interval: made from what the database knows, put into the outbox, or written to a file."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from faultline.adapters.database import Database
from faultline.alerting.rules import Rules
from faultline.digest import Digest
from faultline.dispatch.digest import plan_digest, with_samples
from faultline.dispatch.digest.page import for_file
from faultline.dispatch.messages import render, title_of
from faultline.dispatch.receivers import build_receivers, read_by_people, targets_of
from faultline.dispatch.style import DEFAULT_STYLE, Style
from faultline.dispatch.text import one_line
from faultline.errors import PermanentError
from faultline.model import AlertKey, AlertState, AlertSummary, Interval, Labels, Notification, NotificationKind
from faultline.settings import Settings
from faultline.steps.forms import form_time, plain_utc
from faultline.steps.last_good import configured_rules, in_force
from faultline.yaml_files import nearest

log = logging.getLogger(__name__)

TOP = 10
LONGEST = timedelta(days=31)


@dataclass(frozen=True, slots=True)
class DigestReport:
    """What became of a digest: its notification, whom it goes to (nobody, when it is not sent), and its file."""

    notification: Notification
    targets: tuple[str, ...] = ()
    file: Path | None = None

    def to_summary(self) -> dict[str, object]:
        """For Airflow's XCom."""
        return {
            "key": self.notification.key,
            "title": title_of(self.notification, DEFAULT_STYLE, one_line),
            "targets": list(self.targets),
            "file": str(self.file) if self.file else None,
        }


def digest_interval(since: str | None, until: str | None, run: tuple[datetime | None, datetime | None]) -> Interval:
    """The interval that a form asks for, else the run's own; PermanentError says what is wrong with it."""
    start, end = form_time(since or None) or run[0], form_time(until or None) or run[1]
    if start is None or end is None:
        raise PermanentError("this run has no interval of its own: give since and until")
    return check_interval(start, end)


def check_interval(start: datetime, end: datetime) -> Interval:
    """The interval, in UTC; PermanentError when there can be no digest of it."""
    start, end = plain_utc(start), plain_utc(end)
    if start >= end:
        raise PermanentError(f"a digest from {start:%Y-%m-%dT%H:%M:%S} to {end:%Y-%m-%dT%H:%M:%S} has no time in it")
    if end - start > LONGEST:
        raise PermanentError(f"a digest of more than {LONGEST.days} days: take a shorter time")
    return Interval(start, end)


def make_digest(database: Database, interval: Interval, *, top: int = TOP) -> Digest:
    """The digest of the interval as far as it is counted now."""
    digest = plan_digest(interval, database.digest_facts(interval), top=top)
    kinds = {(each.topic, each.fingerprint) for each in (*digest.top, *digest.new)}
    return with_samples(digest, database.digest_samples(interval, kinds)) if kinds else digest


def publish_digest(
    settings: Settings,
    interval: Interval,
    *,
    at: datetime,
    send: bool,
    receiver: str | None = None,
    top: int = TOP,
    write: bool = True,
) -> DigestReport:
    """Make the digest, log it as text, write it to the folder of the settings, and put it into the outbox.

    The digest of an interval has one key for each receiver: put in again, it is the same message and is not sent twice.
    ``receiver`` comes before that of the settings, and that before the one of the root route.
    """
    with Database(settings.database_url) as database:
        rules = in_force(configured_rules(settings), database)
        name, targets = _addressees(rules, receiver or settings.digest_receiver)
        notification = as_notification(make_digest(database, interval, top=top), name, at)
        message = render(notification)
        log.info("%s\n%s", message.title, message.text)
        folder = settings.digest_folder if write else None
        file = _write(settings, notification, folder) if folder else None
        if send:
            database.enqueue(notification, targets)
    return DigestReport(notification, targets if send else (), file)


def as_notification(digest: Digest, receiver: str, at: datetime) -> Notification:
    """The digest as a message; to programs that know only alerts it is one that is over."""
    key = AlertKey("Digest", Labels())
    summary = AlertSummary(key, AlertState.RESOLVED, digest.start, digest.end, digest.errors, "")
    episode = f"digest:{digest.start:%Y%m%dT%H%M%SZ}-{digest.end:%Y%m%dT%H%M%SZ}"
    return Notification(episode, receiver, NotificationKind.DIGEST, 1, "the digest", at, summary, digest=digest)


def write_html(notification: Notification, path: Path, style: Style = DEFAULT_STYLE) -> None:
    """The digest as one file of HTML; PermanentError when it cannot be written."""
    try:
        path.write_text(for_file(notification, style), encoding="utf-8")
    except OSError as error:
        raise PermanentError(f"cannot write {path}: {error.strerror}") from error


def _write(settings: Settings, notification: Notification, folder: Path) -> Path:
    path = folder / f"{notification.episode.replace(':', '-')}.html"
    write_html(notification, path, Style(ui_url=settings.ui_url))
    log.info("written to %s", path)
    return path


def _addressees(rules: Rules, receiver: str | None) -> tuple[str, tuple[str, ...]]:
    name = receiver or rules.file.route.receiver
    if name is None:
        raise PermanentError("the root route has no receiver; say who gets digests: FAULTLINE_DIGEST_RECEIVER")
    if name not in rules.receivers:
        known = ", ".join(rules.receivers)
        raise PermanentError(f"no receiver {name!r}{nearest(name, rules.receivers)}; there are {known}")
    return name, read_by_people(rules.receivers[name], targets_of(build_receivers(rules))[name])
