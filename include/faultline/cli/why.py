"""``faultline why``: the time line of one episode, for somebody who was just woken up by it, or was not."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from faultline.cli.common import plain_errors, read_settings

if TYPE_CHECKING:
    from faultline.alerting.alerts import Alert
    from faultline.steps.why import Why

app = typer.Typer()

# Of a longer story the beginning and the end of the counts are printed; JSON has all of them.
ENDS = 15


class WhyFormat(StrEnum):
    """How the story is printed."""

    TEXT = "text"
    JSON = "json"


@app.command()
def why(
    alert: Annotated[str, typer.Argument(help='Such as DbErrors, DbErrors{service="db"}, or the start of an id.')],
    at: Annotated[str | None, typer.Option(help="The episode that went on then: 2026-11-22T03:10 (UTC) or 2h.")] = None,
    format: Annotated[WhyFormat, typer.Option(help="For people or for programs.")] = WhyFormat.TEXT,
) -> None:
    """Tell why an alert was sent or was not: its newest episode's counts, transitions, causes and messages."""
    from faultline.adapters.database import Database
    from faultline.durations import parse_when
    from faultline.model import utc_now
    from faultline.steps.why import find_episodes, find_why

    settings, now = read_settings(), utc_now()
    with plain_errors(), Database(settings.database_url) as database:
        try:
            when = parse_when(at, now) if at else None
            newest, *others = find_episodes(settings, database, alert, when)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None
        story = find_why(settings, database, newest, now=now)
    print(_json(story, others) if format is WhyFormat.JSON else "\n".join(_lines(story, others)))


def _lines(story: Why, others: Sequence[Alert]) -> Iterator[str]:
    from faultline.dispatch.conclusion import conclude
    from faultline.dispatch.story import time_line
    from faultline.dispatch.text import one_line

    alert = story.history.alert
    yield one_line(f"{alert.key}: {alert.state}")
    yield one_line(conclude(story.history))
    yield ""
    ended = f", ended {_time(alert.ends_at)}" if alert.ends_at else ""
    yield f"Episode {alert.episode}: began {_time(alert.starts_at)}{ended}, {alert.count:,} records. Times are UTC."
    yield ""
    yield from map(one_line, _counts(story))
    yield ""
    yield "What happened"
    for event in time_line(story.history):
        yield one_line(f"  {_time(event.at)}  {event.what}")
        yield from (one_line(f"{'':23}{detail}") for detail in event.details)
    if others:
        yield ""
        yield "Other episodes, newest first; tell their story with their id or with --at"
        for other in others:
            yield one_line(f"  {other.episode}  {_time(other.starts_at)}  {other.state:<10}  {other.key}")


def _counts(story: Why) -> Iterator[str]:
    from faultline.durations import format_duration

    rule, rows = story.rule, story.counts
    if story.rules_hash is None:
        yield "Counts: no rules can be read, so the threshold is not known; see faultline check."
        return
    whose = "rules of then" if story.of_then else "rules in force now"
    if rule is None:
        yield f"Counts: the {whose} have no {story.history.alert.key.rule}, so its threshold is not known."
        return
    yield f"Threshold: {rule.threshold}, by the {whose}, version {story.rules_hash}"
    if any(each.notification.alert.threshold != rule.threshold for each in story.history.sent):
        yield "The rules have changed since then: its messages name another threshold."
    if not rows:
        yield "Counts: none are stored of that time."
        return
    width = format_duration(rule.timeframe)
    yield f"{'Bucket of ' + format_duration(story.bucket):<21}  {'records':>9}  {'last ' + width:>16}"
    left_out = len(rows) - 2 * ENDS
    for number, row in enumerate(rows):
        if left_out > 0 and number == ENDS:
            yield f"  … {left_out:,} more, see --format json"
        if left_out <= 0 or not ENDS <= number < len(rows) - ENDS:
            over = "  over the threshold" if row.over else ""
            yield f"  {_time(row.start)}  {row.count:>9,}  {row.window:>16}{over}"


def _json(story: Why, others: Sequence[Alert]) -> str:
    from pydantic import TypeAdapter

    from faultline.dispatch.conclusion import conclude
    from faultline.dispatch.story import History, Measured

    told = TypeAdapter(History).dump_python(story.history, mode="json")
    counts = TypeAdapter(tuple[Measured, ...]).dump_python(story.counts, mode="json")
    rule = story.rule
    said = {
        "episode": story.history.alert.episode,
        "conclusion": conclude(story.history),
        "threshold": rule.threshold if rule else None,
        "rules_hash": story.rules_hash,
        "rules_of_then": story.of_then,
        "bucket_seconds": story.bucket.total_seconds(),
        "counts": counts,
        **told,
        "others": [other.episode for other in others],
    }
    return json.dumps(said, indent=2)


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}"
