"""Silences: alerts that match are not sent for a while, whatever they do. In the shape of Alertmanager's.

Some are written in the rules file, others are set while Faultline runs; they mean the same.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cached_property

from pydantic import Field

from faultline.alerting.alerts import Alert, Silencing
from faultline.alerting.matchers import Matcher, matches_all, parse_matchers
from faultline.alerting.rulekinds import MatcherTexts, parse_all
from faultline.durations import Instant
from faultline.yaml_files import StrictModel


class SilenceState(StrEnum):
    """Where a silence stands, in Alertmanager's words."""

    PENDING = "pending"
    ACTIVE = "active"
    EXPIRED = "expired"


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

    @property
    def reason(self) -> str:
        """Why an alert that matches is not sent: who says so, and what for."""
        by = f" by {self.created_by}" if self.created_by else ""
        return f"silenced{by}: {self.acting.comment}"

    @property
    def acting(self) -> Silencing:
        """What the ledger notes of it."""
        return Silencing(None, self.created_by, self.comment or ", ".join(self.matchers))

    def state(self, at: datetime) -> SilenceState:
        """Whether it is in force, not yet, or not any more."""
        if at >= self.ends_at:
            return SilenceState.EXPIRED
        return SilenceState.PENDING if at < self.starts_at else SilenceState.ACTIVE

    def active(self, at: datetime) -> bool:
        """Whether it is in force."""
        return self.starts_at <= at < self.ends_at

    def live(self, alerts: Iterable[Alert]) -> tuple[Alert, ...]:
        """The alerts that match and go on."""
        return tuple(alert for alert in alerts if alert.live and matches_all(self.parsed, alert.labels))


class NumberedSilence(Silence):
    """One that was set while Faultline runs, as the evaluator heeds it."""

    number: int

    @property
    def acting(self) -> Silencing:
        return dataclasses.replace(super().acting, number=self.number)


@dataclass(frozen=True, slots=True)
class StoredSilence:
    """A silence that was set while Faultline runs, and the number by which it is ended."""

    id: int
    silence: Silence

    @property
    def numbered(self) -> NumberedSilence:
        """The silence with its number."""
        return NumberedSilence(number=self.id, **self.silence.model_dump())


def write_silence(
    matchers: Sequence[str], starts_at: datetime, ends_at: datetime, *, now: datetime, created_by: str, comment: str
) -> Silence:
    """A silence as a person asks for it; ValueError with a line for every fault."""
    faults = list(_faulty_matchers(matchers))
    if ends_at <= max(starts_at, now):
        span = f"from {starts_at:%Y-%m-%d %H:%M:%S} until {ends_at:%Y-%m-%d %H:%M:%S}"
        faults.append(f"it would be over at once: {span}; now it is {now:%Y-%m-%d %H:%M:%S} (UTC)")
    if not comment.strip():
        faults.append("a silence needs a comment: it is what others will read who wonder why nothing was sent")
    if faults:
        raise ValueError("\n".join(faults))
    written = tuple(map(str, parse_all(tuple(matchers))))
    return Silence(matchers=written, starts_at=starts_at, ends_at=ends_at, created_by=created_by, comment=comment)


def silenced_by(silences: Iterable[Silence], labels: Mapping[str, str], at: datetime) -> Silence | None:
    """The first silence in force that the labels match."""
    return next(in_force(silences, labels, at), None)


def in_force(silences: Iterable[Silence], labels: Mapping[str, str], at: datetime) -> Iterator[Silence]:
    """Every silence in force that the labels match."""
    return (each for each in silences if each.active(at) and matches_all(each.parsed, labels))


def _faulty_matchers(texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        try:
            parse_matchers(text)
        except ValueError as error:
            yield str(error)
