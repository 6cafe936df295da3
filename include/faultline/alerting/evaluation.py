"""``evaluate``: rules, remembered alerts and counts in; alerts, transitions, notifications and ledger rows out.

Pure. The same arguments give the same answer, however the counts were split, ordered or delivered.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property

from faultline.alerting.alerts import Alert, Evaluation, Suppression
from faultline.alerting.causes import explain
from faultline.alerting.episodes import begin, observe
from faultline.alerting.ledger import keep_ledger
from faultline.alerting.lifecycle import Scene, step
from faultline.alerting.notifications import Occasion, announce, effects_by_cause, owes_a_page
from faultline.alerting.rulefile import FrequencyRule
from faultline.alerting.rules import Rules
from faultline.alerting.windows import (
    Activity,
    CountsByLabels,
    Horizon,
    Series,
    by_labels,
    horizon,
    series_of,
    survey,
    window_width,
)
from faultline.model import AlertKey, AlertState, ErrorCount, Notification, Transition


def evaluate(
    rules: Rules,
    alerts: Sequence[Alert],
    counts: Iterable[ErrorCount],
    *,
    at: datetime,
    watermark: datetime | None,
    bucket: timedelta,
    since: datetime | None = None,
) -> Evaluation:
    """Decide everything there is to decide at ``at``.

    ``alerts`` is what the evaluation before returned, ``since`` the watermark it was given (None the first time).
    ``counts`` are all those whose bucket starts at or after the earliest of ``at``, ``watermark`` and ``since``, less
    ``lookback(rules, bucket)``. Everything before ``watermark`` is final; None when nothing is.
    """
    work = _Work(rules, horizon(at, watermark, since, bucket), {alert.episode: alert for alert in alerts})
    grouped = by_labels(counts)
    for name in rules.graph.order:
        work.evaluate_rule(rules.rules[name], grouped)
    work.expire_removed_rules()
    notifications = tuple(work.announce_all(alerts))
    suppressions = tuple(work.changed_rows(alerts))
    kept = tuple(work.remembered())
    return Evaluation(at, watermark, rules.hash, kept, tuple(work.transitions), notifications, suppressions)


def lookback(rules: Rules, bucket: timedelta) -> timedelta:
    """How far back counts are needed: the longest window and the buckets at both its ends."""
    widths = (window_width(rule, bucket) for rule in rules.rules.values())
    return max(widths, default=timedelta(0)) + 2 * bucket


@dataclass
class _Work:
    """One evaluation under way: ``known`` has every episode by its name, already evaluated or not."""

    rules: Rules
    horizon: Horizon
    known: dict[str, Alert]
    transitions: list[Transition] = field(default_factory=list)

    def evaluate_rule(self, rule: FrequencyRule, counts: CountsByLabels) -> None:
        """Step every alert of the rule; rules come causes first, so whoever explains it has been stepped."""
        series = series_of(rule, counts)
        mine = sorted((a for a in self.known.values() if a.key.rule == rule.alert), key=lambda alert: alert.starts_at)
        latest = {alert.key: alert for alert in mine}
        by_rule = self._by_rule()
        for key in sorted({*series, *latest}, key=str):
            scene = self._observed(rule, key, series.get(key, Series()), latest.get(key))
            if scene is not None:
                self._advance(*scene, by_rule)

    def _observed(
        self, rule: FrequencyRule, key: AlertKey, series: Series, latest: Alert | None
    ) -> tuple[Alert, FrequencyRule, Series, Activity] | None:
        """The live episode of the key, or a new one, with what the counts say of it; None when there is nothing.

        A new episode is made of windows that end after the last one was cleared.
        """
        going_on = latest if latest is not None and latest.live else None
        activity = survey(series, rule, self.horizon, latest.cleared_at if latest and not going_on else None)
        alert = going_on or begin(key, rule, activity, self.horizon.bucket)
        return None if alert is None else (observe(alert, series, activity, self.horizon), rule, series, activity)

    def _advance(
        self, alert: Alert, rule: FrequencyRule, series: Series, activity: Activity, by_rule: dict[str, list[Alert]]
    ) -> None:
        graph = self.rules.graph
        explanation = explain(alert, graph, by_rule, self.horizon.bucket)
        hold, page_due = graph.hold(rule.alert, alert.labels), owes_a_page(alert, self.rules)
        scene = Scene(rule, series, activity, explanation, self.horizon, hold, page_due)
        self._record(alert.state, *step(alert, scene))

    def _record(self, before: AlertState, alert: Alert, transition: Transition | None) -> None:
        self.known[alert.episode] = keep_ledger(before, alert, self.rules.hash, self.horizon.at)
        if transition is not None:
            self.transitions.append(transition)
        if alert.state is AlertState.INACTIVE:
            del self.known[alert.episode]

    def expire_removed_rules(self) -> None:
        """End what no rule watches any more."""
        for alert in list(self.known.values()):
            if alert.live and alert.key.rule not in self.rules.rules:
                to, at, reason = AlertState.EXPIRED, self.horizon.at, "its rule was removed"
                transition = Transition(alert.episode, alert.key, alert.state, to, at, reason)
                self._record(alert.state, replace(alert, state=to), transition)

    def announce_all(self, before: Sequence[Alert]) -> Iterator[Notification]:
        """Every notification due, and the receivers' memory of it."""
        live = {alert.episode for alert in self.known.values() if alert.live}
        over = {alert.episode for alert in before if not alert.live}
        explained_before = {alert.episode for alert in before if _explained(alert, live)}
        for alert in [alert for alert in self._causes_first() if alert.episode not in over]:
            explained = _explained(alert, live)
            newly = explained and alert.episode not in explained_before
            occasion = Occasion(
                self.rules, self.horizon.at, alert, self.effects.get(alert.episode, []), explained, newly
            )
            self.known[alert.episode], sent = announce(occasion)
            yield from sent

    def changed_rows(self, before: Sequence[Alert]) -> Iterator[Suppression]:
        """The ledger's rows that are not what they were."""
        rows = {alert.episode: alert.suppression for alert in before}
        for alert in self.known.values():
            if alert.suppression is not None and alert.suppression != rows.get(alert.episode):
                yield alert.suppression

    def remembered(self) -> Iterator[Alert]:
        """What the next evaluation needs: live episodes, ended ones that still explain others or are still named."""
        live = [alert.episode for alert in self.known.values() if alert.live]
        named = {effect.episode for episode in live for effect in self.effects.get(episode, [])}
        for alert in sorted(self.known.values(), key=lambda alert: (alert.starts_at, alert.episode)):
            if alert.live or self._may_explain(alert) or alert.episode in named:
                yield alert

    @cached_property
    def effects(self) -> dict[str, list[Alert]]:
        """Who each episode explains, once every alert has been stepped."""
        return effects_by_cause(self.known.values())

    def _may_explain(self, alert: Alert) -> bool:
        rule = self.rules.rules.get(alert.key.rule)
        if rule is None or alert.ends_at is None:
            return False
        memory = max(self.rules.graph.memory(rule.alert), window_width(rule, self.horizon.bucket)) + self.horizon.bucket
        return not self.horizon.has_closed(alert.ends_at + memory)

    def _causes_first(self) -> list[Alert]:
        place = {name: number for number, name in enumerate(self.rules.graph.order)}
        return sorted(self.known.values(), key=lambda a: (place.get(a.key.rule, len(place)), a.starts_at, a.episode))

    def _by_rule(self) -> dict[str, list[Alert]]:
        found: dict[str, list[Alert]] = {}
        for alert in self.known.values():
            found.setdefault(alert.key.rule, []).append(alert)
        return found


def _explained(alert: Alert, live: Collection[str]) -> bool:
    return any(cause.episode in live for cause in alert.causes)
