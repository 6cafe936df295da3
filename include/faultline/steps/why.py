"""Finding an episode and what is recorded of it, for whoever asks why it was sent or was not."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from faultline.adapters.database import Database
from faultline.alerting.alerts import LEASE, Alert
from faultline.alerting.notation import parse_alert
from faultline.alerting.rulekinds import BaseRule
from faultline.alerting.rules import Rules
from faultline.dispatch.story import History, Measured, counted_in, measure
from faultline.dispatch.text import one_line
from faultline.errors import ConfigurationError, PermanentError
from faultline.settings import Settings
from faultline.steps.last_good import configured_rules, in_force_if_any, remembered_rules
from faultline.yaml_files import nearest

_EPISODE = re.compile(r"[0-9a-f]{4,16}|[0-9a-f]{16}-[0-9TZ]*")


@dataclass(frozen=True, slots=True)
class Why:
    """An episode's history, and its counts as a version of the rules measures them.

    ``of_then`` says that it is the version the episode was kept back by, and not the one in force. ``rule`` is None
    when the version lacks it, ``rules_hash`` when there is none.
    """

    history: History
    rule: BaseRule | None
    rules_hash: str | None
    of_then: bool
    bucket: timedelta
    counts: tuple[Measured, ...]


def find_episodes(settings: Settings, database: Database, text: str, at: datetime | None = None) -> list[Alert]:
    """The episodes that ``text`` may mean, newest first: an alert, or the start of an episode's id.

    With ``at`` only those that went on then. PermanentError when there is none, ValueError when it is not an alert.
    """
    key = parse_alert(text)
    if found := database.episodes(key.rule, key.labels, at):
        return found
    if _EPISODE.fullmatch(text) and (found := database.episodes_by_id(text)):
        return found
    known = {*database.rules_with_alerts(), *_names(in_force_if_any(configured_rules(settings), database))}
    if key.rule not in known:
        raise PermanentError(one_line(f"no alert {key.rule!r}{nearest(key.rule, known)}"))
    when = f" that went on at {at:%Y-%m-%d %H:%M:%S} UTC" if at else ""
    others = dict.fromkeys(str(alert.key) for alert in database.episodes(key.rule, {}))
    like = f"; there are of {', '.join([*others][:3])}" if others else ": it has not been over its threshold"
    raise PermanentError(one_line(f"no episode of {key}{when} is recorded{like}"))


def find_why(settings: Settings, database: Database, alert: Alert, *, now: datetime) -> Why:
    """The episode's history and the counts that are still stored of it."""
    history, bucket = database.history(alert), settings.count_bucket
    then = _of_then(history, database)
    rules = then or in_force_if_any(configured_rules(settings), database)
    rule, version = (rules.rules.get(alert.key.rule), rules.hash) if rules else (None, None)
    if rule is None:
        return Why(history, None, version, then is not None, bucket, ())
    evaluated = database.evaluated(LEASE)
    topics = rule.topics or {each.partition.topic for each in database.counted()}
    span = counted_in(alert, rule, bucket, evaluated.at if evaluated else now)
    counts = database.counts_between(topics, span.start - rule.reach - bucket, span.end)
    closed = evaluated.watermark if evaluated else None
    watched = database.watched_rules().get(rule.alert)
    measured = measure(history, rule, counts, span, bucket=bucket, closed=closed, watched=watched)
    return Why(history, rule, version, then is not None, bucket, measured)


def _of_then(history: History, database: Database) -> Rules | None:
    """The rules that kept the episode back last, if this version can still read them."""
    version = database.rules_version(history.suppressions[-1].rules_hash) if history.suppressions else None
    try:
        return remembered_rules(version.text, version.file) if version else None
    except ConfigurationError:
        return None


def _names(rules: Rules | None) -> set[str]:
    return set(rules.rules) if rules else set()
