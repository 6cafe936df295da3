"""The engine's own values: an alert's episode as it is remembered between evaluations, and what an evaluation says.

All of them are frozen and survive a round trip through JSON (pydantic's TypeAdapter).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING

from faultline.model import Ack, AlertKey, AlertState, Labels, Notification, Transition, episode_name

# Under whose name evaluations are recorded: who holds this lease evaluates.
LEASE = "alerts"


class SuppressionOutcome(StrEnum):
    """How a suppression ended."""

    CLEARED_WITH_ROOT = "cleared with root"
    OUTLIVED_ROOT = "outlived root"
    BROKE_THROUGH = "broke through"
    EXPIRED = "expired"


class MuteReason(StrEnum):
    """Why an alert is suppressed."""

    CHAIN = "chain"
    SILENCE = "silence"
    MUTE_TIME = "mute_time"


@dataclass(frozen=True, slots=True)
class Sample:
    """The text of one record and where it is in Kafka."""

    text: str
    topic: str | None = None
    partition: int | None = None
    offset: int | None = None


@dataclass(frozen=True, slots=True)
class Cause:
    """An alert that explains another, and the rules on the way from it to the effect, both ends included."""

    alert: AlertKey
    episode: str
    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Silencing:
    """A silence that kept an alert quiet: its number, None for one of the rules file, who set it, and what for."""

    number: int | None
    by: str
    comment: str

    def __str__(self) -> str:
        which = "a silence of the rules file" if self.number is None else f"silence {self.number}"
        return f"{which}{f' by {self.by}' if self.by else ''}: {self.comment}"


@dataclass(frozen=True, slots=True)
class Suppression:
    """A row of the ledger: one alert not sent, because of whom, for how long, and how that ended.

    (``episode``, ``sequence``) names it. ``causes`` has everyone who explained it, root first; ``count`` is how many
    records it stands for. ``silences`` have kept it quiet; ``told`` says that somebody had been told of it before, so
    that only repeats and updates were kept back.
    """

    episode: str
    sequence: int
    alert: AlertKey
    causes: tuple[Cause, ...]
    rules_hash: str
    starts_at: datetime
    ends_at: datetime | None = None
    count: int = 0
    samples: tuple[Sample, ...] = ()
    outcome: SuppressionOutcome | None = None
    reason: MuteReason = MuteReason.CHAIN
    silences: tuple[Silencing, ...] = ()
    told: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """What one receiver has been told of an episode: when last, how many updates and pages, which effects were named,
    at which severity, whether it was told that it is over, and that somebody has taken it on.

    ``awaits`` is the key of the last message until it is delivered; from then on ``at`` is when it was. ``group`` names
    what it shares its messages with.
    """

    receiver: str
    at: datetime
    updates: int = 0
    effects: tuple[str, ...] = ()
    pages: int = 1
    severity: str = ""
    over: bool = False
    acked: bool = False
    awaits: str | None = None
    group: str = ""

    def rested(self, at: datetime, interval: timedelta) -> bool:
        """Whether the interval has passed since the last message was delivered."""
        return self.awaits is None and at >= self.at + interval


_OVER = (AlertState.INACTIVE, AlertState.RESOLVED, AlertState.EXPIRED)


@dataclass(frozen=True)
class Alert:
    """One episode of an alert.

    ``starts_at``, ``cleared_at``, ``ends_at`` and ``recovering_*`` are event time, exact to a bucket; ``held_since``
    and ``firing_since`` are times of evaluations. ``count`` is every record of the episode, the window that crossed
    the threshold included; ``closed_count`` is the part of it before ``counted_to``, which is final. ``mute`` says why
    it is suppressed, ``rate`` how many records its window had then, ``released`` that no cause suppresses it any more.
    ``severity`` is the highest of its effects when that is higher than its own. ``late`` says that it took records that
    came late to see it, ``corrected`` that with such records it never was over its threshold.
    """

    key: AlertKey
    state: AlertState
    labels: Labels
    starts_at: datetime
    count: int = 0
    closed_count: int = 0
    counted_to: datetime | None = None
    first_seen: datetime | None = None
    last_seen: datetime | None = None
    samples: tuple[Sample, ...] = ()
    cleared_at: datetime | None = None
    ends_at: datetime | None = None
    held_since: datetime | None = None
    firing_since: datetime | None = None
    recovering_from: datetime | None = None
    recovering_until: datetime | None = None
    causes: tuple[Cause, ...] = ()
    told: tuple[Told, ...] = ()
    suppression: Suppression | None = None
    mute: MuteReason | None = None
    rate: int = 0
    released: SuppressionOutcome | None = None
    severity: str | None = None
    flapping: bool = False
    ack: Ack | None = None
    late: bool = False
    corrected: bool = False

    @cached_property
    def episode(self) -> str:
        """Names the episode forever: the identity's hash and the start."""
        return episode_name(self.key, self.starts_at)

    @cached_property
    def shown(self) -> Labels:
        """The labels to route and show it by: with the severity of the worst that it explains."""
        return self.labels if self.severity is None else Labels({**self.labels, "severity": self.severity})

    @property
    def live(self) -> bool:
        """Whether the episode goes on; one that has ended is only remembered."""
        return self.state not in _OVER

    @property
    def over_at(self) -> datetime | None:
        """When it was over; None while it goes on."""
        return None if self.live else self.ends_at or self.cleared_at or self.last_seen or self.starts_at

    @property
    def sounding(self) -> bool:
        """Whether receivers are told of it: it fires, and somebody has taken it on or not."""
        return self.state in (AlertState.FIRING, AlertState.ACKED)

    @property
    def muted(self) -> bool:
        """Whether it is kept from receivers."""
        return self.state in (AlertState.SUPPRESSED, AlertState.RECOVERING)

    @property
    def owes_word(self) -> bool:
        """Whether a group is still to tell somebody what became of it."""
        return any(known.group and not known.over for known in self.told)

    @property
    def outlived_root(self) -> bool:
        """Whether it was suppressed and still failing when its causes had ended."""
        return self.suppression is not None and self.suppression.outcome is SuppressionOutcome.OUTLIVED_ROOT


