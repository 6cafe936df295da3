"""Why an alert was sent, or was not: the story of one episode, put together from what was recorded of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from faultline.alerting.alerts import Alert, MuteReason, Suppression
from faultline.alerting.measures import Sight, is_over
from faultline.alerting.rulekinds import BaseRule, CardinalityRule, PercentageRule, SpikeRule
from faultline.alerting.tallies import Tallies, Tally
from faultline.alerting.windows import floor, window_width
from faultline.dispatch.delivery import OutboxState, Sent
from faultline.model import ErrorCount, Interval, Transition


@dataclass(frozen=True, slots=True)
class History:
    """What is recorded of an episode; ``named`` are messages about its causes that list it among their effects."""

    alert: Alert
    transitions: tuple[Transition, ...] = ()
    suppressions: tuple[Suppression, ...] = ()
    sent: tuple[Sent, ...] = ()
    named: tuple[Sent, ...] = ()


@dataclass(frozen=True, slots=True)
class Measured:
    """A bucket: its records, what the window that ends with it came to in the rule's terms, and if that was over."""

    start: datetime
    count: int
    window: str
    over: bool


@dataclass(frozen=True, slots=True)
class Event:
    """A line of the time line, and what is to be said below it."""

    at: datetime
    what: str
    details: tuple[str, ...] = ()


def ran_at(alert: Alert, at: datetime) -> bool:
    """Whether the episode was going on then."""
    return alert.starts_at <= at and (alert.over_at is None or at <= alert.over_at)


def counted_in(alert: Alert, rule: BaseRule, bucket: timedelta, until: datetime) -> Interval:
    """The event time whose counts made the episode begin and end; of one that goes on, ``until`` then."""
    last = alert.over_at or until
    return Interval(alert.starts_at - window_width(rule, bucket), max(floor(last, bucket) + bucket, alert.starts_at))


def measure(
    history: History,
    rule: BaseRule,
    counts: Iterable[ErrorCount],
    span: Interval,
    *,
    bucket: timedelta,
    closed: datetime | None,
    watched: datetime | None,
) -> tuple[Measured, ...]:
    """The buckets in which there were records, or with which the rule's threshold was crossed either way.

    ``counts`` reach back from the span as far as the rule looks; what is before ``closed`` is final.
    """
    tallies = Tallies([rule])
    tallies.add(counts)
    tally = tallies.of[rule.alert].get(history.alert.key, Tally())
    width, over, start, found = window_width(rule, bucket), False, span.start, []
    while start < span.end:
        end = start + bucket
        was, over = over, is_over(rule, tally, end, Sight(width, closed, watched, over))
        count = tally.total(start, end)
        if count or over != was:
            found.append(Measured(start, count, in_words(rule, tally, end, width), over))
        start = end
    return tuple(found)


def time_line(history: History) -> list[Event]:
    """Every transition, suppression and message in the order of time."""
    last = len(history.transitions)
    placed = [(step.at, number, _step(step)) for number, step in enumerate(history.transitions)]
    placed += [(event.at, last, event) for row in history.suppressions for event in _suppressed(row)]
    placed += [(each.notification.created_at, _place(history, each), _sending(each)) for each in history.sent]
    for each in history.named:
        event = _sending(each, f" about {each.notification.alert.alert}, naming this alert")
        placed.append((event.at, _place(history, each), event))
    return [event for _, _, event in sorted(placed, key=lambda entry: entry[:2])]


def _place(history: History, sent: Sent) -> int:
    """After which step a message belongs that is of the same time: the last into the state that it tells of."""
    told = sent.notification
    told_of = {each.state for each in (*told.about, *told.suppressed) if each.episode == history.alert.episode}
    steps = enumerate(history.transitions)
    matching = [number for number, step in steps if step.at == told.created_at and step.target in told_of]
    return max(matching, default=len(history.transitions))


def _step(step: Transition) -> Event:
    late = ("records that came late are counted in",) if step.late else ()
    return Event(step.at, f"{step.source} → {step.target}{' (late)' if step.late else ''}", (step.reason, *late))


def _suppressed(row: Suppression) -> Iterator[Event]:
    ways = [f"by {cause.alert}, along {' → '.join(cause.path)}" for cause in row.causes]
    silences = [f"by {each}" for each in row.silences]
    what = "no more is sent of it: it is kept back" if row.told else "kept back"
    details = (*ways, *silences, f"rules version {row.rules_hash}")
    yield Event(row.starts_at, f"{what} by a {_words(row.reason)}", details)
    if row.ends_at is not None:
        yield Event(row.ends_at, f"no longer kept back: {row.outcome}", (f"{row.count:,} records by then",))


def _sending(each: Sent, about: str = "") -> Event:
    told = each.notification
    became = f"{each.state}, {each.attempts} attempt{'' if each.attempts == 1 else 's'}"
    if each.finished_at is not None:
        became += f", {each.finished_at:%Y-%m-%d %H:%M:%S}"
    elif each.state is OutboxState.RETRY:
        became += f", again from {each.due_at:%Y-%m-%d %H:%M:%S}"
    said = (f"the provider said: {each.answer}",) if each.answer else ()
    return Event(told.created_at, f"{told.kind} message to {each.target}{about}", (told.reason, became, *said))


def in_words(rule: BaseRule, tally: Tally, end: datetime, width: timedelta) -> str:
    """What the window that ends there came to in the rule's terms."""
    total = tally.total(end - width, end)
    match rule:
        case PercentageRule():
            return f"{100 * tally.hits(end - width, end) / total:.3g}% of {total:,}" if total else "0"
        case CardinalityRule():
            values = tally.distinct(end - width, end)
            return f"{values:,} value{'' if values == 1 else 's'}"
        case SpikeRule():
            return f"{total:,} after {tally.total(end - 2 * width, end - width):,}"
    return f"{total:,}"


def _words(reason: MuteReason) -> str:
    return reason.replace("_", " ")
