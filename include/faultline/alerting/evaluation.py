"""``evaluate``: what is remembered and new counts in; alerts, transitions, notifications and ledger rows out.

Opens nothing and asks no clock: the same counts at the same times give the same answers, however they were split,
ordered or delivered. Looks only at alerts that new counts, closed buckets, the clock or their causes may have changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime

from faultline.alerting.alerts import Alert, Evaluation, Suppression, Term
from faultline.alerting.causes import KnownCauses, explain
from faultline.alerting.episodes import begin, cleared_at, observe
from faultline.alerting.ledger import keep_ledger
from faultline.alerting.lifecycle import Scene, step
from faultline.alerting.memory import Memory
from faultline.alerting.notifications import Occasion, announce, effects_by_cause, is_waiting, owes_a_page
from faultline.alerting.rulekinds import BaseRule, NewTermRule
from faultline.alerting.tallies import Tally
from faultline.alerting.windows import Activity, Horizon, Look, horizon, survey, window_width
from faultline.model import AlertKey, AlertState, ErrorCount, Labels, Notification, Transition

_NOTHING = Tally()
_WAITING = frozenset({AlertState.PENDING, AlertState.HELD, AlertState.RECOVERING})

Keys = dict[AlertKey, datetime | None]


def evaluate(memory: Memory, counts: Iterable[ErrorCount], *, at: datetime, watermark: datetime | None) -> Evaluation:
    """Decide everything there is to decide at ``at``, and remember it.

    ``counts`` are those that have not been given yet; everything before ``watermark`` is final, None when nothing is.
    The watermark never goes back.
    """
    watermark = max((each for each in (watermark, memory.since) if each is not None), default=None)
    memory.tallies.add(counts)
    work = _Work(memory, horizon(at, watermark, memory.since, memory.bucket))
    fresh = memory.watch(at)
    work.evaluate_rules()
    notifications = tuple(work.announce_all())
    terms = tuple(work.seen_terms())
    forgotten = tuple(work.forget())
    changed = tuple(memory.alerts[episode] for episode in work.before if episode in memory.alerts)
    suppressions = tuple(work.changed_rows())
    memory.since = watermark
    return Evaluation(
        at,
        watermark,
        memory.rules.hash,
        changed,
        tuple(work.transitions),
        notifications,
        suppressions,
        forgotten,
        terms,
        fresh,
    )


@dataclass
class _Work:
    """One evaluation under way: ``before`` has what changed alerts were, None for those that were not there."""

    memory: Memory
    horizon: Horizon
    before: dict[str, Alert | None] = field(default_factory=dict)
    transitions: list[Transition] = field(default_factory=list)
    ended: dict[str, Alert] = field(default_factory=dict)
    looked_at: set[str] = field(default_factory=set)
    stirred: set[str] = field(default_factory=set)
    touched: dict[str, Keys] = field(default_factory=dict)
    moved: bool = False

    def evaluate_rules(self) -> None:
        """Step every alert that may have changed; causes come first, so whoever explains it has been stepped."""
        memory = self.memory
        edges = (self.horizon.closed, self.horizon.last)
        self.moved, memory.seen = memory.seen != edges, edges
        self.touched = memory.tallies.take_touched()
        restless: dict[str, list[AlertKey]] = {}
        for episode in memory.restless:
            key = memory.alerts[episode].key
            restless.setdefault(key.rule, []).append(key)
        known = KnownCauses(memory.latest, memory.alerts)
        for name in memory.rules.graph.order:
            if name in self.touched or name in restless or self.moved or self.stirred:
                self._evaluate_rule(memory.rules.rules[name], restless.get(name, ()), known)
        self._expire_removed_rules()

    def _evaluate_rule(self, rule: BaseRule, restless: Iterable[AlertKey], known: KnownCauses) -> None:
        keys = self._keys(rule, restless)
        first = len(self.transitions)
        for key, touched in keys.items():
            self._look(rule, key, touched, known)
        self.transitions[first:] = sorted(self.transitions[first:], key=lambda step: tuple(step.alert.labels.items()))

    def _keys(self, rule: BaseRule, restless: Iterable[AlertKey]) -> Keys:
        """The alerts of the rule to look at, with the earliest bucket that was added to, if one was."""
        latest = self.memory.latest.get(rule.alert, {})
        keys: Keys = {}
        if self.moved or self.stirred & self.memory.rules.graph.ancestors(rule.alert):
            keys |= {key: None for key, alert in latest.items() if alert.live}
        if self.moved and rule.needs_closing:
            keys |= dict.fromkeys(self.memory.tallies.of[rule.alert])
            if not rule.identity:
                keys[AlertKey(rule.alert, Labels())] = None
        return keys | dict.fromkeys(restless) | self.touched.get(rule.alert, {})

    def _look(self, rule: BaseRule, key: AlertKey, touched: datetime | None, known: KnownCauses) -> None:
        """Step the live episode of the key, or a new one, made of windows that end after the last one was cleared."""
        memory, horizon = self.memory, self.horizon
        latest = memory.latest.get(rule.alert, {}).get(key)
        going_on = latest if latest is not None and latest.live else None
        tally = memory.tallies.of[rule.alert].get(key, _NOTHING)
        after = latest.cleared_at if latest is not None and going_on is None else None
        was_over = going_on is not None and going_on.cleared_at is None
        activity = survey(tally, rule, horizon, Look(touched, after, memory.watched.get(rule.alert), was_over))
        self._advance(rule, key, going_on, tally, activity, known)
        gone = going_on is not None and going_on.episode not in memory.alerts
        if gone and activity.over:
            self._advance(rule, key, None, tally, activity, known)

    def _advance(
        self,
        rule: BaseRule,
        key: AlertKey,
        going_on: Alert | None,
        tally: Tally,
        activity: Activity,
        known: KnownCauses,
    ) -> None:
        memory, horizon = self.memory, self.horizon
        alert = going_on or begin(key, rule, activity, horizon.bucket)
        if alert is None:
            return
        if going_on is None or key in self.touched.get(rule.alert, ()):
            alert = observe(alert, tally, activity, rule, horizon)
        elif (cleared := cleared_at(alert, activity, horizon)) != alert.cleared_at:
            alert = replace(alert, cleared_at=cleared)
        graph = memory.rules.graph
        explanation = explain(alert, graph, known, horizon.bucket)
        hold, page_due = graph.hold(rule.alert, alert.labels), owes_a_page(alert, memory.rules)
        scene = Scene(rule, tally, activity, explanation, horizon, hold, page_due)
        self._record(going_on, *step(alert, scene))

    def _record(self, before: Alert | None, alert: Alert, transition: Transition | None) -> None:
        was = before.state if before else AlertState.INACTIVE
        alert = keep_ledger(was, alert, self.memory.rules.hash, self.horizon.at)
        self.looked_at.add(alert.episode)
        if transition is not None:
            self.transitions.append(transition)
            self.stirred.add(alert.key.rule)
        if alert.state is AlertState.INACTIVE:
            if before is not None:
                self.before.setdefault(alert.episode, before)
                self.memory.drop(alert.episode)
        elif alert is not before:
            self.before.setdefault(alert.episode, before)
            self.memory.put(alert)

    def _expire_removed_rules(self) -> None:
        """End what no rule watches any more."""
        for name in set(self.memory.latest) - set(self.memory.rules.rules):
            for alert in list(self.memory.latest[name].values()):
                if alert.live:
                    to, at, reason = AlertState.EXPIRED, self.horizon.at, "its rule was removed"
                    transition = Transition(alert.episode, alert.key, alert.state, to, at, reason)
                    self._record(alert, replace(alert, state=to), transition)

    def announce_all(self) -> Iterator[Notification]:
        """Every notification due, and the receivers' memory of it."""
        memory = self.memory
        if self.before and (memory.rules.graph.edges or memory.effects):
            memory.effects = effects_by_cause(memory.alerts.values())
        for alert in self._causes_first():
            explained = any(self._is_live(cause.episode) for cause in alert.causes)
            newly = explained and alert.episode not in memory.explained
            effects = [memory.alerts[each] for each in memory.effects.get(alert.episode, ())]
            occasion = Occasion(memory.rules, self.horizon.at, alert, effects, explained, newly)
            told, sent = announce(occasion)
            if told is not alert:
                self.before.setdefault(alert.episode, alert)
                memory.put(told)
            # Whoever was told just now may be over already, only kept for its page.
            self._settle(told, explained, bool(sent) or is_waiting(told, occasion))
            yield from sent

    def _causes_first(self) -> list[Alert]:
        """The alerts about which there may be something to say: looked at, or a cause of one that has changed."""
        memory = self.memory
        changed = [memory.alerts[episode] for episode in self.before if episode in memory.alerts]
        causes = {cause for cause, effects in memory.effects.items() if not self.before.keys().isdisjoint(effects)}
        chosen = {alert.episode for alert in changed} | (self.looked_at & memory.alerts.keys())
        chosen |= {cause for cause in causes if self._is_live(cause)}
        place = {name: number for number, name in enumerate(memory.rules.graph.order)}
        found = [memory.alerts[episode] for episode in chosen]
        return sorted(found, key=lambda a: (place.get(a.key.rule, len(place)), a.starts_at, a.episode))

    def _settle(self, alert: Alert, explained: bool, waiting: bool) -> None:
        """Note whether the clock alone may change the alert, and whether it is explained."""
        memory = self.memory
        restless = alert.state in _WAITING or waiting
        (memory.restless.add if restless else memory.restless.discard)(alert.episode)
        (memory.explained.add if explained else memory.explained.discard)(alert.episode)

    def _is_live(self, episode: str) -> bool:
        alert = self.memory.alerts.get(episode)
        return alert is not None and alert.live

    def changed_rows(self) -> Iterator[Suppression]:
        """The ledger's rows that are not what they were."""
        for episode, before in self.before.items():
            after = self.memory.alerts.get(episode) or self.ended.get(episode)
            row = after.suppression if after else None
            if row is not None and row != (before.suppression if before else None):
                yield row

    def seen_terms(self) -> Iterator[Term]:
        """The terms that new_term rules saw, as exactly as their windows need it."""
        for name, keys in self.touched.items():
            rule = self.memory.rules.rules[name]
            if isinstance(rule, NewTermRule):
                exact = rule.terms_window_size / 100
                yield from self.memory.tallies.note_terms(name, keys, exact)

    def forget(self) -> Iterator[str]:
        """Drop what no later evaluation needs: ended episodes that explain nobody and are named nowhere any more."""
        memory = self.memory
        yield from (episode for episode in self.before if episode not in memory.alerts)
        if self.moved:
            memory.tallies.forget(self.horizon.first, memory.bucket)
        over = [alert for alert in memory.alerts.values() if not alert.live] if self.moved or self.before else []
        named = self._named() if over else set()
        for alert in over:
            if not self._may_explain(alert) and alert.episode not in named:
                self.ended[alert.episode] = alert
                memory.drop(alert.episode)
                yield alert.episode

    def _named(self) -> set[str]:
        return {name for cause, names in self.memory.effects.items() if self._is_live(cause) for name in names}

    def _may_explain(self, alert: Alert) -> bool:
        memory = self.memory
        rule = memory.rules.rules.get(alert.key.rule)
        if rule is None or alert.ends_at is None:
            return False
        reach = max(memory.rules.graph.memory(rule.alert), 2 * window_width(rule, memory.bucket)) + memory.bucket
        return not self.horizon.has_closed(alert.ends_at + reach)