if TYPE_CHECKING:
    from dataclasses import replace as replace
else:

    def replace(alert, **changes):
        """``dataclasses.replace`` for another state of the same episode, at a fifth of its cost.

        Every evaluation does it several times to each alert that it steps. Type checkers see the real one.
        """
        replaced = object.__new__(Alert)
        replaced.__dict__.update(alert.__dict__, **changes)
        replaced.__dict__.pop("shown", None)
        return replaced


@dataclass(frozen=True, slots=True)
class Term:
    """What a new_term rule knows of one term: where it was new, if it was, about when it was last seen, and when
    before it was new.
    """

    alert: AlertKey
    novel_at: datetime | None
    seen_at: datetime
    known_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Everything one evaluation decided; to be stored as a whole or not at all.

    ``changed`` are the alerts that are not what they were, ``forgotten`` the episodes to remember no longer;
    ``transitions`` and ``notifications`` are new; ``suppressions`` are the rows of the ledger that were opened, changed
    or closed; ``terms`` are those that were seen, ``watched`` the rules that were evaluated for the first time;
    ``acks`` are those that were heard, whether or not the alert still fired.
    """

    at: datetime
    watermark: datetime | None
    rules_hash: str
    changed: tuple[Alert, ...]
    transitions: tuple[Transition, ...]
    notifications: tuple[Notification, ...]
    suppressions: tuple[Suppression, ...]
    forgotten: tuple[str, ...] = ()
    terms: tuple[Term, ...] = ()
    watched: tuple[str, ...] = ()
    acks: tuple[Ack, ...] = ()
