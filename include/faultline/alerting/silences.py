"""Silences: alerts that match are not sent for a while, whatever they do. In the shape of Alertmanager's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import cached_property

from pydantic import Field

from faultline.alerting.matchers import Matcher, matches_all
from faultline.alerting.rulekinds import MatcherTexts, parse_all
from faultline.durations import Instant
from faultline.yaml_files import StrictModel


class Silence(StrictModel):
    """``[starts_at, ends_at)``, on the clock."""

    matchers: MatcherTexts = Field(min_length=1)
    starts_at: Instant
    ends_at: Instant
    created_by: str = ""
    comment: str = ""

    @cached_property
    def parsed(self) -> tuple[Matcher, ...]:
        """The matchers, ready to match."""
        return parse_all(self.matchers)

    def active(self, at: datetime) -> bool:
        """Whether it is in force."""
        return self.starts_at <= at < self.ends_at


def silenced_by(silences: Iterable[Silence], labels: Mapping[str, str], at: datetime) -> Silence | None:
    """The first silence in force that the labels match."""
    return next((each for each in silences if each.active(at) and matches_all(each.parsed, labels)), None)
