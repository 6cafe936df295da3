"""The shape of ``rules.yaml`` as pydantic models, in the words of Prometheus, Alertmanager and ElastAlert.

Only what is built is in the models, so a field that does nothing yet is an error, not a silence. Whether names refer to
something is for ``checks``.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from functools import cached_property
from itertools import pairwise

from pydantic import Field

from faultline.alerting.chains import Edge
from faultline.alerting.matchers import Matcher
from faultline.alerting.receiverfile import ReceiverConfig
from faultline.alerting.rulekinds import MatcherTexts, Name, Rule, parse_all
from faultline.settings import Duration, StrictModel


class Group(StrictModel):
    """Rules that belong together; a name for the reader."""

    name: Name
    rules: tuple[Rule, ...]


class Route(StrictModel):
    """A node of the routing tree: children are tried in order, the first that matches wins unless it says continue."""

    receiver: Name | None = Field(default=None, description="the parent's when absent")
    matchers: MatcherTexts = ()
    continue_: bool = Field(default=False, alias="continue")
    routes: tuple[Route, ...] = ()
    group_wait: Duration | None = Field(default=None, description="how long a page waits for the effects it will name")
    group_interval: Duration | None = Field(default=None, description="least time between a page and its update")

    @cached_property
    def parsed_matchers(self) -> tuple[Matcher, ...]:
        """The matchers, ready to match."""
        return parse_all(self.matchers)


class Chain(StrictModel):
    """``path: [A, B, C]`` says that A causes B and B causes C."""

    name: Name
    path: tuple[str, ...] = Field(min_length=2)
    equal: tuple[str, ...] = Field(default=(), description="labels that cause and effect must share")
    within: Duration = Field(default=timedelta(minutes=10), description="time after its cause's end to start in")
    hold: Duration = Field(default=timedelta(seconds=30), description="how long an effect waits for its cause")
    recovery_grace: Duration = Field(default=timedelta(minutes=2), description="time to recover after its cause")

    def edges(self) -> Iterator[Edge]:
        """The chain's edges, first cause first."""
        equal = frozenset((name, name) for name in self.equal)
        times = (self.hold, self.within, self.recovery_grace)
        return (Edge(cause, effect, equal, *times) for cause, effect in pairwise(self.path))


class RulesFile(StrictModel):
    """The shape of ``rules.yaml``."""

    groups: tuple[Group, ...]
    route: Route
    chains: tuple[Chain, ...] = ()
    receivers: tuple[ReceiverConfig, ...]
