"""What is allowed in a rules file, and probably not what was meant."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from faultline.alerting.chainfile import InhibitRule
from faultline.alerting.chains import within_rules
from faultline.alerting.checks import Finding, placed, walk
from faultline.alerting.precedence import in_a_circle
from faultline.alerting.routing import EVERY_LABEL
from faultline.alerting.rulefile import RulesFile
from faultline.alerting.rulekinds import BaseRule
from faultline.durations import format_duration
from faultline.errors import Fault


def find_warnings(model: RulesFile, text: str, file: str) -> list[Fault]:
    """Every doubt about a file without faults, in the order of its lines."""
    return placed(
        [
            *_inhibitions(model),
            *_holds(model),
            *_rules(model),
            *_groups(model),
            *_silences(model),
            *_receivers(model),
        ],
        text,
        file,
    )


def _inhibitions(model: RulesFile) -> Iterator[Finding]:
    rules = [rule for group in model.groups for rule in group.rules]
    for number, inhibit in enumerate(model.inhibit_rules):
        both = [rule.alert for rule in rules if inhibit.selects_both_ends(rule)]
        if both:
            yield ("inhibit_rules", number), f"source and target both select {both[0]!r}; an alert does not mute itself"
        elif not any(True for _ in inhibit.compiled(rules)):
            yield ("inhibit_rules", number), "no two rules can be its source and its target"
        elif missing := _never_equal(inhibit, rules):
            message = f"label {missing!r} is produced by no rule: missing on both sides is equal, as in Alertmanager"
            yield ("inhibit_rules", number, "equal"), message
    yield from _circles(model, rules)


def _circles(model: RulesFile, rules: Sequence[BaseRule]) -> Iterator[Finding]:
    """Said at the later of two, when it is there that the circle closes."""
    said: set[str] = set()
    for number in range(len(model.inhibit_rules)):
        edges = [edge for inhibit in model.inhibit_rules[: number + 1] for edge in inhibit.compiled(rules)]
        for rule, order in within_rules(edges).items():
            if in_a_circle(order) and rule not in said:
                said.add(rule)
                message = (
                    f"two alerts of {rule!r} may mute each other, by this and those before it; one of the two is sent"
                )
                yield ("inhibit_rules", number), message


def _holds(model: RulesFile) -> Iterator[Finding]:
    intervals = {rule.alert: group.evaluation_interval for group in model.groups for rule in group.rules}
    for number, chain in enumerate(model.chains):
        for edge in chain.compiled():
            interval = intervals[edge.cause]
            if interval is not None and edge.hold < interval:
                hold, every = format_duration(edge.hold), format_duration(interval)
                message = f"{edge.effect!r} waits {hold} for {edge.cause!r}, which is evaluated every {every}"
                yield ("chains", number), f"{message}: it may page before its cause is seen"


def _never_equal(inhibit: InhibitRule, rules: Sequence[BaseRule]) -> str | None:
    produced = {name for rule in rules for name in rule.produces()}
    return next((name for name in inhibit.equal if name not in produced), None)


def _rules(model: RulesFile) -> Iterator[Finding]:
    for number, group in enumerate(model.groups):
        for place, rule in enumerate(group.rules):
            if rule.type == "new_term" and rule.timeframe >= rule.terms_window_size:
                yield ("groups", number, "rules", place), "terms_window_size should be longer than timeframe"


def _groups(model: RulesFile) -> Iterator[Finding]:
    produced = {name for group in model.groups for rule in group.rules for name in rule.produces()}
    for steps, route in walk(model.route, ("route",)):
        for place, name in enumerate(route.group_by or ()):
            if name not in produced and name != EVERY_LABEL:
                yield (*steps, "group_by", place), f"no rule produces the label {name!r}: it tells no groups apart"


def _silences(model: RulesFile) -> Iterator[Finding]:
    for number, silence in enumerate(model.silences):
        if silence.ends_at <= silence.starts_at:
            yield ("silences", number, "ends_at"), "it ends before it starts, and silences nothing"


def _receivers(model: RulesFile) -> Iterator[Finding]:
    used = {route.receiver for route in model.route.walk()}
    for place, receiver in enumerate(model.receivers):
        if receiver.name not in used:
            yield ("receivers", place), f"no route leads to receiver {receiver.name!r}"
