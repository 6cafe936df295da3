"""Each alert that may have changed makes its step: causes first, so whoever explains it has been stepped.

Rules in the order of the graph, and the alerts of a rule that may mute each other by their ranks.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from faultline.alerting.alerts import Alert, MuteReason, Silencing, replace
from faultline.alerting.causes import Explanation, KnownCauses, explain
from faultline.alerting.episodes import begin, cleared_at, labels_of, matured, observe, refuted
from faultline.alerting.ledger import keep_ledger
from faultline.alerting.lifecycle import step
from faultline.alerting.measures import may_be_over
from faultline.alerting.notifications import all_muted, owes_a_page
from faultline.alerting.pacing import Keys
from faultline.alerting.progress import Progress
from faultline.alerting.rulekinds import BaseRule
from faultline.alerting.scenes import Mute, Scene
from faultline.alerting.silences import in_force, silenced_by
from faultline.alerting.tallies import Tally
from faultline.alerting.windows import Activity, Look, over_until, survey
from faultline.model import AlertKey, AlertState, Labels, Transition

_NOTHING = Tally()


def step_all(progress: Progress) -> None:
    """Step every alert that counts, closed buckets, the clock or its causes may have changed."""
    memory = progress.memory
    restless: dict[str, list[AlertKey]] = {}
    for episode in memory.restless | (progress.acks.keys() & memory.alerts.keys()):
        alert = memory.alerts[episode]
        if not _holds_on(progress, alert):
            restless.setdefault(alert.key.rule, []).append(alert.key)
    known = KnownCauses(memory.latest, memory.alerts)
    for name in memory.rules.graph.order:
        step = _let_rest if name in progress.resting else _step_rule
        step(progress, memory.rules.rules[name], restless.get(name, ()), known)
    _expire_removed_rules(progress)


def _holds_on(progress: Progress, alert: Alert) -> bool:
    """Whether it waits for a cause, and the clock does not end that yet."""
    if alert.state is not AlertState.HELD or alert.held_since is None:
        return False
    hold = progress.memory.rules.graph.hold(alert.key.rule, alert.labels)
    return progress.horizon.at < alert.held_since + hold


def _let_rest(progress: Progress, rule: BaseRule, restless: Iterable[AlertKey], known: KnownCauses) -> None:
    """Of a rule that is not due only what people say is heard; what is to be told of its alerts is told in time."""
    latest = progress.memory.latest.get(rule.alert, {})
    told = progress.remuted or progress.memory.rules.repeats
    progress.looked_at |= {latest[key].episode for key in (latest if told else restless) if key in latest}
    acked = [alert.key for alert in latest.values() if alert.episode in progress.acks] if progress.acks else []
    _step_keys(progress, rule, dict.fromkeys(acked), known)


def _step_rule(progress: Progress, rule: BaseRule, restless: Iterable[AlertKey], known: KnownCauses) -> None:
    graph = progress.memory.rules.graph
    keys = _keys(progress, rule, restless)
    if (ranks := graph.ranks(rule.alert)) == 1:
        _step_keys(progress, rule, keys, known)
        return
    places: dict[AlertKey, int] = {}
    for place in range(ranks):
        for key in keys.keys() - places.keys():
            places[key] = graph.rank(rule.alert, labels_of(key, rule))
        _step_keys(progress, rule, {key: keys[key] for key in keys if places[key] == place}, known)
        # Those of higher ranks that this has stirred.
        keys = _keys(progress, rule, restless)
        known.forget(rule.alert)


def _step_keys(progress: Progress, rule: BaseRule, keys: Keys, known: KnownCauses) -> None:
    if not keys:
        return
    first = len(progress.transitions)
    stepper = _Stepper(progress, rule, known)
    for key in keys:
        stepper.look(key)
    by_labels = sorted(progress.transitions[first:], key=lambda each: tuple(each.alert.labels.items()))
    progress.transitions[first:] = by_labels


def _keys(progress: Progress, rule: BaseRule, restless: Iterable[AlertKey]) -> Keys:
    """The alerts of the rule to look at, with the earliest bucket that was added to, if one was."""
    memory, latest = progress.memory, progress.memory.latest.get(rule.alert)
    keys: Keys = {}
    moved = progress.moved or rule.alert in progress.paced
    if latest and (moved or progress.stirred & memory.rules.graph.ancestors(rule.alert)):
        keys |= {key: None for key, alert in latest.items() if alert.live and not _rests(progress, rule, alert)}
    if moved and rule.needs_closing:
        keys |= dict.fromkeys(memory.tallies.of[rule.alert])
        if not rule.identity:
            keys[AlertKey(rule.alert, Labels())] = None
    keys.update(dict.fromkeys(restless))
    keys.update(progress.touched.get(rule.alert, ()))
    return keys


def _rests(progress: Progress, rule: BaseRule, alert: Alert) -> bool:
    """Whether neither the time that passed nor what is muted nor a cause can have changed the alert."""
    memory, closed = progress.memory, progress.horizon.closed
    if rule.alert in progress.paced:
        return False  # what has changed since its last evaluation is not known
    quiet_until = memory.quiet_until.get(alert.episode)
    if quiet_until is None or closed is None or closed >= quiet_until or progress.remuted or memory.rules.repeats:
        return False
    return not progress.stirred & memory.rules.graph.ancestors(rule.alert)


class _Stepper:
    """Steps the alerts of one rule, and knows what is around them."""

    def __init__(self, progress: Progress, rule: BaseRule, known: KnownCauses) -> None:
        ancestors = progress.memory.rules.graph.ancestors(rule.alert)
        self._causes_stirred = rule.alert in progress.paced or not progress.stirred.isdisjoint(ancestors)
        self._explained: set[str] = set()
        self._progress, self._rule, self._known = progress, rule, known
        self._memory, self._horizon = progress.memory, progress.horizon_of(rule.alert)
        self._touched = progress.touched.get(rule.alert, {})
        self._tallies = progress.memory.tallies.of[rule.alert]
        self._latest = progress.memory.latest.setdefault(rule.alert, {})

    def look(self, key: AlertKey) -> None:
        """Step the live episode of the key, or a new one, made of windows that end after the last one was cleared."""
        memory, rule = self._memory, self._rule
        latest = self._latest.get(key)
        going_on = latest if latest is not None and latest.live else None
        tally = self._tallies.get(key, _NOTHING)
        if going_on is None and not may_be_over(rule, tally):
            return
        after = latest.cleared_at if latest is not None and going_on is None else None
        was_over = going_on is not None and going_on.cleared_at is None
        look = Look(self._touched.get(key), after, memory.watched.get(rule.alert), was_over)
        activity = survey(tally, rule, self._horizon, look)
        if going_on is not None:
            if not self._horizon.has_closed(going_on.starts_at + self._horizon.bucket):
                activity = activity._replace(over=True)  # a clock that was set back: it has not begun yet
            self._go_on(going_on, tally, activity)
            if key not in self._touched:
                self._rest(going_on.episode, tally, activity)
            if going_on.episode in memory.alerts or not activity.over:
                return
        begun = begin(key, rule, activity, self._horizon.bucket)
        if begun is not None:
            self._begin(begun, latest, tally, activity)

    def _go_on(self, alert: Alert, tally: Tally, activity: Activity) -> None:
        before = alert
        if alert.key in self._touched:
            alert = observe(alert, tally, activity, self._rule, self._horizon)
        elif (cleared := cleared_at(alert, activity, self._horizon)) != alert.cleared_at:
            alert = replace(alert, cleared_at=cleared)
        if before.cleared_at is not None and alert.cleared_at is None and alert.told:
            alert = replace(alert, flapping=True)
        self._record(before, *step(alert, self._scene(alert, tally, activity)))

    def _rest(self, episode: str, tally: Tally, activity: Activity) -> None:
        """Note until when the records there are keep the alert where it is; more of them would only keep it longer."""
        alert, quiet = self._memory.alerts.get(episode), self._memory.quiet_until
        if alert is None or activity.last_over is None or self._rule.needs_closing or not self._stays(alert):
            quiet.pop(episode, None)
        else:
            quiet[episode] = over_until(tally, self._rule, self._horizon, activity.last_over)

    def _stays(self, alert: Alert) -> bool:
        if alert.state is AlertState.SUPPRESSED:
            return self.explain(alert).max_suppression is None
        return alert.sounding and bool(alert.told)

    def explain(self, alert: Alert) -> Explanation:
        """Who explains it; found again when causes have made a step, but only once an evaluation."""
        memory, episode = self._memory, alert.episode
        known = memory.explanations.get(episode)
        if known is None or ((alert.told or self._causes_stirred) and episode not in self._explained):
            known = memory.explanations[episode] = explain(alert, memory.rules.graph, self._known, self._horizon.bucket)
            self._explained.add(episode)
        return known

    def hold(self, alert: Alert) -> timedelta:
        """How long it may wait for a cause."""
        return self._memory.rules.graph.hold(self._rule.alert, alert.labels)

    def owes_a_page(self, alert: Alert) -> bool:
        """Whether somebody is still to be told of it."""
        return owes_a_page(alert, self._memory.rules, self._horizon.at)

    def mute(self, alert: Alert) -> Mute | None:
        """Whether a person or the hour keeps it from everybody."""
        at = self._horizon.at
        silence = silenced_by(self._progress.silences, alert.labels, at)
        if silence is not None:
            return Mute(MuteReason.SILENCE, silence.reason)
        if all_muted(alert, self._memory.rules, at):
            return Mute(MuteReason.MUTE_TIME, "nobody is told at this hour")
        return None

    def _begin(self, begun: Alert, latest: Alert | None, tally: Tally, activity: Activity) -> None:
        """A new episode, or the last one again: a root that comes back while its effects recover is flapping."""
        rule, horizon = self._rule, self._horizon
        if latest is not None and self._comes_back(latest, begun) and matured(begun, rule, activity, horizon):
            begun = replace(latest, cleared_at=None, ends_at=None, flapping=True, corrected=False)
            before: Alert | None = latest
        else:
            before = None
        alert = observe(begun, tally, activity, rule, horizon)
        self._record(before, *step(alert, self._scene(alert, tally, activity)))

    def _comes_back(self, latest: Alert, begun: Alert) -> bool:
        grace = self._memory.rules.graph.grace(self._rule.alert)
        ended = latest.state is AlertState.RESOLVED and latest.told and latest.ends_at is not None
        return bool(ended and latest.ends_at and begun.starts_at < latest.ends_at + grace)

    def _scene(self, alert: Alert, tally: Tally, activity: Activity) -> Scene:
        ack, late = self._progress.acks.get(alert.episode), self._horizon.is_late(self._touched.get(alert.key))
        contradicted = late and refuted(alert, tally, self._rule, self._horizon)
        return Scene(alert, self._rule, tally, activity, self._horizon, self, ack, late, contradicted)

    def _record(self, before: Alert | None, alert: Alert, transition: Transition | None) -> None:
        record(self._progress, before, alert, transition)


def record(progress: Progress, before: Alert | None, alert: Alert, transition: Transition | None) -> None:
    """Note the step an alert made; what never came to anything is forgotten at once."""
    was = before.state if before else AlertState.INACTIVE
    alert = keep_ledger(was, alert, progress.memory.rules.hash, progress.horizon.at, _silencing(progress, alert))
    progress.looked_at.add(alert.episode)
    if transition is not None:
        progress.transitions.append(transition)
        progress.stirred.add(alert.key.rule)
    if alert.state is not AlertState.INACTIVE:
        progress.put(before, alert)
    elif before is not None:
        progress.drop(before, alert)


def _silencing(progress: Progress, alert: Alert) -> tuple[Silencing, ...]:
    """What silences keep back of it: the page, or when somebody was told of it, what would follow."""
    silenced = alert.mute is MuteReason.SILENCE if alert.muted else alert.sounding and bool(alert.told)
    if not silenced or not progress.silences:
        return ()
    return tuple(each.acting for each in in_force(progress.silences, alert.labels, progress.horizon.at))


def _expire_removed_rules(progress: Progress) -> None:
    """End what no rule watches any more."""
    memory, at = progress.memory, progress.horizon.at
    for name in set(memory.latest) - set(memory.rules.rules):
        for alert in [alert for alert in memory.latest[name].values() if alert.live]:
            to, reason = AlertState.EXPIRED, "its rule was removed"
            transition = Transition(alert.episode, alert.key, alert.state, to, at, reason)
            record(progress, alert, replace(alert, state=to), transition)
