"""Silences: which there are and what they have kept quiet, and a new one, with what it would match before it is set."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Form, Query, Response

from faultline.adapters.database import Kept, Outline
from faultline.alerting.alerts import LEASE
from faultline.alerting.matchers import Matcher, parse_matchers
from faultline.alerting.silences import Silence, SilenceState, write_silence
from faultline.durations import parse_duration
from faultline.page.asked import Asked, AskedNow
from faultline.page.in_force import rules_in_force
from faultline.page.reach import KeptQuiet, Matched, kept_quiet, matched, matched_now

router = APIRouter()

# More alerts, and more stretches of silence, than these are not looked at, and the page says so.
MOST = 20_000
MOST_KEPT = 5_000
# Alerts that a preview names.
NAMED = 20
DAY = timedelta(days=1)
SPANS = ("30m", "1h", "2h", "4h", "8h", "1d", "3d", "1w")
_USUAL = "2h"


@dataclass(frozen=True, slots=True)
class ShownSilence:
    """A silence and what it reaches; ``id`` is None for one that is written in the rules file."""

    id: int | None
    silence: Silence
    state: SilenceState
    now: Matched
    kept: KeptQuiet


@dataclass(frozen=True, slots=True)
class Preview:
    """What a silence that is not set yet would match."""

    matchers: tuple[str, ...]
    now: Matched
    lately: Matched
    most: int | None


@router.get("/silences")
def silences(asked: AskedNow, set: Annotated[int | None, Query()] = None) -> Response:
    """The silences that are not over; ``set`` is the one that was just made."""
    known = _known(asked)
    outlines = asked.database.live_outlines(MOST)
    kept = asked.database.silenced_since(min((each.starts_at for _, each in known), default=asked.at), MOST_KEPT)
    shown = [_show(id, each, outlines, kept, asked.at) for id, each in known]
    most = MOST_KEPT if len(kept) == MOST_KEPT else None
    return asked.render("silences.html.j2", silences=shown, made=set, most=most, named=NAMED)


@router.get("/silence")
def new_silence(
    asked: AskedNow, episode: str = "", matchers: str = "", lasts: Annotated[str, Query()] = _USUAL
) -> Response:
    """A form for a silence, for an alert or from nothing, and what it would match."""
    if episode and not matchers:
        alert = asked.database.alerts_of([episode]).get(episode)
        labels = {"alertname": alert.key.rule, **alert.key.labels} if alert else {}
        matchers = "\n".join(str(Matcher(name, "=", value)) for name, value in labels.items())
    return _form(asked, matchers, lasts=lasts)


@router.post("/silence")
def set_silence(
    asked: AskedNow,
    matchers: Annotated[str, Form()] = "",
    lasts: Annotated[str, Form()] = "",
    comment: Annotated[str, Form()] = "",
) -> Response:
    """Set it, or say what is wrong with it."""
    try:
        ends_at = asked.at + parse_duration(lasts.strip())
        silence = write_silence(
            _lines(matchers), asked.at, ends_at, now=asked.at, created_by=asked.by, comment=comment.strip()
        )
    except (ValueError, OverflowError) as error:
        return _form(asked, matchers, lasts=lasts, comment=comment, fault=str(error), status=422)
    return asked.go("/silences", set=asked.database.add_silence(silence))


@router.post("/silences/end")
def end_silence(asked: AskedNow, id: Annotated[int, Form()]) -> Response:
    """End a silence; the next evaluation tells of what it kept quiet and goes on."""
    asked.database.expire_silences([id], asked.at)
    return asked.go("/silences")


def _known(asked: Asked) -> list[tuple[int | None, Silence]]:
    """Those that are not over: of the rules in force, then those that were set."""
    rules = rules_in_force(asked.database, asked.database.evaluated(LEASE))
    written = [each for each in (rules.file.silences if rules else ()) if each.ends_at > asked.at]
    stored = asked.database.silences(asked.at)
    return [*((None, each) for each in written), *((each.id, each.silence) for each in stored)]


def _show(id: int | None, silence: Silence, outlines: list[Outline], kept: list[Kept], at: datetime) -> ShownSilence:
    now = matched_now(silence.parsed, outlines)
    return ShownSilence(id, silence, silence.state(at), now, kept_quiet(silence, kept))


def _form(
    asked: Asked, matchers: str, *, lasts: str, comment: str = "", fault: str = "", status: int = 200
) -> Response:
    preview, wrong = _preview(asked, matchers)
    return asked.render(
        "silence.html.j2",
        status=status,
        matchers=matchers,
        lasts=lasts,
        comment=comment,
        fault=fault or wrong,
        preview=preview,
        named=NAMED,
        spans=SPANS,
    )


def _lines(text: str) -> list[str]:
    """The lines of a text field, as browsers send them."""
    return [line for line in text.replace("\r\n", "\n").split("\n") if line.strip()]


def _preview(asked: Asked, text: str) -> tuple[Preview | None, str]:
    """What the matchers, one or more a line, match; or what is wrong with them."""
    try:
        parsed = tuple(matcher for line in _lines(text) for matcher in parse_matchers(line))
    except ValueError as error:
        return None, str(error)
    if not parsed:
        return None, ""
    outlines = asked.database.outlines_since(asked.at - DAY, MOST)
    now, lately = matched_now(parsed, outlines), matched(parsed, outlines)
    return Preview(tuple(map(str, parsed)), now, lately, MOST if len(outlines) == MOST else None), ""
