"""Two rules files over the same period, compared: what the other one would page for, and what no longer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from faultline.alerting.alertlog import AlertLog, Episode
from faultline.alerting.alerts import MuteReason
from faultline.model import AlertKey


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one rule: pages (messages of kind firing or persists, each receiver's), alerts, and how many of those were
    kept back by a chain.
    """

    pages: int = 0
    alerts: int = 0
    suppressed: int = 0


@dataclass(frozen=True, slots=True)
class RuleChange:
    """A rule's figures before and after; None where the file has no such rule."""

    rule: str
    before: Figures | None
    after: Figures | None

    @property
    def quiet(self) -> bool:
        """Whether it has no alert by either file, and is in both."""
        return self.before == self.after == Figures()


@dataclass(frozen=True, slots=True)
class Suppressed:
    """How many alerts of the rule ``effect`` a root of the rule ``root`` kept back."""

    root: str
    effect: str
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class Page:
    """Somebody was told of an alert at a time; ``note`` says what the reader would ask next."""

    at: datetime
    alert: AlertKey
    count: int
    note: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a backtest has found. ``unexplained`` are pages of effects, by the rules after, without a page of a cause;
    ``new`` and ``gone`` alerts that somebody is told of only after, or only before.
    """

    rules: tuple[RuleChange, ...]
    suppressed: tuple[Suppressed, ...]
    unexplained_before: int
    unexplained: tuple[Page, ...]
    new: tuple[Page, ...]
    gone: tuple[Page, ...]


def compare(before: AlertLog, after: AlertLog) -> Comparison:
    """What changes when the rules of ``before`` become those of ``after``."""
    return Comparison(
        rules=tuple(_rule_changes(before, after)),
        suppressed=tuple(_suppressed(before, after)),
        unexplained_before=len(list(before.unexplained())),
        unexplained=_pages((each, _possible(after, each)) for each in after.unexplained()),
        new=_pages((each, f"before: {why}") for each, why in _only(after, before)),
        gone=_pages((each, f"after: {why}") for each, why in _only(before, after)),
    )


def _rule_changes(before: AlertLog, after: AlertLog) -> Iterator[RuleChange]:
    """In the order of the file after, then those that only the file before has."""
    one, other = before.by_rule(), after.by_rule()
    for name in dict.fromkeys((*other, *one)):
        yield RuleChange(name, _figures(one.get(name)), _figures(other.get(name)))


def _figures(found: Sequence[Episode] | None) -> Figures | None:
    if found is None:
        return None
    return Figures(sum(each.pages for each in found), len(found), sum(map(_kept_back, found)))


def _kept_back(episode: Episode) -> bool:
    return episode.muted is MuteReason.CHAIN


def _suppressed(before: AlertLog, after: AlertLog) -> Iterator[Suppressed]:
    one, other = _pairs(before), _pairs(after)
    for root, effect in sorted(one.keys() | other.keys()):
        yield Suppressed(root, effect, one[root, effect], other[root, effect])


def _pairs(log: AlertLog) -> Counter[tuple[str, str]]:
    kept_back = ((each, each.root) for each in log.episodes.values() if _kept_back(each))
    return Counter((root.rule, each.alert.rule) for each, root in kept_back if root is not None)


def _only(log: AlertLog, other: AlertLog) -> Iterator[tuple[Episode, str]]:
    """Episodes with a page of which nobody is told by the other rules, and what those make of it."""
    known: dict[AlertKey, list[Episode]] = {}
    for episode in other.episodes.values():
        known.setdefault(episode.alert, []).append(episode)
    for episode in log.episodes.values():
        if episode.pages:
            same = [each for each in known.get(episode.alert, ()) if each.overlaps(episode)]
            if not any(each.told for each in same):
                yield episode, _instead(episode, same, other)


def _instead(episode: Episode, same: list[Episode], other: AlertLog) -> str:
    if not same:
        known = episode.alert.rule in other.rules.rules
        return "not over its threshold" if known else "no such rule"
    kept = same[0]
    if kept.muted is MuteReason.CHAIN and kept.root is not None:
        return f"suppressed by {kept.root}"
    return f"kept back: {kept.muted.value.replace('_', ' ')}" if kept.muted else "not sent"


def _possible(log: AlertLog, episode: Episode) -> str:
    if episode.root is not None:
        return f"nobody was told of its cause {episode.root}"
    names = sorted(log.rules.graph.ancestors(episode.alert.rule) - {episode.alert.rule})
    return f"no alert of {', '.join(names)} explains it"


def _pages(found: Iterable[tuple[Episode, str]]) -> tuple[Page, ...]:
    pages = (Page(each.paged_at or each.starts_at, each.alert, each.count, note) for each, note in found)
    return tuple(sorted(pages, key=lambda page: (page.at, str(page.alert))))
