"""The values everything speaks in: positions in Kafka, time, counts, alerts, notifications.

Frozen, checked at construction, no I/O. An offset always means the *next* one; every time is UTC.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import ItemsView, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import TypeVar, overload

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from faultline.digest import Digest

T = TypeVar("T")


@dataclass(frozen=True, slots=True, order=True)
class TopicPartition:
    """A partition of one generation of a topic: ``topic_id`` changes when a topic is deleted and created again."""

    topic: str
    topic_id: str
    partition: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}"


@dataclass(frozen=True, slots=True, order=True)
class OffsetRange:
    """Offsets ``[start, end)`` of one partition."""

    partition: TopicPartition
    start: int
    end: int

    def __post_init__(self) -> None:
        if not 0 <= self.start <= self.end:
            raise ValueError(f"not an offset range: [{self.start}, {self.end}) of {self.partition}")

    def __len__(self) -> int:
        return self.end - self.start

    def __str__(self) -> str:
        return f"{self.partition}[{self.start}, {self.end})"


@dataclass(frozen=True, slots=True, order=True)
class Interval:
    """Event time ``[start, end)``, UTC."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.start.utcoffset() != timedelta(0) or self.end.utcoffset() != timedelta(0):
            raise ValueError("an interval is in UTC")
        if self.end < self.start:
            raise ValueError(f"an interval ends before it starts: [{self.start}, {self.end})")


class Labels(Mapping[str, str]):
    """An immutable, hashable set of labels, ordered by name; an absent field is an absent label.

    ``get``, ``in`` and ``items`` go straight to the dict inside: Mapping's own are many times slower, and an evaluation
    asks thousands of alerts for their labels.
    """

    __slots__ = ("_hash", "_items")

    def __init__(self, items: Mapping[str, str] | None = None, /, **more: str) -> None:
        self._items = dict(sorted({**dict(items.items() if items else ()), **more}.items()))
        self._hash: int | None = None

    def __getitem__(self, name: str) -> str:
        return self._items[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __contains__(self, name: object) -> bool:
        return name in self._items

    @overload
    def get(self, name: str, default: None = None, /) -> str | None: ...

    @overload
    def get(self, name: str, default: str | T, /) -> str | T: ...

    def get(self, name: str, default: object = None, /) -> object:
        """The label's value, or the default."""
        return self._items.get(name, default)

    def items(self) -> ItemsView[str, str]:
        """Names and values, ordered by name."""
        return self._items.items()

    def __hash__(self) -> int:
        if self._hash is None:  # asked again for every count that is evaluated
            self._hash = hash(tuple(self._items.items()))
        return self._hash

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Labels):
            return self._items == other._items
        return self._items == dict(other) if isinstance(other, Mapping) else NotImplemented

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(
            cls,
            core_schema.dict_schema(core_schema.str_schema(), core_schema.str_schema()),
            serialization=core_schema.plain_serializer_function_ser_schema(dict),
        )

    def __repr__(self) -> str:
        return "{" + ", ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in self.items()) + "}"


@dataclass(frozen=True, slots=True)
class ErrorCount:
    """How many records with these labels fell into one event-time bucket. Additive over offset ranges.

    ``labels`` has service, environment, host, level, logger, exception_type and topic where the record has them, and
    the topic's own count labels. ``sample`` is the text of one record, cut to 500 characters.
    """

    bucket_start: datetime
    labels: Labels
    count: int
    first_ts: datetime
    last_ts: datetime
    fingerprint: str | None = None
    sample: str | None = None
    sample_partition: int | None = None
    sample_offset: int | None = None


@dataclass(frozen=True, slots=True, order=True)
class LateCount:
    """How many records of a topic's hour were not counted, because they came too late for any window."""

    topic: str
    hour: datetime
    count: int


@dataclass(frozen=True, slots=True, order=True)
class FloodCount:
    """How many records of a topic's hour logging handlers kept back, by their own count."""

    topic: str
    hour: datetime
    count: int


class AlertState(StrEnum):
    """Where an episode stands; see docs/alerting.md for the transitions."""

    INACTIVE = "inactive"
    PENDING = "pending"
    HELD = "held"
    FIRING = "firing"
    ACKED = "acked"
    SUPPRESSED = "suppressed"
    RECOVERING = "recovering"
    RESOLVED = "resolved"
    EXPIRED = "expired"


class NotificationKind(StrEnum):
    """Why a receiver is told something."""

    FIRING = "firing"
    UPDATE = "update"
    RESOLVED = "resolved"
    PERSISTS = "persists"
    CORRECTION = "correction"
    DIGEST = "digest"
    META = "meta"


