"""Rules and chains: the causes drawn, each rule's value against its threshold, what its alerts do, who hears of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query, Response

from faultline.adapters.database import Evaluated
from faultline.alerting.chains import ChainGraph, Edge
from faultline.alerting.matchers import Matcher
from faultline.alerting.routing import possible_receivers
from faultline.alerting.rulekinds import BaseRule, CardinalityRule, FlatlineRule
from faultline.alerting.rules import Rules
from faultline.model import AlertState
from faultline.page.asked import Asked, AskedNow
from faultline.page.drawing import BOX_HEIGHT, BOX_WIDTH, Drawing, draw, families
from faultline.page.in_force import read_written
from faultline.page.trees import ENDED, URGENCY
from faultline.page.values import Now, Value, looked_at, names_fingerprint, values
from faultline.page.views import changes, editor

NAME = "rules"
router = APIRouter()
router.include_router(changes.router)
router.include_router(editor.router)

RULES = 50
# More boxes than these nobody finds anything in.
BOXES = 30
# Rows of counts, label sets and alerts that are looked at for the values of a page.
_COUNTS = 20_000
_SETS = 20_000
_ALERTS = 1_000
STATES = tuple(state for state in AlertState if state not in ENDED)


@dataclass(frozen=True, slots=True)
class ShownRule:
    """A rule with what its alerts do, the most urgent first; ``causes`` and ``effects`` are direct ones.

    ``mutual`` says that alerts of the rule may mute each other.
    """

    rule: BaseRule
    states: tuple[tuple[AlertState, int], ...]
    value: Value | None
    receivers: tuple[str, ...]
    causes: tuple[str, ...]
    effects: tuple[str, ...]
    mutual: bool

    @property
    def severity(self) -> str:
        """That of its alerts; empty when they have none."""
        return self.rule.labels.get("severity", "")

    @property
    def state(self) -> str:
        """The most urgent state of its alerts; empty when it has none."""
        return self.states[0][0] if self.states else ""

    @property
    def matcher(self) -> str:
        """What its alerts match."""
        return str(Matcher("alertname", "=", self.rule.alert))


@dataclass(frozen=True, slots=True)
class Family:
    """Rules that chains join, as far as they are on this page; ``drawing`` is None where nothing is joined."""

    rules: tuple[ShownRule, ...]
    drawing: Drawing | None
    size: int
    by_name: Mapping[str, ShownRule]


@router.get("/rules")
def rules(
    asked: AskedNow,
    q: str = "",
    rule: str = "",
    state: Annotated[list[AlertState] | None, Query()] = None,
    page: Annotated[int, Query(ge=1)] = 1,
) -> Response:
    """The rules that are evaluated, a page of them, those that chains join first and together."""
    written = read_written(asked.settings, asked.database)
    found = written.rules
    states = asked.database.live_states()
    wanted = _Wanted(q.strip().casefold(), rule, frozenset(state or ()))
    listed = _listed(found, wanted, states) if found else []
    pages = max(-(-len(listed) // RULES), 1)
    here = listed[(min(page, pages) - 1) * RULES :][:RULES]
    return asked.render(
        "rules.html.j2",
        view="rules",
        size=(BOX_WIDTH, BOX_HEIGHT),
        written=written,
        families=_families(asked, found, here, states, written.evaluated) if found else [],
        number=len(listed),
        counts=_counts(found, states) if found else {},
        query={"q": q, "rule": rule, "state": [*(state or ())]},
        page=min(page, pages),
        pages=pages,
    )


@dataclass(frozen=True, slots=True)
class _Wanted:
    """Which rules somebody wants to see; what is empty asks for nothing."""

    text: str
    rule: str
    states: frozenset[AlertState]

    def admits(self, rule: BaseRule, receivers: Collection[str], states: Collection[AlertState]) -> bool:
        words = (rule.alert, *rule.labels.values(), *receivers)
        if self.states and not self.states & set(states):
            return False
        return not self.text or any(self.text in word.casefold() for word in words)


_Listed = tuple[str, tuple[str, ...]]


def _listed(found: Rules, wanted: _Wanted, states: Mapping[str, Mapping[AlertState, int]]) -> list[_Listed]:
    """Each rule with its family, of which one at least is wanted."""
    names = _near(found.graph, wanted.rule) if wanted.rule else found.graph.order
    listed = []
    for family in families(names, _ends(found.graph.edges)):
        rules = [found.rules[name] for name in family]
        receivers = [possible_receivers(found.file.route, rule) for rule in rules] if wanted.text else [()] * len(rules)
        meant = (
            wanted.admits(rule, told, states.get(rule.alert, {})) for rule, told in zip(rules, receivers, strict=True)
        )
        if any(meant):
            listed += [(name, family) for name in family]
    return listed


def _near(graph: ChainGraph, rule: str) -> tuple[str, ...]:
    """The rule, whatever may cause it, and whatever it may cause."""
    if rule not in graph.order:
        return ()
    above = graph.ancestors(rule)
    return tuple(each for each in graph.order if each == rule or each in above or rule in graph.ancestors(each))


def _ends(edges: Collection[Edge]) -> set[tuple[str, str]]:
    """The causes and direct effects that are of different rules."""
    return {(edge.cause, edge.effect) for edge in edges if not edge.is_within_rule}


def _counts(found: Rules, states: Mapping[str, Mapping[AlertState, int]]) -> dict[AlertState, int]:
    """How many rules have alerts in each state."""
    return {state: sum(state in states.get(name, {}) for name in found.rules) for state in STATES}


def _families(
    asked: Asked,
    found: Rules,
    here: Sequence[_Listed],
    states: Mapping[str, Mapping[AlertState, int]],
    evaluated: Evaluated | None,
) -> list[Family]:
    rules = [found.rules[name] for name, _ in here]
    measured = _values(asked, rules, states, evaluated) if evaluated else {}
    ends = _ends(found.graph.edges)
    mutual = {edge.cause for edge in found.graph.edges if edge.is_within_rule}
    order = {name: number for number, name in enumerate(found.graph.order)}
    by_family: dict[tuple[str, ...], list[ShownRule]] = {}
    for rule, (name, family) in zip(rules, here, strict=True):
        by_family.setdefault(family, []).append(
            ShownRule(
                rule,
                _urgent(states.get(name, {})),
                measured.get(name),
                possible_receivers(found.file.route, rule),
                tuple(sorted({cause for cause, effect in ends if effect == name}, key=order.__getitem__)),
                tuple(sorted({effect for cause, effect in ends if cause == name}, key=order.__getitem__)),
                name in mutual,
            )
        )
    return [_family(tuple(shown), family, ends) for family, shown in by_family.items()]


def _urgent(states: Mapping[AlertState, int]) -> tuple[tuple[AlertState, int], ...]:
    return tuple((state, states[state]) for state in URGENCY if state in states and state not in ENDED)


def _family(shown: tuple[ShownRule, ...], family: tuple[str, ...], ends: Collection[tuple[str, str]]) -> Family:
    """Its drawing has those with alerts first, then causes before their effects."""
    chosen = {each.rule.alert for each in sorted(shown, key=lambda each: not each.states)[:BOXES]}
    names = [each.rule.alert for each in shown if each.rule.alert in chosen]
    drawing = draw(names, ends) if len(family) > 1 else None
    return Family(shown, drawing, len(family), {each.rule.alert: each for each in shown})


def _values(
    asked: Asked, rules: Sequence[BaseRule], states: Mapping[str, Mapping[AlertState, int]], evaluated: Evaluated
) -> dict[str, Value]:
    database, bucket = asked.database, asked.settings.count_bucket
    span = looked_at(rules, evaluated.at, evaluated.watermark, bucket)
    known = database.reach(span, _COUNTS)
    # Of what falls silent there may be no counts.
    silent = [rule.alert for rule in rules if _may_be_silent(rule) and rule.alert in states]
    return values(
        rules,
        database.sums(known, bucket, apart=names_fingerprint(rules)),
        database.known_labels(_SETS),
        [each for each in database.live_of(silent, _ALERTS) if each.state not in ENDED] if silent else (),
        Now(evaluated.at, bucket, evaluated.watermark, database.watched_rules(), known),
    )


def _may_be_silent(rule: BaseRule) -> bool:
    """Whether there may be no counts of what it tells of."""
    return isinstance(rule, FlatlineRule) or (isinstance(rule, CardinalityRule) and rule.min_cardinality is not None)
