"""Which alerts explain an alert: those that a path of the graph leads from, with agreeing labels, at the right time.

Paths are composed of rules, not of alerts: A explains C although B in the middle never fired.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple, TypeVar

from faultline.alerting.alerts import Alert, Cause, MuteReason
from faultline.alerting.chains import AllOf, ChainGraph, Path
from faultline.alerting.matchers import Condition, matches_all
from faultline.model import AlertKey, AlertState

# A cause counts while it is any of these; held and suppressed ones have a page of their own ahead, or of their root.
ACTIVE = frozenset({AlertState.FIRING, AlertState.ACKED, AlertState.HELD, AlertState.SUPPRESSED})

Values = tuple[str, ...]
# Labels, and whether an alert may lack them.
Names = tuple[tuple[str, bool], ...]


class KnownCauses:
    """The alerts that may explain others, found by their rule and the labels that a path binds.

    Live ones and remembered ones; ``by_rule`` has the last episode of each alert. What is found for a rule is kept:
    ask for a rule's alerts only when all of them have been evaluated.
    """

    def __init__(self, by_rule: Mapping[str, Mapping[AlertKey, Alert]], by_episode: Mapping[str, Alert]) -> None:
        self._by_rule = by_rule
        self._by_episode = by_episode
        self._found: dict[tuple[str, Names, Condition], dict[Values, list[Alert]]] = {}
        self._by_path: dict[Path, dict[Values, list[Alert]]] = {}

    def bound(self, path: Path, effect: Mapping[str, str]) -> Sequence[Alert]:
        """The alerts of the path's cause that match its source, and whose labels agree with the effect's."""
        if not path.could_bind(effect):
            return ()
        index = self._by_path.get(path)
        if index is None:
            index = self._by_path[path] = self._index(path)
        return index.get(tuple([effect.get(name, "") for name in path.effect_names]), ())

    def episode(self, name: str) -> Alert | None:
        """The episode of that name."""
        return self._by_episode.get(name)

    def forget(self, rule: str) -> None:
        """Find the rule's alerts anew: some have made a step."""
        self._found = {key: index for key, index in self._found.items() if key[0] != rule}
        self._by_path = {path: index for path, index in self._by_path.items() if path.cause != rule}

    def _index(self, path: Path) -> dict[Values, list[Alert]]:
        rule, names, source = path.cause, path.cause_names, path.source
        index = self._found.get((rule, names, source))
        if index is not None:
            return index
        index = self._found[rule, names, source] = {}
        for alert in self._by_rule.get(rule, {}).values():
            if all(optional or name in alert.labels for name, optional in names) and matches_all(source, alert.labels):
                index.setdefault(tuple(alert.labels.get(name, "") for name, _ in names), []).append(alert)
        return index


@dataclass(frozen=True, slots=True)
class Explanation:
    """Who explains an alert: causes still active, root first, and of those that have ended the end and the grace."""

    active: tuple[Cause, ...] = ()
    ended: tuple[Cause, ...] = ()
    ended_at: datetime | None = None
    grace: timedelta = timedelta(0)
    max_suppression: timedelta | None = None
    breakthrough: float | None = None


class _Link(NamedTuple):
    """An alert, the rules on the way from it to the effect, and the path whose times apply."""

    alert: Alert
    rules: tuple[str, ...]
    path: Path

    @property
    def active(self) -> bool:
        return self.alert.state in ACTIVE

    @property
    def cause(self) -> Cause:
        return Cause(self.alert.key, self.alert.episode, self.rules)

    @property
    def ended_at(self) -> datetime | None:
        return self.alert.recovering_from if self.alert.state is AlertState.RECOVERING else self.alert.ends_at


UNEXPLAINED = Explanation()


def explain(effect: Alert, graph: ChainGraph, known: KnownCauses, bucket: timedelta) -> Explanation:
    """Everyone who explains the effect. ``known`` has those of possible causes, already evaluated."""
    links = [link for link in _links(effect, graph, known) if _in_time(link, effect, bucket)]
    if not links:
        return UNEXPLAINED
    links = _together(links)
    ended = [link for link in links if not link.active]
    active = _together([link for link in links if link.active]) if ended else links
    return Explanation(
        _causes([*active, *_roots_beyond(active, known)]),
        _causes(ended),
        max([link.ended_at for link in ended if link.ended_at is not None], default=None),
        max([link.path.recovery_grace for link in ended], default=timedelta(0)),
        _least([link.path.max_suppression for link in active]),
        _least([link.path.breakthrough for link in active]),
    )


Number = TypeVar("Number", timedelta, float)


def _least(values: Iterable[Number | None]) -> Number | None:
    return min([value for value in values if value is not None], default=None)


def _together(links: list[_Link]) -> list[_Link]:
    """Without those that explain only together with others, where some of these are missing."""
    if not any(link.path.groups for link in links):
        return links
    there: dict[AllOf, set[str]] = {}
    for group, cause in (each for link in links for each in link.path.groups):
        there.setdefault(group, set()).add(cause)
    return [link for link in links if all(there[group] == group.causes for group, _ in link.path.groups)]


def _links(effect: Alert, graph: ChainGraph, known: KnownCauses) -> Iterator[_Link]:
    rule = effect.key.rule
    for path in graph.paths_to(rule):
        for cause in known.bound(path, effect.labels):
            if not path.admits(cause.labels, effect.labels):
                continue
            if path.cause != rule or graph.rank(rule, cause.labels) < graph.rank(rule, effect.labels):
                yield _Link(cause, path.rules, path)


def _roots_beyond(links: Iterable[_Link], known: KnownCauses) -> Iterator[_Link]:
    """The roots of suppressed causes: a cause knows its own even where labels do not compose over the whole path."""
    suppressed = [link for link in links if _is_effect(link.alert)]
    nearest = {link.alert.causes[0].episode: link for link in sorted(suppressed, key=_upstream_first)}
    for episode, link in nearest.items():
        root = link.alert.causes[0]
        alert = known.episode(episode)
        if alert is not None and alert.state in ACTIVE:
            yield _Link(alert, (*root.path, *link.rules[1:]), link.path)


def _in_time(link: _Link, effect: Alert, bucket: timedelta) -> bool:
    """Whether the effect starts between the cause's start less the hold and the cause's end plus ``within``.

    A cause that turned out to be none explains nothing. Starts are exact to a bucket, and the doubt is the cause's: two
    alerts closer than the hold are never told apart. An effect that was notified may be explained by a cause that shows
    itself up to ``within`` later; it stays notified.
    """
    if link.alert.corrected or (not link.active and link.ended_at is None):
        return False
    early = link.path.hold + bucket + (link.path.within if effect.told else timedelta(0))
    if not link.path.any_time and effect.starts_at <= link.alert.starts_at - early:
        return False
    return link.ended_at is None or effect.starts_at <= link.ended_at + link.path.within


def _causes(links: Iterable[_Link]) -> tuple[Cause, ...]:
    """Each alert once: roots before what is itself suppressed, then the most upstream, then the earliest."""
    first: dict[str, Cause] = {}
    for link in sorted(links, key=_upstream_first):
        first.setdefault(link.alert.episode, link.cause)
    return tuple(first.values())


def _upstream_first(link: _Link) -> tuple[bool, int, datetime, str, tuple[str, ...]]:
    return _is_effect(link.alert), -len(link.rules), link.alert.starts_at, link.alert.episode, link.rules


def _is_effect(alert: Alert) -> bool:
    """Whether it is suppressed by causes of its own; one that is silenced is a root all the same."""
    return alert.state is AlertState.SUPPRESSED and alert.mute is MuteReason.CHAIN
