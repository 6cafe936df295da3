"""Many messages that wait for one channel, told in one: what is folded, and what that message says.

Pure, and the same for the outbox and for the simulator. An episode is shown once, as its last message has it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from faultline.alerting.severities import rank
from faultline.dispatch.style import Language
from faultline.dispatch.text import shorten
from faultline.dispatch.words import KIND_WORDS, name
from faultline.model import AlertKey, AlertState, AlertSummary, Folded, Labels, Notification, NotificationKind

FOLD = "fold:"
# The most messages that become one; more become the next.
MOST = 500
_ENDS = (NotificationKind.RESOLVED, NotificationKind.CORRECTION)
FOLDABLE = (NotificationKind.FIRING, NotificationKind.UPDATE, NotificationKind.PERSISTS, *_ENDS)
_NAME_LENGTH, _SUMMARY_LENGTH = 80, 120


def episode_of(waiting: Sequence[Notification]) -> str:
    """What the one message is named by: the first that is told in it."""
    return f"{FOLD}{waiting[0].key}"


def fold(waiting: Sequence[Notification], at: datetime, *, sequence: int = 1) -> Notification:
    """The one message, of notifications in their order; ``sequence`` counts those of the same first one."""
    folded = tuple(
        Folded(each.key, each.episode, each.kind, each.reason, _briefly(each.alert), len(each.suppressed))
        for each in waiting
    )
    last = _last(folded)
    severity = max((each.alert.labels.get("severity", "") for each in last), key=rank)
    alert = AlertSummary(
        AlertKey("Summary", Labels()),
        AlertState.RESOLVED if all(each.kind in _ENDS for each in last) else AlertState.FIRING,
        min(each.alert.starts_at for each in folded),
        None,
        sum(each.alert.count for each in last),
        "",
        labels={"severity": severity} if severity else {},
    )
    reason = f"{len(folded)} messages waited for the channel's turn"
    receiver = waiting[0].receiver
    return Notification(
        episode_of(waiting), receiver, NotificationKind.DIGEST, sequence, reason, at, alert, folded=folded
    )


def title(notification: Notification, language: Language) -> str:
    """What there is to know at a glance, without the word for what it is."""
    last = _last(notification.folded)
    severity = notification.alert.labels.get("severity", "").upper()
    over = sum(each.kind in _ENDS for each in last)
    numbers = {"number": len(last), "going_on": len(last) - over, "over": over}
    text = _TITLES[language].format(**numbers)
    return f"{shorten(severity, _NAME_LENGTH)} {text}" if severity else text


_TITLES = {
    "en": "{number:,} alerts in one message: {going_on:,} going on, {over:,} over",
    "zh": "{number:,} 个告警合为一条消息：{going_on:,} 个未恢复，{over:,} 个已恢复",
}


def variables(notification: Notification, language: Language, *, entries: int) -> dict[str, Any]:
    """What its template sees: what goes on first, the severest first."""
    last = sorted(
        _last(notification.folded),
        key=lambda each: (each.kind in _ENDS, -rank(each.alert.labels.get("severity", "")), each.alert.starts_at),
    )
    rest = Counter(each.alert.alert.rule for each in last[entries:])
    return {
        "messages": len(notification.folded),
        "alerts": [_entry(each, language) for each in last[:entries]],
        "more": sum(rest.values()),
        "more_by_rule": [(shorten(rule, _NAME_LENGTH), number) for rule, number in rest.most_common(5)],
    }


def _entry(folded: Folded, language: Language) -> dict[str, Any]:
    alert = folded.alert
    return {
        "word": KIND_WORDS[language][folded.kind],
        "severity": shorten(alert.labels.get("severity", "").upper(), _NAME_LENGTH),
        "name": shorten(name(alert.alert), _NAME_LENGTH),
        "summary": shorten(alert.annotations.get("summary", ""), _SUMMARY_LENGTH),
        "count": alert.count,
        "starts_at": alert.starts_at,
        "ends_at": alert.ends_at,
        "effects": folded.effects,
    }


def _last(folded: Sequence[Folded]) -> list[Folded]:
    return list({each.episode: each for each in folded}.values())


def _briefly(alert: AlertSummary) -> AlertSummary:
    """Without what the one message has no room for."""
    kept = {name: text for name, text in alert.annotations.items() if name == "summary"}
    return replace(alert, samples=(), annotations=kept)
