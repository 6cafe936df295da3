"""What a rules file can get wrong although every field reads well: names that refer to nothing, cycles, doubles."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

from faultline.alerting.chainfile import AllCauses, Chain
from faultline.alerting.chains import Edge, find_cycle
from faultline.alerting.routing import EVERY_LABEL
from faultline.alerting.rulefile import Route, RulesFile, edges_of
from faultline.errors import Fault
from faultline.yaml_files import line_of, nearest, parse_yaml

Steps = tuple[str | int, ...]
Finding = tuple[Steps, str]


def find_faults(model: RulesFile, text: str, file: str) -> list[Fault]:
    """Every fault of a file whose fields all read well, in the order of its lines."""
    findings = [*_rule_findings(model), *_chain_findings(model), *_route_findings(model), *_interval_findings(model)]
    return placed(findings, text, file)


def placed(findings: Sequence[Finding], text: str, file: str) -> list[Fault]:
    """The findings with their lines, in the order of these."""
    data = parse_yaml(text, file) if findings else None
    faults = [Fault(file, line_of(data, steps), message) for steps, message in findings]
    return sorted(faults, key=lambda fault: fault.line)


def _rule_findings(model: RulesFile) -> Iterator[Finding]:
    seen: set[str] = set()
    for number, group in enumerate(model.groups):
        for place, rule in enumerate(group.rules):
            steps: Steps = ("groups", number, "rules", place)
            if rule.alert in seen:
                yield (*steps, "alert"), f"a second rule named {rule.alert!r}"
            seen.add(rule.alert)
            for name in sorted(set(rule.labels) & set(rule.query_key)):
                yield (*steps, "labels", name), f"label {name!r} is in query_key already, where records set it"


def _chain_findings(model: RulesFile) -> Iterator[Finding]:
    produced = {rule.alert: rule.produces() for group in model.groups for rule in group.rules}
    for number, chain in enumerate(model.chains):
        steps: Steps = ("chains", number)
        for name in chain.rules():
            if name not in produced:
                yield _place_of(name, chain, steps), f"chain {chain.name!r}: no rule {name!r}{nearest(name, produced)}"
        yield from _label_findings(chain, steps, produced)
    yield from _cycle_findings(model)


def _place_of(name: str, chain: Chain, steps: Steps) -> Steps:
    """Where in the chain a rule is named."""
    for place, step in enumerate(chain.path):
        if step == name or (isinstance(step, AllCauses) and name in step.all):
            return (*steps, "path", place)
    for place, edge in enumerate(chain.edges):
        if name in (edge.cause, edge.effect, *(edge.all or ())):
            return (*steps, "edges", place, "effect" if name == edge.effect else "cause" if edge.cause else "all")
    return steps


def _label_findings(chain: Chain, steps: Steps, produced: Mapping[str, frozenset[str]]) -> Iterator[Finding]:
    said: set[tuple[str, str]] = set()
    for edge in chain.compiled():
        for names, rule in ((edge.equal, edge.cause), (edge.equal, edge.effect)):
            for label in sorted(pair[rule == edge.effect] for pair in names - edge.optional):
                if rule in produced and label not in produced[rule] and (rule, label) not in said:
                    said.add((rule, label))
                    message = f"chain {chain.name!r}: rule {rule!r} has no label {label!r}; add it to its query_key"
                    yield (*steps, *_place_of_label(label, chain)), message


def _place_of_label(label: str, chain: Chain) -> Steps:
    if chain.equal and label in chain.equal:
        return ("equal", chain.equal.index(label))
    for place, edge in enumerate(chain.edges):
        if label in (edge.equal or ()) or any(label in pair for pair in edge.equal_pairs or ()):
            return ("edges", place, "equal" if label in (edge.equal or ()) else "equal_pairs")
    return ("equal_pairs",)


def _cycle_findings(model: RulesFile) -> Iterator[Finding]:
    rules = [rule for group in model.groups for rule in group.rules]
    by_place: list[tuple[Steps, set[tuple[str, str]]]] = [
        *((("chains", n, "path"), _ends(chain.compiled())) for n, chain in enumerate(model.chains)),
        *((("inhibit_rules", n), _ends(each.compiled(rules))) for n, each in enumerate(model.inhibit_rules)),
    ]
    cycle = find_cycle(edges_of(model))
    if not cycle:
        return
    steps = set(pairwise(cycle))
    closing = [place for place, ends in by_place if steps & ends][-1]
    yield closing, f"a cycle: {' → '.join(cycle)}; no alert could be the root"


def _ends(edges: Iterable[Edge]) -> set[tuple[str, str]]:
    return {(edge.cause, edge.effect) for edge in edges}


def _interval_findings(model: RulesFile) -> Iterator[Finding]:
    names = {interval.name for interval in model.time_intervals}
    for steps, route in walk(model.route, ("route",)):
        for field in ("mute_time_intervals", "active_time_intervals"):
            for place, name in enumerate(getattr(route, field)):
                if name not in names:
                    yield (*steps, field, place), f"no time interval {name!r}{nearest(name, names)}"


def _route_findings(model: RulesFile) -> Iterator[Finding]:
    names = {receiver.name for receiver in model.receivers}
    for name, number in Counter(receiver.name for receiver in model.receivers).items():
        if number > 1:
            last = max(place for place, receiver in enumerate(model.receivers) if receiver.name == name)
            yield ("receivers", last, "name"), f"a second receiver named {name!r}"
    if model.route.receiver is None:
        yield ("route",), "the root route needs a receiver"
    if model.route.matchers:
        yield ("route", "matchers"), "the root route matches everything; put matchers into its routes"
    for steps, route in walk(model.route, ("route",)):
        if route.group_by and EVERY_LABEL in route.group_by and len(route.group_by) > 1:
            yield (*steps, "group_by"), f"{EVERY_LABEL!r} means every label, and stands alone"
        if route.receiver is not None and route.receiver not in names:
            yield (*steps, "receiver"), f"no receiver {route.receiver!r}{nearest(route.receiver, names)}"


def walk(route: Route, steps: Steps) -> Iterator[tuple[Steps, Route]]:
    """The route and all below it, with where they are."""
    yield steps, route
    for place, child in enumerate(route.routes):
        yield from walk(child, (*steps, "routes", place))
