"""The shape of ``chains:`` and ``inhibit_rules:``, and the edges that they stand for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from functools import cached_property
from itertools import pairwise
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, model_validator

from faultline.alerting.chains import AllOf, Edge, LabelPairs
from faultline.alerting.matchers import Matcher, matches_all
from faultline.alerting.rulekinds import BaseRule, MatcherTexts, Name, parse_all
from faultline.durations import Duration, PositiveDuration
from faultline.yaml_files import StrictModel

Pair = Annotated[tuple[Name, ...], Field(min_length=2, max_length=2)]


class EdgeOptions(StrictModel):
    """How a cause and its effect belong together; an edge that does not say takes what its chain says."""

    equal: tuple[str, ...] | None = Field(default=None, description="labels that cause and effect must share")
    equal_pairs: tuple[Pair, ...] | None = Field(
        default=None, description="[label of the cause, label of the effect] that must be equal"
    )
    allow_missing_equal: bool | None = Field(default=None, description="a label that both lack is equal")
    within: Duration | None = Field(default=None, description="time after its cause's end to start in; 10m")
    hold: Duration | None = Field(default=None, description="how long an effect waits for its cause; 30s")
    recovery_grace: Duration | None = Field(default=None, description="time to recover after its cause; 2m")
    stop: bool | None = Field(default=None, description="no longer path leads over this edge")
    max_suppression: PositiveDuration | None = Field(default=None, description="after so long the effect pages")
    breakthrough: float | None = Field(
        default=None, gt=1, description="an effect with so many times the records it was suppressed with pages"
    )
    never_suppress: MatcherTexts | None = Field(default=None, description="effects with these labels always page")

    def said(self) -> dict[str, Any]:
        """Only what is written here."""
        return {name: getattr(self, name) for name in EdgeOptions.model_fields if getattr(self, name) is not None}


class AllCauses(StrictModel):
    """Causes that explain an effect only together."""

    all: tuple[Name, ...] = Field(min_length=2)


def _way(path: tuple[str | AllCauses, ...]) -> tuple[str | AllCauses, ...]:
    if len(path) == 1:
        raise ValueError("needs a path of at least two rules, or edges")
    if any(isinstance(step, AllCauses) for step in path[1:]):
        raise ValueError("all may only begin a path: several causes cannot be one effect")
    return path


class EdgeConfig(EdgeOptions):
    """One cause and its effect; ``all`` instead of ``cause`` for causes that explain it only together."""

    cause: Name | None = None
    all: tuple[Name, ...] | None = Field(default=None, min_length=2)
    effect: Name

    @model_validator(mode="after")
    def _one_of(self) -> Self:
        if (self.cause is None) == (self.all is None):
            raise ValueError("needs either cause or all")
        return self


class Chain(EdgeOptions):
    """``path: [A, B, C]`` says that A causes B and B causes C; ``edges`` say the same one by one."""

    name: Name
    path: Annotated[tuple[Name | AllCauses, ...], AfterValidator(_way)] = Field(default=())
    edges: tuple[EdgeConfig, ...] = Field(default=())

    @model_validator(mode="after")
    def _has_edges(self) -> Self:
        if not (self.path or self.edges):
            raise ValueError("needs a path of at least two rules, or edges")
        return self

    def compiled(self) -> Iterator[Edge]:
        """The chain's edges, those of the path first."""
        for cause, effect in pairwise(self.path):
            yield from self._edges(cause, str(effect), {})
        for edge in self.edges:
            first = AllCauses(all=edge.all) if edge.all is not None else edge.cause or ""
            yield from self._edges(first, edge.effect, edge.said())

    def rules(self) -> tuple[str, ...]:
        """Every rule that the chain names."""
        edges = list(self.compiled())
        return tuple(dict.fromkeys(name for edge in edges for name in (edge.cause, edge.effect)))

    def _edges(self, cause: str | AllCauses, effect: str, own: Mapping[str, Any]) -> Iterator[Edge]:
        options = {**self.said(), **own}
        causes = (cause,) if isinstance(cause, str) else cause.all
        group = AllOf(f"{self.name}: {' and '.join(causes)}", frozenset(causes)) if len(causes) > 1 else None
        for name in causes:
            yield _edge(name, effect, options, group)


