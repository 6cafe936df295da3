"""The shape of ``rules.yaml`` as pydantic models, in the words of Prometheus, Alertmanager and ElastAlert.

Only what is built is in the models, so a field that does nothing yet is an error, not a silence. Whether names refer to
something is for ``checks``.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from pydantic import Field

from faultline.alerting.chainfile import Chain, InhibitRule
from faultline.alerting.chains import Edge
from faultline.alerting.matchers import Matcher
from faultline.alerting.receiverfile import ReceiverConfig
from faultline.alerting.rulekinds import MatcherTexts, Name, Rule, parse_all
from faultline.alerting.silences import Silence
from faultline.alerting.timeintervals import NamedIntervals
from faultline.durations import Duration, PositiveDuration
from faultline.yaml_files import StrictModel


class Group(StrictModel):
    """Rules that belong together; a name for the reader."""

    name: Name
    evaluation_interval: PositiveDuration | None = Field(
        default=None, description="how often its rules are evaluated; with every evaluation when absent"
    )
    rules: tuple[Rule, ...]


class Route(StrictModel):
    """A node of the routing tree: children are tried in order, the first that matches wins unless it says continue."""

    receiver: Name | None = Field(default=None, description="the parent's when absent")
    matchers: MatcherTexts = ()
    continue_: bool = Field(default=False, alias="continue")
    routes: tuple[Route, ...] = ()
    group_by: tuple[Name, ...] | None = Field(
        default=None,
        description="alerts with the same values of these labels share their messages; [] for all of the route, "
        "['...'] for each by itself",
    )
    group_wait: Duration | None = Field(
        default=None, description="how long a page waits for others of its group, and for the effects it will name"
    )
    group_interval: Duration | None = Field(
        default=None, description="least time between the messages of a page or a group"
    )
    repeat_interval: PositiveDuration | None = Field(
        default=None, description="time after which a page that goes on is sent again; never when absent"
    )
    mute_time_intervals: tuple[Name, ...] = Field(default=(), description="time intervals in which nothing is sent")
    active_time_intervals: tuple[Name, ...] = Field(default=(), description="outside of them nothing is sent")

    def walk(self) -> Iterator[Route]:
        """The route and all below it."""
        yield self
        for route in self.routes:
            yield from route.walk()

    @cached_property
    def parsed_matchers(self) -> tuple[Matcher, ...]:
        """The matchers, ready to match."""
        return parse_all(self.matchers)


class RulesFile(StrictModel):
    """The shape of ``rules.yaml``."""

    groups: tuple[Group, ...]
    route: Route
    chains: tuple[Chain, ...] = ()
    inhibit_rules: tuple[InhibitRule, ...] = ()
    silences: tuple[Silence, ...] = ()
    time_intervals: tuple[NamedIntervals, ...] = ()
    receivers: tuple[ReceiverConfig, ...]


def edges_of(file: RulesFile) -> list[Edge]:
    """Every cause and direct effect that the file's chains and inhibit rules speak of."""
    rules = [rule for group in file.groups for rule in group.rules]
    edges = [edge for chain in file.chains for edge in chain.compiled()]
    return edges + [edge for inhibit in file.inhibit_rules for edge in inhibit.compiled(rules)]
