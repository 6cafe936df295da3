"""What a rules file can get wrong although every field reads well: names that refer to nothing, cycles, doubles."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

from faultline.alerting.chains import find_cycle
from faultline.alerting.rulefile import Route, RulesFile
from faultline.errors import Fault
from faultline.settings import line_of, nearest, parse_yaml

Steps = tuple[str | int, ...]
Finding = tuple[Steps, str]


def find_faults(model: RulesFile, text: str, file: str) -> list[Fault]:
    """Every fault of a file whose fields all read well, in the order of its lines."""
    findings = [*_rule_findings(model), *_chain_findings(model), *_route_findings(model)]
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
        for place, rule in enumerate(chain.path):
            if rule not in produced:
                message = f"chain {chain.name!r}: no rule {rule!r}{nearest(rule, produced)}"
                yield ("chains", number, "path", place), message
        for place, label in enumerate(chain.equal):
            for rule in dict.fromkeys(chain.path):
                if rule in produced and label not in produced[rule]:
                    message = f"chain {chain.name!r}: rule {rule!r} has no label {label!r}; add it to its query_key"
                    yield ("chains", number, "equal", place), message
    yield from _cycle_findings(model)


def _cycle_findings(model: RulesFile) -> Iterator[Finding]:
    cycle = find_cycle([edge for chain in model.chains for edge in chain.edges()])
    if not cycle:
        return
    steps = set(pairwise(cycle))
    closing = max(number for number, chain in enumerate(model.chains) if steps & set(pairwise(chain.path)))
    yield ("chains", closing, "path"), f"a cycle: {' → '.join(cycle)}; no alert could be the root"


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
    for steps, route in _walk(model.route, ("route",)):
        if route.receiver is not None and route.receiver not in names:
            yield (*steps, "receiver"), f"no receiver {route.receiver!r}{nearest(route.receiver, names)}"


def _walk(route: Route, steps: Steps) -> Iterator[tuple[Steps, Route]]:
    yield steps, route
    for place, child in enumerate(route.routes):
        yield from _walk(child, (*steps, "routes", place))
