"""The command that looks at a digest: what an interval came to, in the terminal or as a file."""

from __future__ import annotations

import json
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from faultline.cli.common import console, plain_errors, read_settings

if TYPE_CHECKING:
    from faultline.dispatch.style import Style
    from faultline.model import Notification

app = typer.Typer()


class DigestFormat(StrEnum):
    """How a digest is printed."""

    TEXT = "text"
    JSON = "json"


class DigestLanguage(StrEnum):
    """The language of its words."""

    EN = "en"
    ZH = "zh"


@app.command()
def digest(
    since: Annotated[str, typer.Option(help="Its start: 24h ago, or 2026-11-22T12:00, in UTC.")] = "24h",
    until: Annotated[str, typer.Option(help="Its end, written alike; now unless given.")] = "0s",
    top: Annotated[int, typer.Option(min=1, max=50, help="So many of the most frequent, and of the new errors.")] = 10,
    language: Annotated[DigestLanguage, typer.Option(help="Of its words.")] = DigestLanguage.EN,
    to: Annotated[Path | None, typer.Option(help="Write it as one HTML file instead, with its picture.")] = None,
    format: Annotated[DigestFormat, typer.Option(help="For people or for programs.")] = DigestFormat.TEXT,
) -> None:
    """Summarise errors and alerts of a time: what is frequent, new, was kept quiet or did not get through."""
    from faultline.adapters.database import Database
    from faultline.dispatch.style import Style
    from faultline.model import utc_now
    from faultline.steps.digest import as_notification, check_interval, make_digest, write_html

    now, settings = utc_now(), read_settings()
    start, end = _when(since, now), _when(until, now)
    with plain_errors(), Database(settings.database_url) as database:
        interval = check_interval(start, end)
        with console.status("Looking at the counts …"):
            made = as_notification(make_digest(database, interval, top=top), "terminal", now)
        style = Style(language.value, ui_url=settings.ui_url)
        if to is not None:
            write_html(made, to, style)
            console.print(f"Written to {to}", markup=False, highlight=False, soft_wrap=True)
        elif format is DigestFormat.JSON:
            print(_json(made))
        else:
            _print(made, style)


def _when(text: str, now: datetime) -> datetime:
    from faultline.durations import parse_when

    try:
        return parse_when(text, now)
    except (ValueError, OverflowError) as error:
        raise typer.BadParameter(str(error)) from None


def _print(made: Notification, style: Style) -> None:
    from faultline.dispatch.receivers.console import ConsoleReceiver

    ConsoleReceiver("terminal", style=style).send(made)


def _json(made: Notification) -> str:
    from pydantic import TypeAdapter

    from faultline.digest import Digest

    assert made.digest is not None
    return json.dumps(TypeAdapter(Digest).dump_python(made.digest, mode="json"), indent=2, ensure_ascii=False)
