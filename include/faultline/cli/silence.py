"""Commands for who does not want to be told for a while: silences that are set while Faultline runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from faultline.cli.common import Author, own_name, plain_errors, read_settings, typed

if TYPE_CHECKING:
    from faultline.steps.silences import ListedSilence

app = typer.Typer()
silence = typer.Typer(no_args_is_help=True, help="Alerts that are not sent for a while, whatever they do.")
app.add_typer(silence, name="silence")

_CLOCK = "%Y-%m-%d %H:%M:%S"
# Of the alerts that a silence matches so many are printed; JSON has all of them.
MOST = 20


class ListFormat(StrEnum):
    """How silences are printed."""

    TEXT = "text"
    JSON = "json"


@silence.command()
def add(
    matchers: Annotated[list[str], typer.Argument(help="""Such as 'alertname="DbDown"' 'host=~"db-.*"'; all hold.""")],
    comment: Annotated[str, typer.Option(help="What for; it is shown wherever somebody asks why nothing was sent.")],
    lasts: Annotated[str | None, typer.Option("--for", help="How long; 2h unless given.")] = None,
    until: Annotated[str | None, typer.Option(help="Its end instead: 2026-11-22T18:00, in UTC.")] = None,
    start: Annotated[str | None, typer.Option(help="Its start: 2026-11-22T16:00, in UTC; now unless given.")] = None,
    author: Author = None,
) -> None:
    """Silence alerts from the next evaluation on, and print which of those that go on it matches."""
    from faultline.adapters.database import Database
    from faultline.alerting.silences import write_silence
    from faultline.model import utc_now
    from faultline.steps.silences import ListedSilence

    now, texts = utc_now(), [typed(text) for text in matchers]
    by, why = typed(author) if author else own_name(), typed(comment)
    try:
        starts_at, ends_at = _span(start, lasts, until, now)
        asked = write_silence(texts, starts_at, ends_at, now=now, created_by=by, comment=why)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    with plain_errors(), Database(read_settings().database_url) as database:
        number, alerts = database.add_silence(asked), asked.live(database.alerts())
    print("\n".join(_lines(ListedSilence(number, asked, asked.state(now), alerts))))
    print(f"It is kept from the next evaluation on; end it with faultline silence expire {number}")


def _span(start: str | None, lasts: str | None, until: str | None, now: datetime) -> tuple[datetime, datetime]:
    from faultline.durations import parse_duration, parse_instant

    if lasts is not None and until is not None:
        raise ValueError("--for and --until both say when it ends: give one of them")
    starts_at = parse_instant(start) if start is not None else now
    if until is not None:
        return starts_at, parse_instant(until)
    try:
        return starts_at, starts_at + parse_duration("2h" if lasts is None else lasts)
    except OverflowError:
        raise ValueError(f"{lasts or '2h'} after {start} there is no time any more") from None


@silence.command("list")
def list_(
    all: Annotated[bool, typer.Option("--all", help="Also those that are over.")] = False,
    format: Annotated[ListFormat, typer.Option(help="For people or for programs.")] = ListFormat.TEXT,
) -> None:
    """What is or will be silenced, by the rules file or by silence add, and how many alerts each matches now."""
    from faultline.adapters.database import Database
    from faultline.alerting.silences import SilenceState
    from faultline.model import utc_now
    from faultline.steps.silences import list_silences

    settings = read_settings()
    with plain_errors(), Database(settings.database_url) as database:
        found = list_silences(settings, database, at=utc_now())
    shown = [each for each in found if all or each.state is not SilenceState.EXPIRED]
    if format is ListFormat.JSON:
        print(json.dumps([_object(each) for each in shown], indent=2))
    else:
        print("\n".join(line for each in shown for line in _lines(each)) or "Nothing is silenced.")


def _lines(each: ListedSilence) -> Iterator[str]:
    from faultline.dispatch.text import one_line

    asked, number = each.silence, len(each.alerts)
    name = "Silence of the rules file" if each.id is None else f"Silence {each.id}"
    yield one_line(f"{name}, {each.state}: {', '.join(asked.matchers)}")
    by, what_for = f", by {asked.created_by}" if asked.created_by else "", f": {asked.comment}" if asked.comment else ""
    yield one_line(f"  from {asked.starts_at:{_CLOCK}} until {asked.ends_at:{_CLOCK}} UTC{by}{what_for}")
    yield f"  matches {number or 'no'} alert{'' if number == 1 else 's'} now{':' if number else ''}"
    for alert in each.alerts[:MOST]:
        yield one_line(f"    {alert.key}: {alert.state}, since {alert.starts_at:{_CLOCK}}")
    if number > MOST:
        yield f"    … {number - MOST:,} more, see --format json"


def _object(each: ListedSilence) -> dict[str, object]:
    return {
        "id": each.id,
        "state": each.state.value,
        **each.silence.model_dump(mode="json"),
        "alerts": [str(alert.key) for alert in each.alerts],
    }


@silence.command()
def expire(ids: Annotated[list[int], typer.Argument(help="Their numbers, as silence list prints them.")]) -> None:
    """End silences from the next evaluation on; what they kept quiet and goes on is sent then."""
    from faultline.adapters.database import Database
    from faultline.model import utc_now

    with plain_errors(), Database(read_settings().database_url) as database:
        ended = database.expire_silences(ids, utc_now())
    for number in dict.fromkeys(ids):
        print(f"Silence {number} {'is over' if number in ended else 'was over already'}.")