@dataclass(frozen=True, slots=True)
class AlertKey:
    """An alert's identity: the rule and its identity labels (the rule's query_key)."""

    rule: str
    labels: Labels

    @property
    def id(self) -> str:
        """A stable hash of the identity, 16 hex digits."""
        return _identity(self.rule, self.labels)

    def __hash__(self) -> int:
        return self.labels._hash or hash(self.labels)  # few alerts of different rules have the same labels

    def __str__(self) -> str:
        return f"{self.rule}{self.labels!r}" if self.labels else self.rule


def episode_name(alert: AlertKey, starts_at: datetime) -> str:
    """Names the episode forever: the identity's hash and the start."""
    return f"{alert.id}-{starts_at:%Y%m%dT%H%M%SZ}"


@lru_cache(maxsize=65_536)
def _identity(rule: str, labels: Labels) -> str:
    text = json.dumps([rule, list(labels.items())], ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Transition:
    """One step in an episode's life, with the reason and, where others caused it, who.

    ``late`` says that records came into it whose bucket had closed before they came.
    """

    episode: str
    alert: AlertKey
    source: AlertState
    target: AlertState
    at: datetime
    reason: str
    by: tuple[AlertKey, ...] = ()
    late: bool = False


@dataclass(frozen=True, slots=True)
class Ack:
    """Somebody has taken an episode on: who, when, and what they say of it."""

    episode: str
    by: str
    at: datetime
    comment: str = ""

    @property
    def reason(self) -> str:
        """The acknowledgement in words."""
        return f"acknowledged by {self.by}" + (f": {self.comment}" if self.comment else "")


@dataclass(frozen=True, slots=True)
class Kind:
    """Records that say the same thing: how many, and the text of one."""

    fingerprint: str
    count: int
    sample: str


@dataclass(frozen=True, slots=True)
class Context:
    """What an alert counts, in the hour before a page of it: records, their kinds and hosts, the most frequent first.

    ``week_before`` is how many there were in the same hour a week ago; None where that is not known.
    """

    count: int
    week_before: int | None
    kinds: tuple[Kind, ...] = ()
    more_kinds: int = 0
    hosts: tuple[tuple[str, int], ...] = ()
    more_hosts: int = 0


@dataclass(frozen=True, slots=True)
class AlertSummary:
    """What a message says of one alert: what, since when, how often, and a few examples; ``caused_by`` root first.

    ``late`` says that it took records that came late to see it.
    """

    alert: AlertKey
    state: AlertState
    starts_at: datetime
    ends_at: datetime | None
    count: int
    threshold: str
    first_seen: datetime | None = None
    last_seen: datetime | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    samples: tuple[str, ...] = ()
    caused_by: tuple[AlertKey, ...] = ()
    ack: Ack | None = None
    late: bool = False
    context: Context | None = None

    @property
    def episode(self) -> str:
        """The name of the episode."""
        return episode_name(self.alert, self.starts_at)


@dataclass(frozen=True, slots=True)
class Folded:
    """A message that waited with many others and is told in one with them; ``effects`` is how many it names."""

    key: str
    episode: str
    kind: NotificationKind
    reason: str
    alert: AlertSummary
    effects: int


@dataclass(frozen=True, slots=True)
class Notification:
    """One thing to tell one receiver. (``episode``, ``receiver``, ``kind``, ``sequence``) is unique, forever.

    ``digest`` is what a digest is about, ``folded`` has the messages that are told in this one; the ``alert`` of either
    is only what is needed to route and show it.
    Of a group ``episode`` is the group's id, ``alerts`` has those in it, ``group`` the labels they have in common, and
    ``alert`` is all of them as one.
    """

    episode: str
    receiver: str
    kind: NotificationKind
    sequence: int
    reason: str
    created_at: datetime
    alert: AlertSummary
    suppressed: tuple[AlertSummary, ...] = ()
    digest: Digest | None = None
    folded: tuple[Folded, ...] = ()
    alerts: tuple[AlertSummary, ...] = ()
    group: Mapping[str, str] | None = None

    @property
    def about(self) -> tuple[AlertSummary, ...]:
        """The alerts that it tells of."""
        return self.alerts or (self.alert,)

    @property
    def shown_episode(self) -> str:
        """The episode to look at first: of a group, that of its first alert."""
        return self.alerts[0].episode if self.alerts else self.episode

    @property
    def key(self) -> str:
        """The visible notification id; a receiver that sees it twice may drop the second."""
        return f"{self.episode}-{self.receiver}-{self.kind}-{self.sequence}"

    @property
    def acknowledges(self) -> bool:
        """Whether it is sent only to say that somebody has taken the alert on."""
        return self.alert.ack is not None and self.reason == self.alert.ack.reason


def common(several: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """What all the mappings agree in."""
    first, *others = several
    return {name: value for name, value in first.items() if all(each.get(name) == value for each in others)}


def utc_now() -> datetime:
    """The wall clock; only steps, plugins and the CLI ask it."""
    return datetime.now(UTC)
