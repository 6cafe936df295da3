"""The shape of a test file: what is logged when, what is done to Faultline meanwhile, and what is expected of it.

Times are offsets from the test's start. Only shapes are here; ``scenario`` makes counts of it, ``simulation`` runs it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from faultline.alerting.notation import parse_alert, parse_counts
from faultline.alerting.rulekinds import MatcherTexts, Name
from faultline.durations import Duration, Instant, PositiveDuration
from faultline.model import AlertKey, NotificationKind
from faultline.yaml_files import StrictModel


def _counts(text: str) -> str:
    parse_counts(text)
    return text


def _alert(text: str) -> str:
    parse_alert(text)
    return text


AlertName = Annotated[str, AfterValidator(_alert)]


class SeriesInput(StrictModel):
    """So many records with these labels at 0, ``every``, 2·``every`` …"""

    topic: Name
    labels: dict[str, str] = Field(default={})
    every: PositiveDuration = timedelta(seconds=10)
    counts: Annotated[str, AfterValidator(_counts)]


class EventInput(StrictModel):
    """One record, read by the parser that reads live ones; it ``arrives`` at its time unless said otherwise."""

    at: Duration
    topic: Name
    record: dict[str, Any] | str
    arrives: Duration | None = None


class SilenceAction(StrictModel):
    """A silence that begins with the action."""

    matchers: MatcherTexts = Field(min_length=1)
    for_: PositiveDuration = Field(alias="for")


class Action(StrictModel):
    """What is done at a time: something is silenced or acknowledged, the evaluator restarts, a receiver is down."""

    at: Duration
    silence: SilenceAction | None = None
    ack: AlertName | None = None
    restart: bool = False
    receiver_down: Name | None = None
    for_: Duration = Field(default=timedelta(0), alias="for")


_STATES = ("pending", "held", "firing", "acked", "suppressed", "recovering")


class Expectation(StrictModel):
    """Which alerts are in a state at an instant; each list that is given is complete."""

    at: Duration
    pending: tuple[AlertName, ...] | None = None
    held: tuple[AlertName, ...] | None = None
    firing: tuple[AlertName, ...] | None = None
    acked: tuple[AlertName, ...] | None = None
    suppressed: dict[AlertName, tuple[AlertName, ...]] | None = None
    recovering: tuple[AlertName, ...] | None = None

    def listed(self) -> dict[str, set[AlertKey]]:
        """The alerts by the state that they are expected to be in."""
        lists = {name: getattr(self, name) for name in _STATES}
        return {name: {parse_alert(text) for text in texts} for name, texts in lists.items() if texts is not None}


class ExpectedNotification(StrictModel):
    """One message to one receiver; ``suppressed`` is how many effects it names."""

    at: Duration
    receiver: Name
    kind: NotificationKind
    alerts: tuple[AlertName, ...]
    suppressed: int | None = None


class TestCase(StrictModel):
    """One story, from an empty start."""

    __test__ = False  # pytest must not take the class for tests

    name: Name
    series: tuple[SeriesInput, ...] = ()
    events: tuple[EventInput, ...] = ()
    actions: tuple[Action, ...] = ()
    expect: tuple[Expectation, ...] = ()
    expect_notifications: tuple[ExpectedNotification, ...] | None = None
    expect_late_dropped: int | None = Field(default=None, ge=0, description="records that came too late to be counted")

    def ends_at(self) -> timedelta:
        """The latest time that anything in the story names."""
        ends = [series.every * len(parse_counts(series.counts)) for series in self.series]
        ends += [max(event.at, event.arrives or event.at) for event in self.events]
        ends += [action.at + action.for_ for action in self.actions]
        ends += [action.at + action.silence.for_ for action in self.actions if action.silence]
        ends += [each.at for each in self.expect]
        ends += [each.at for each in self.expect_notifications or ()]
        return max(ends, default=timedelta(0))


class TestFile(StrictModel):
    """Rules (a file beside this one, or their content) and the stories to try them with."""

    __test__ = False

    rules: str | dict[str, Any]
    topics: str | dict[str, Any] | None = None
    evaluate_every: PositiveDuration = timedelta(seconds=10)
    bucket: PositiveDuration = Field(default=timedelta(seconds=10), description="width of a bucket of counts")
    allowed_lateness: Duration | None = Field(
        default=None,
        description="how far the watermark is behind the clock, and how much later a record still counts; when absent "
        "the watermark follows the clock, and a record counts for a minute",
    )
    start: Instant = Field(default=datetime(2026, 1, 5, tzinfo=UTC), description="a Monday's midnight, UTC")
    tests: tuple[TestCase, ...]
