"""The kinds of rules, with ElastAlert's names and options: what each looks at, and how it says so.

Whether a window is over a rule's threshold is for ``measures``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import timedelta
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from faultline.alerting.matchers import Matcher, parse_matchers
from faultline.alerting.templates import check_template
from faultline.durations import Duration, PositiveDuration, format_duration
from faultline.yaml_files import StrictModel


def _parsed(texts: tuple[str, ...]) -> tuple[str, ...]:
    for text in texts:
        parse_matchers(text)
    return texts


def _template(text: str) -> str:
    check_template(text)
    return text


Name = Annotated[str, Field(min_length=1)]
MatcherTexts = Annotated[tuple[str, ...], AfterValidator(_parsed)]


def parse_all(texts: tuple[str, ...]) -> tuple[Matcher, ...]:
    """The matchers of all the texts."""
    return tuple(matcher for text in texts for matcher in parse_matchers(text))


class BaseRule(StrictModel, ABC):
    """What rules of every kind have: which records, one alert for which labels, over which time."""

    alert: Name
    topics: tuple[str, ...] = Field(default=(), description="topics to count in; all of them when empty")
    matchers: MatcherTexts = Field(default=(), description='such as level=~"ERROR|CRITICAL"')
    query_key: tuple[str, ...] = Field(default=(), description="labels that tell one alert from another")
    timeframe: PositiveDuration
    for_: Duration = Field(default=timedelta(0), alias="for", description="how long it must stay over the threshold")
    keep_firing_for: Duration = Field(default=timedelta(0), description="time below before it resolves")
    max_alert_age: PositiveDuration = Field(
        default=timedelta(days=1), description="what started longer ago when it is first seen is recorded, not sent"
    )
    labels: dict[str, str] = Field(default={})
    annotations: dict[str, Annotated[str, AfterValidator(_template)]] = Field(default={})

    @cached_property
    def parsed_matchers(self) -> tuple[Matcher, ...]:
        """The matchers, ready to match."""
        return parse_all(self.matchers)

    @property
    def identity(self) -> tuple[str, ...]:
        """The labels that tell one alert of the rule from another."""
        return self.query_key

    @property
    def reach(self) -> timedelta:
        """How far before its end a window looks."""
        return self.timeframe

    @property
    def needs_closing(self) -> bool:
        """Whether it may cross its threshold although no record comes: when a bucket closes."""
        return True

    @property
    def refutable(self) -> bool:
        """Whether records that come late can show that it never was over its threshold."""
        return self.needs_closing

    @property
    @abstractmethod
    def threshold(self) -> str:
        """The condition in words."""

    @property
    def crossed(self) -> str:
        """The condition in words, as met."""
        return self.threshold

    @property
    def cleared(self) -> str:
        """The condition in words, as met no more."""
        return f"no longer {self.threshold}"

    @property
    def refuted(self) -> str:
        """That the condition never was met, in words."""
        return f"counted again with records that came late: never {self.crossed}"

    def produces(self) -> frozenset[str]:
        """The names of the labels an alert of this rule can have of its own."""
        return frozenset(self.identity) | frozenset(self.labels) | {"alertname"}


class FrequencyRule(BaseRule):
    """At least ``num_events`` matching records inside ``timeframe``, per combination of the ``query_key`` labels."""

    type: Literal["frequency"] = "frequency"
    num_events: int = Field(ge=1)

    @property
    def needs_closing(self) -> bool:
        return False

    @property
    def threshold(self) -> str:
        return f"{self.num_events} in {format_duration(self.timeframe)}"

    @property
    def crossed(self) -> str:
        return f"over {self.threshold}"

    @property
    def cleared(self) -> str:
        return f"below {self.threshold}"


class PercentageRule(BaseRule):
    """The share of matching records that also match ``match_bucket_filter`` is above or below a percentage."""

    type: Literal["percentage_match"]
    match_bucket_filter: MatcherTexts = Field(min_length=1, description="matchers of the records whose share is taken")
    max_percentage: float | None = Field(default=None, ge=0, le=100, description="over it is an alert")
    min_percentage: float | None = Field(default=None, ge=0, le=100, description="under it is an alert")
    min_denominator: int = Field(default=1, ge=1, description="fewer records than this say nothing")

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if self.max_percentage is None and self.min_percentage is None:
            raise ValueError("needs max_percentage or min_percentage")
        return self

    @cached_property
    def parsed_filter(self) -> tuple[Matcher, ...]:
        """The matchers of the records whose share is taken."""
        return parse_all(self.match_bucket_filter)

    @property
    def threshold(self) -> str:
        bounds = []
        if self.max_percentage is not None:
            bounds.append(f"more than {self.max_percentage:g}%")
        if self.min_percentage is not None:
            bounds.append(f"less than {self.min_percentage:g}%")
        return f"{' or '.join(bounds)} in {format_duration(self.timeframe)}"


class SpikeRule(BaseRule):
    """``spike_height`` times as many records in a timeframe as in the one before it, or as few."""

    type: Literal["spike"]
    spike_height: float = Field(gt=1)
    spike_type: Literal["up", "down", "both"]
    threshold_ref: int = Field(default=0, ge=0, description="the timeframe before must have so many records")
    threshold_cur: int = Field(default=0, ge=0, description="the timeframe must have so many records")
    alert_on_new_data: bool = Field(default=False, description="also where there was nothing to compare with")

    @property
    def reach(self) -> timedelta:
        return 4 * self.timeframe

    @property
    def threshold(self) -> str:
        words = {"up": "as many", "down": "as few", "both": "as many or as few"}[self.spike_type]
        return f"{self.spike_height:g} times {words} in {format_duration(self.timeframe)} as before"


class FlatlineRule(BaseRule):
    """Fewer than ``threshold`` records in a timeframe, of a key that had some before."""

    type: Literal["flatline"]
    threshold_: int = Field(alias="threshold", ge=1)
    forget_keys: bool = Field(default=False, description="a key that stays silent is forgotten, and so resolves")

    @property
    def reach(self) -> timedelta:
        return 2 * self.timeframe

    @property
    def threshold(self) -> str:
        return f"fewer than {self.threshold_} in {format_duration(self.timeframe)}"


class CardinalityRule(BaseRule):
    """More, or fewer, different values of a label in a timeframe than it should have."""

    type: Literal["cardinality"]
    cardinality_field: Name
    max_cardinality: int | None = Field(default=None, ge=0, description="more is an alert")
    min_cardinality: int | None = Field(default=None, ge=1, description="fewer is an alert")

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if self.max_cardinality is None and self.min_cardinality is None:
            raise ValueError("needs max_cardinality or min_cardinality")
        return self

    @property
    def reach(self) -> timedelta:
        return 2 * self.timeframe

    @property
    def needs_closing(self) -> bool:
        return self.min_cardinality is not None

    @property
    def threshold(self) -> str:
        bounds = []
        if self.max_cardinality is not None:
            bounds.append(f"more than {self.max_cardinality}")
        if self.min_cardinality is not None:
            bounds.append(f"fewer than {self.min_cardinality}")
        return f"{' or '.join(bounds)} values of {self.cardinality_field} in {format_duration(self.timeframe)}"


class NewTermRule(BaseRule):
    """A value of ``fields`` not seen in the ``terms_window_size`` before; an alert for each, a timeframe long."""

    type: Literal["new_term"]
    fields: tuple[Name, ...] = Field(min_length=1)
    terms_window_size: PositiveDuration = timedelta(days=30)
    timeframe: PositiveDuration = timedelta(minutes=5)

    @property
    def identity(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self.query_key, *self.fields)))

    @property
    def needs_closing(self) -> bool:
        return False

    @property
    def refutable(self) -> bool:
        return True

    @property
    def threshold(self) -> str:
        return f"a new {' and '.join(self.fields)}, not seen for {format_duration(self.terms_window_size)}"


def _kind(value: Any) -> str:
    return str(value.get("type", "frequency") if isinstance(value, dict) else value.type)


Rule = Annotated[
    Annotated[FrequencyRule, Tag("frequency")]
    | Annotated[PercentageRule, Tag("percentage_match")]
    | Annotated[SpikeRule, Tag("spike")]
    | Annotated[FlatlineRule, Tag("flatline")]
    | Annotated[CardinalityRule, Tag("cardinality")]
    | Annotated[NewTermRule, Tag("new_term")],
    Discriminator(_kind),
]
