"""What the rules in force would have sent over an interval of the archive, beside what was sent; sent when forced."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from faultline.adapters.database import Database
from faultline.alerting.alertlog import PAGES
from faultline.alerting.alerts import Evaluation
from faultline.alerting.rules import Rules
from faultline.dispatch.receivers import build_receivers, targets_of
from faultline.dispatch.text import one_line
from faultline.model import Interval, Notification, NotificationKind
from faultline.settings import Settings
from faultline.steps.backtest import NothingArchived, plan_backtest, replay
from faultline.steps.last_good import configured_rules, in_force
from faultline.steps.report import write_report

log = logging.getLogger(__name__)

SENT, NOT_SEEN = "sent", "not seen"
# A log is read by people and what a task returns is kept in Airflow's database.
_MOST = 100


@dataclass(frozen=True, slots=True)
class Page:
    """A message that would have been sent, and what was made of its alert live: SENT, NOT_SEEN, or its state then."""

    notification: Notification
    live: str


@dataclass
class WouldFire:
    """The first pages of alerts in an interval, and what to send of those that nobody was told of: of one that is over
    its end, of one that goes on its page.
    """

    interval: Interval
    pages: list[Page] = field(default_factory=list)
    open: dict[str, list[Notification]] = field(default_factory=dict)
    over: dict[str, list[Notification]] = field(default_factory=dict)

    def add(self, evaluation: Evaluation, live: Callable[[Notification], str]) -> None:
        """Note what an evaluation sends; ``live`` says what was made of an alert."""
        inside = self.interval.start < evaluation.at <= self.interval.end
        for sent in evaluation.notifications:
            if inside and sent.kind in PAGES and sent.sequence == 1:
                self.pages.append(Page(sent, live(sent)))
                if self.pages[-1].live != SENT:
                    self.open.setdefault(sent.episode, []).append(sent)
            elif sent.kind is NotificationKind.RESOLVED and sent.episode in self.open | self.over:
                self.open.pop(sent.episode, None)
                self.over.setdefault(sent.episode, []).append(sent)

    @property
    def not_sent(self) -> int:
        """How many of the pages were not sent live."""
        return sum(page.live != SENT for page in self.pages)

    @property
    def untold(self) -> list[Notification]:
        """What to send, oldest first."""
        found = (sent for some in (*self.over.values(), *self.open.values()) for sent in some)
        return sorted(found, key=lambda sent: (sent.created_at, sent.key))

    def to_summary(self) -> dict[str, Any]:
        """For Airflow's XCom; of many pages the first."""
        pages = [
            {
                "at": page.notification.created_at.isoformat(),
                "alert": str(page.notification.alert.alert),
                "receiver": page.notification.receiver,
                "live": page.live,
            }
            for page in self.pages[:_MOST]
        ]
        return {"would_have_fired": len(self.pages), "not_sent_live": self.not_sent, "pages": pages}


def would_fire(
    settings: Settings,
    interval: Interval,
    *,
    now: datetime,
    force: bool = False,
    checkpoint: Callable[[str], None] = lambda step: None,
) -> dict[str, Any]:
    """Replay the rules over the interval and report it in the log; with ``force``, what nobody was told of is sent.

    To know what is over by now, a forced replay goes on behind the interval until all of it is, or the archive ends.
    Sent again it is the same messages, and nobody gets one twice.
    """
    found = WouldFire(interval)
    with Database(settings.database_url) as database:
        rules = in_force(configured_rules(settings), database)
        _replay(settings, rules, database, found, now if force else interval.end, checkpoint)
        sent = _send(database, rules, found.untold) if force else 0
    _report(found, sent)
    return {**found.to_summary(), "sent": sent}


def _replay(
    settings: Settings,
    rules: Rules,
    database: Database,
    found: WouldFire,
    end: datetime,
    checkpoint: Callable[[str], None],
) -> None:
    interval = found.interval
    silences = [stored.silence for stored in database.silences(interval.start)]
    try:
        plan = plan_backtest(settings, [rules], Interval(interval.start, end), complete_to=interval.end)
    except NothingArchived as error:
        log.info("No rule has anything to say: %s", error)
        return
    for note in plan.notes:
        log.warning("%s", note)
    for [evaluation] in replay(settings, [rules], plan, silences=silences):
        if evaluation.at > interval.end and not found.open:
            return
        checkpoint("evaluated")
        found.add(evaluation, lambda sent: _live(database, sent))


def _live(database: Database, sent: Notification) -> str:
    key = sent.alert.alert
    episodes = database.episodes(key.rule, key.labels, sent.created_at)
    same = [each for each in episodes if each.key == key]
    if any(each.told for each in same):
        return SENT
    return same[0].state.value if same else NOT_SEEN


def _send(database: Database, rules: Rules, notifications: Sequence[Notification]) -> int:
    targets = targets_of(build_receivers(rules))
    for notification in notifications:
        reason = f"found by a recount of the archive: {notification.reason}"
        database.enqueue(replace(notification, reason=reason), targets[notification.receiver])
    return len(notifications)


def _report(found: WouldFire, sent: int) -> None:
    sentence = f"The rules in force would have sent {len(found.pages):,} pages; not sent live: {found.not_sent:,}"
    rows = [
        (
            f"{page.notification.created_at:%Y-%m-%d %H:%M:%S}",
            one_line(str(page.notification.alert.alert)),
            page.notification.receiver,
            page.live,
        )
        for page in found.pages[:_MOST]
    ]
    write_report(log, sentence, ("At (UTC)", "Alert", "Receiver", "Live"), rows)
    if len(found.pages) > _MOST:
        log.info("… %s more", f"{len(found.pages) - _MOST:,}")
    if sent:
        log.warning("%d messages are in the outbox: alerts that nobody was told of", sent)
