"""``evaluate``: what is remembered and new counts in; alerts, transitions, notifications and ledger rows out.

Opens nothing and asks no clock: the same counts at the same times give the same answers, however they were split,
ordered or delivered. Looks only at alerts that new counts, closed buckets, the clock or their causes may have changed.
"""

from __future__ import annotations

import dataclasses
import gc
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from types import MappingProxyType

from faultline.alerting.alerts import Alert, Evaluation, Term, replace
from faultline.alerting.effects import effects_by_cause
from faultline.alerting.grouping import announce_groups, in_groups
from faultline.alerting.memory import Memory
from faultline.alerting.notifications import Occasion, announce, is_waiting
from faultline.alerting.progress import Progress
from faultline.alerting.rulekinds import NewTermRule
from faultline.alerting.silences import Silence, silenced_by
from faultline.alerting.stepping import step_all
from faultline.alerting.windows import Horizon, horizon
from faultline.model import Ack, AlertState, ErrorCount, Notification

_NOTHING: Mapping[str, datetime] = MappingProxyType({})
_WAITING = (AlertState.PENDING, AlertState.HELD, AlertState.RECOVERING)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Leave the cyclic collector out: what an evaluation makes by the thousand mostly stays, and has no cycles."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@_uncollected()
def evaluate(
    memory: Memory,
    counts: Iterable[ErrorCount],
    *,
    at: datetime,
    watermark: datetime | None,
    silences: Sequence[Silence] = (),
    acks: Sequence[Ack] = (),
    delivered: Mapping[str, datetime] = _NOTHING,
) -> Evaluation:
    """Decide everything there is to decide at ``at``, and remember it.

    ``counts`` are those that have not been given yet; everything before ``watermark`` is final, None when nothing is.
    The watermark never goes back. ``silences`` come on top of those of the rules file. ``acks`` are those that were not
    given yet: each holds for an episode that fires already, and of several the first counts. ``delivered`` says of
    messages among ``memory.awaited`` when their receivers took them.
    """
    if memory.since is not None:
        memory.since = min(memory.since, at)  # the clock was ahead: what has not happened yet is not final
    watermark = max((each for each in (watermark, memory.since) if each is not None), default=None)
    memory.tallies.add(counts)
    progress = _begun(memory, at, watermark, (*memory.rules.file.silences, *silences), acks)
    _note_deliveries(progress, delivered)
    fresh = memory.watch(at)
    step_all(progress)
    notifications = () if memory.is_cold(at, watermark) else tuple(_announce_all(progress))
    terms = tuple(_seen_terms(progress))
    forgotten = tuple(_forget(progress))
    memory.since, memory.at = watermark, at
    for name in progress.paced.keys() - progress.resting:
        memory.paces[memory.rules.intervals[name]].since = watermark
    return Evaluation(
        at,
        watermark,
        memory.rules.hash,
        progress.changed(),
        tuple(progress.transitions),
        notifications,
        tuple(progress.changed_rows()),
        forgotten,
        terms,
        fresh,
        tuple(acks),
    )


def _begun(
    memory: Memory, at: datetime, watermark: datetime | None, silences: tuple[Silence, ...], acks: Sequence[Ack]
) -> Progress:
    """Time has moved when a bucket closed or began, and when a silence or an interval began or ended."""
    here = horizon(at, watermark, memory.since, memory.bucket, memory.lateness)
    muted = tuple(interval.contains(at) for interval in memory.rules.file.time_intervals)
    edges = (here.closed, here.last, frozenset(each for each in silences if each.active(at)), muted)
    moved, remuted = memory.seen != edges, memory.seen is None or memory.seen[2:] != edges[2:]
    memory.seen = edges
    heard = {ack.episode: ack for ack in reversed(acks)}
    progress = Progress(memory, here, silences, moved, remuted, memory.tallies.take_touched(), heard)
    if memory.rules.intervals:
        _keep_pace(progress, watermark)
    return progress


def _keep_pace(progress: Progress, watermark: datetime | None) -> None:
    """What was counted for rules that are not due waits; those that are take it all."""
    memory, at, paced, resting = progress.memory, progress.horizon.at, dict[str, Horizon](), set[str]()
    for name, interval in memory.rules.intervals.items():
        pace = memory.paces[interval]
        paced[name] = horizon(at, watermark, pace.since, memory.bucket, memory.lateness)
        pace.wait(name, progress.touched.pop(name, {}))
        if pace.is_due(at, memory.at):
            progress.touched[name] = pace.waiting.pop(name)
        else:
            resting.add(name)
    progress.paced, progress.resting = paced, frozenset(resting)


def _note_deliveries(progress: Progress, delivered: Mapping[str, datetime]) -> None:
    """From here on the intervals between messages run; those of a sender whose clock is ahead, from now on."""
    memory = progress.memory
    for key, at in delivered.items():
        for episode in sorted(memory.awaited.get(key, ())):
            alert = memory.alerts[episode]
            when = min(at, progress.horizon.at)
            told = tuple(
                dataclasses.replace(each, at=when, awaits=None) if each.awaits == key else each for each in alert.told
            )
            progress.put(alert, replace(alert, told=told))


