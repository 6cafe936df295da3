"""The context of pages, read once for all pages of an evaluation."""

from __future__ import annotations

from dataclasses import replace

from faultline.adapters.database import Database
from faultline.alerting.alerts import Evaluation
from faultline.alerting.contexts import BACK, SPAN, by_alert, describe
from faultline.alerting.rules import Rules
from faultline.model import Interval, Notification, NotificationKind

_PAGES = (NotificationKind.FIRING, NotificationKind.PERSISTS)


def with_contexts(database: Database, rules: Rules, evaluation: Evaluation) -> Evaluation:
    """The evaluation, with what the hour before it and the same hour a week ago looked like in its pages."""
    pages = [each for each in evaluation.notifications if each.kind in _PAGES and each.alert.alert.rule in rules.rules]
    if not pages:
        return evaluation
    hour = Interval(evaluation.at - SPAN, evaluation.at)
    then = Interval(hour.start - BACK, hour.end - BACK)
    asked = [rules.rules[name] for name in dict.fromkeys(each.alert.alert.rule for each in pages)]
    sums = by_alert(asked, database.label_sums(hour))
    before = by_alert(asked, database.label_sums(then)) if database.counts_reach_back_to(then.start) else None
    contexts = {
        key: describe(sums.get(key, ()), None if before is None else before.get(key, ()))
        for key in {each.alert.alert for each in pages}
    }

    def described(notification: Notification) -> Notification:
        context = contexts.get(notification.alert.alert) if notification.kind in _PAGES else None
        return replace(notification, alert=replace(notification.alert, context=context)) if context else notification

    return replace(evaluation, notifications=tuple(map(described, evaluation.notifications)))