def _edge(cause: str, effect: str, options: Mapping[str, Any], group: AllOf | None) -> Edge:
    same = {(name, name) for name in options.get("equal", ())}
    pairs: LabelPairs = frozenset(same | {(pair[0], pair[1]) for pair in options.get("equal_pairs", ())})
    return Edge(
        cause,
        effect,
        pairs,
        hold=options.get("hold", timedelta(seconds=30)),
        within=options.get("within", timedelta(minutes=10)),
        recovery_grace=options.get("recovery_grace", timedelta(minutes=2)),
        optional=pairs if options.get("allow_missing_equal") else frozenset(),
        stop=options.get("stop", False),
        max_suppression=options.get("max_suppression"),
        breakthrough=options.get("breakthrough"),
        never_suppress=(parse_all(options["never_suppress"]),) if options.get("never_suppress") else (),
        group=group,
    )


class InhibitRule(StrictModel):
    """Alertmanager's: while an alert matches the source, those that match the target are not sent."""

    name: str | None = None
    source_matchers: MatcherTexts = ()
    target_matchers: MatcherTexts = ()
    source_match: dict[str, str] = Field(default={})
    source_match_re: dict[str, str] = Field(default={})
    target_match: dict[str, str] = Field(default={})
    target_match_re: dict[str, str] = Field(default={})
    equal: tuple[str, ...] = ()

    @cached_property
    def source(self) -> tuple[Matcher, ...]:
        """What an inhibiting alert must match."""
        return (*parse_all(self.source_matchers), *_older(self.source_match, self.source_match_re))

    @cached_property
    def target(self) -> tuple[Matcher, ...]:
        """What an inhibited alert must match."""
        return (*parse_all(self.target_matchers), *_older(self.target_match, self.target_match_re))

    def compiled(self, rules: Sequence[BaseRule]) -> Iterator[Edge]:
        """An edge for each pair of rules whose alerts can be source and target; the two may be one rule."""
        pairs = frozenset((name, name) for name in self.equal)
        targets = [rule for rule in rules if may_match(self.target, rule)]
        for cause in (rule for rule in rules if may_match(self.source, rule)):
            for effect in targets:
                if self._may_inhibit(cause, effect):
                    yield Edge(
                        cause.alert,
                        effect.alert,
                        pairs,
                        hold=timedelta(0),
                        within=timedelta(0),
                        recovery_grace=timedelta(0),
                        optional=pairs,
                        stop=True,
                        any_time=True,
                        source=self.source,
                        target=self.target,
                    )

    def selects_both_ends(self, rule: BaseRule) -> bool:
        """Whether every alert of the rule matches both sides."""
        return must_match(self.source, rule) and must_match(self.target, rule)

    def _may_inhibit(self, cause: BaseRule, effect: BaseRule) -> bool:
        """Not where both alerts match both sides, as in Alertmanager, or where labels to be equal are set apart."""
        both = all(must_match(side, rule) for side in (self.source, self.target) for rule in (cause, effect))
        return not both and all(_may_agree(name, cause, effect) for name in self.equal)


def _older(equal: Mapping[str, str], like: Mapping[str, str]) -> Iterator[Matcher]:
    yield from (Matcher(name, "=", value) for name, value in equal.items())
    yield from (Matcher(name, "=~", value) for name, value in like.items())


def _fixed(rule: BaseRule) -> dict[str, str]:
    return {**rule.labels, "alertname": rule.alert}


def may_match(matchers: Sequence[Matcher], rule: BaseRule) -> bool:
    """Whether an alert of the rule can have labels that match: those of its identity may be anything."""
    return matches_all([each for each in matchers if each.name not in rule.identity], _fixed(rule))


def must_match(matchers: Sequence[Matcher], rule: BaseRule) -> bool:
    """Whether every alert of the rule matches, whatever the labels of its identity are."""
    return all(each.name not in rule.identity for each in matchers) and matches_all(matchers, _fixed(rule))


def _may_agree(name: str, cause: BaseRule, effect: BaseRule) -> bool:
    if name in cause.identity or name in effect.identity:
        return True
    return _fixed(cause).get(name, "") == _fixed(effect).get(name, "")