def _announce_all(progress: Progress) -> Iterator[Notification]:
    """Every notification due, and the receivers' memory of it."""
    memory = progress.memory
    if progress.before and (memory.rules.graph.edges or memory.effects):
        memory.effects = effects_by_cause(memory.alerts.values())
    occasions: dict[str, Occasion] = {}
    for alert in _causes_first(progress):
        waiting = alert.state in _WAITING
        # Otherwise there is nothing to say: nobody was told of it or is to be, and it explains nobody.
        if alert.told or alert.sounding or alert.episode in memory.effects:
            occasion = _occasion(progress, alert)
            told, sent = announce(occasion)
            progress.put(alert, told)
            # Whoever was told just now may be over already, only kept for its page.
            waiting = waiting or bool(sent) or is_waiting(told, occasion)
            occasions[told.episode] = dataclasses.replace(occasion, alert=told)
            yield from sent
        (memory.restless.add if waiting else memory.restless.discard)(alert.episode)
    if memory.rules.grouped:
        yield from _announce_groups(progress, occasions)


def _announce_groups(progress: Progress, occasions: Mapping[str, Occasion]) -> Iterator[Notification]:
    memory, at = progress.memory, progress.horizon.at
    grouped = [alert for alert in memory.alerts.values() if in_groups(alert, memory.rules)]
    of_all = [occasions.get(alert.episode) or _occasion(progress, alert) for alert in grouped]
    told, sent = announce_groups(of_all, at)
    for episode, alert in told.items():
        progress.put(memory.alerts[episode], alert)
        memory.restless.add(episode)
    yield from sent


def _explained(memory: Memory, alert: Alert | None) -> bool:
    return alert is not None and any(memory.is_live(cause.episode) for cause in alert.causes)


def _occasion(progress: Progress, alert: Alert) -> Occasion:
    memory, at = progress.memory, progress.horizon.at
    explained, before = _explained(memory, alert), progress.before.get(alert.episode, alert)
    effects = [memory.alerts[each] for each in memory.effects.get(alert.episode, ())]
    silenced = silenced_by(progress.silences, alert.labels, at) is not None
    newly = explained and not _explained(memory, before)
    return Occasion(memory.rules, at, alert, effects, explained, newly, silenced)


def _causes_first(progress: Progress) -> list[Alert]:
    """The alerts about which there may be something to say: looked at, or a cause of one that has changed."""
    memory = progress.memory
    changed = progress.before.keys()
    effects = memory.effects if changed else {}
    causes = {cause for cause, names in effects.items() if not changed.isdisjoint(names)}
    chosen = progress.before.keys() & memory.alerts.keys()
    unchanged = progress.looked_at & memory.alerts.keys()
    chosen |= unchanged if progress.remuted or memory.rules.repeats else unchanged & memory.restless
    chosen |= {cause for cause in causes if memory.is_live(cause)}
    graph = memory.rules.graph
    place = {name: number for number, name in enumerate(graph.order)}

    def turn(alert: Alert) -> tuple[int, int, datetime, str]:
        rule = alert.key.rule
        return place.get(rule, len(place)), graph.rank(rule, alert.labels), alert.starts_at, alert.episode

    return sorted([memory.alerts[episode] for episode in chosen], key=turn)


def _seen_terms(progress: Progress) -> Iterator[Term]:
    """The terms that new_term rules saw, as exactly as their windows need it."""
    of = progress.memory.tallies.of
    for name, keys in progress.touched.items():
        rule = progress.memory.rules.rules[name]
        if isinstance(rule, NewTermRule):
            known = [key for key in keys if key in of[name]]  # while it waited, a term may have been forgotten
            yield from progress.memory.tallies.note_terms(name, known, rule.terms_window_size / 100)


def _forget(progress: Progress) -> Iterator[str]:
    """Drop what no later evaluation needs: ended episodes that explain nobody and are named nowhere any more."""
    memory = progress.memory
    if progress.moved:
        first = min([progress.horizon.first, *(each.first for each in progress.paced.values())])
        memory.tallies.forget(first - memory.lateness, memory.bucket)
    yield from (episode for episode in progress.before if episode not in memory.alerts)
    over = [alert for alert in memory.alerts.values() if not alert.live] if progress.moved or progress.before else []
    if not over:
        return
    named = _named(memory)
    for alert in over:
        if alert.episode not in named and not alert.owes_word and not _may_explain(alert, memory, progress.horizon):
            progress.drop(alert, alert)
            yield alert.episode


def _named(memory: Memory) -> set[str]:
    return {name for cause, names in memory.effects.items() if memory.is_live(cause) for name in names}


def _may_explain(alert: Alert, memory: Memory, horizon: Horizon) -> bool:
    reach = memory.reaches.get(alert.key.rule)
    return alert.ends_at is not None and reach is not None and not horizon.has_closed(alert.ends_at + reach)
