"""``Rules``: a rules file, checked and compiled, as the engine works with it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property

from faultline.alerting.chains import ChainGraph, build_graph
from faultline.alerting.checks import find_faults
from faultline.alerting.receiverfile import ReceiverConfig
from faultline.alerting.routing import Destination, destinations
from faultline.alerting.rulefile import RulesFile, edges_of
from faultline.alerting.rulekinds import BaseRule
from faultline.alerting.timeintervals import NamedIntervals
from faultline.errors import ConfigurationError
from faultline.model import Labels
from faultline.yaml_files import load_yaml


@dataclass(frozen=True)
class Rules:
    """A rules file without faults; ``hash`` names its version."""

    file: RulesFile
    hash: str

    @cached_property
    def rules(self) -> Mapping[str, BaseRule]:
        """Every rule by the name of its alert."""
        return {rule.alert: rule for group in self.file.groups for rule in group.rules}

    @cached_property
    def intervals(self) -> Mapping[str, timedelta]:
        """Of the rules whose group has an interval of its own, that interval."""
        groups = [(group.evaluation_interval, group.rules) for group in self.file.groups]
        return {rule.alert: interval for interval, rules in groups if interval for rule in rules}

    def interval(self, rule: str) -> timedelta:
        """How long the rule may go without an evaluation; 0 where each is its."""
        return self.intervals.get(rule, timedelta(0))

    @cached_property
    def receivers(self) -> Mapping[str, ReceiverConfig]:
        """Every receiver by its name."""
        return {receiver.name: receiver for receiver in self.file.receivers}

    @cached_property
    def graph(self) -> ChainGraph:
        """All chains and inhibit rules as one graph."""
        return build_graph(tuple(self.rules), edges_of(self.file))

    def destinations(self, labels: Labels) -> tuple[Destination, ...]:
        """Where an alert with these labels goes; found once for each set of labels."""
        found = self._destinations.get(labels)
        if found is None:
            found = self._destinations[labels] = destinations(self.file.route, labels)
        return found

    @cached_property
    def _destinations(self) -> dict[Labels, tuple[Destination, ...]]:
        return {}

    @cached_property
    def repeats(self) -> bool:
        """Whether any page is ever sent again."""
        return any(route.repeat_interval is not None for route in self.file.route.walk())

    @cached_property
    def grouped(self) -> bool:
        """Whether any alerts share their messages."""
        return any(route.group_by is not None for route in self.file.route.walk())

    @cached_property
    def time_intervals(self) -> Mapping[str, NamedIntervals]:
        """The time intervals by their names."""
        return {interval.name: interval for interval in self.file.time_intervals}


def load_rules(text: str, file: str = "rules.yaml") -> Rules:
    """The rules of a text; ConfigurationError with every fault as ``file:line: message``.

    Faults of shape come first: only a file whose every field reads well is checked for what its names refer to.
    """
    model = load_yaml(RulesFile, text, file)
    faults = find_faults(model, text, file)
    if faults:
        raise ConfigurationError(faults)
    return Rules(model, hashlib.sha256(text.encode()).hexdigest()[:16])
