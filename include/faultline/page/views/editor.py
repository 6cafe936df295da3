"""The rules edited: checked as ``faultline check`` does, tried as ``faultline backtest`` does, and saved."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, HTTPException, Response
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from faultline.adapters.database.changes import ConfigurationChange, difference
from faultline.alerting.comparison import Comparison
from faultline.durations import parse_when
from faultline.errors import ConfigurationError, Fault, FaultlineError, Superseded
from faultline.model import Interval
from faultline.page.asked import Asked, AskedNow
from faultline.page.in_force import check, read_written
from faultline.page.searching import SILENCE, TICK, Busy, Found
from faultline.page.trial import MOST, Trial
from faultline.page.views.changes import LINES, marked
from faultline.steps.backtest import Plan
from faultline.yaml_files import Document

router = APIRouter()

USUAL = "6h"
LONGEST_TEXT = 800_000
# Faults and doubts that are listed.
NAMED = 50
_LONGEST = timedelta(minutes=1)
# What a person reads of a backtest; a terminal prints all of it.
ROWS = 20
# Where the result of a backtest goes in the page. A template has it, and nothing that it escapes.
_RESULT = "<!--result-->"


@dataclass(frozen=True, slots=True)
class Draft:
    """A text that somebody edits, and the hash of the version they began from."""

    text: str
    began: str
    since: str = USUAL


@dataclass(frozen=True, slots=True)
class Marked:
    """Something about a line of the text; ``line`` is 0 where it is about none, and ``text`` is what is there."""

    line: int
    message: str
    text: str


@router.get("/rules/edit")
def edit(asked: AskedNow) -> Response:
    """The rules as they are configured, with whatever is wrong with them."""
    document = _configured(asked)
    return _page(asked, Draft(document.text, document.hash))


@router.post("/rules/edit")
async def change(
    asked: AskedNow,
    do: Annotated[Literal["check", "try", "save"], Form()] = "check",
    text: Annotated[str, Form(max_length=LONGEST_TEXT)] = "",
    began: Annotated[str, Form()] = "",
    since: Annotated[str, Form()] = USUAL,
) -> Response:
    """Say what is wrong with a text, try it over the archive, or save it."""
    draft = Draft(text.replace("\r\n", "\n"), began, since.strip())
    if do == "try":
        return await _try(asked, draft)
    return await run_in_threadpool(_save if do == "save" else _page, asked, draft)


def _save(asked: Asked, draft: Draft) -> Response:
    keeper = asked.page.access.rules
    if keeper is None or asked.viewer is None or not asked.viewer.may_save_rules:
        raise HTTPException(403, asked.texts("rules.edit.may_not"))
    if check(draft.text).rules is None:
        return _page(asked, draft, status=422)
    if draft.text == _configured(asked).text:
        return _page(asked, draft, status=422, fault=asked.texts("rules.edit.same"))
    try:
        saved = keeper.save(draft.text, draft.began)
    except Superseded:
        return _page(replace(asked), draft, status=409)  # which reads the settings anew
    asked.database.record_change("rules", saved, asked.at, by=asked.by)
    return asked.go("/rules/changes", saved=saved.hash)


def _page(asked: Asked, draft: Draft, *, status: int = 200, **more: Any) -> Response:
    """The text, what is wrong with it, and how it differs from what is configured."""
    configured, checked = _configured(asked), check(draft.text)
    overtaken = draft.began != configured.hash
    return asked.render(
        "editor.html.j2",
        status=status,
        view="edit",
        # Who has read what came in between may save over it.
        draft=Draft(draft.text, configured.hash, draft.since),
        configured=configured,
        overtaken=overtaken,
        latest=_latest(asked, configured) if overtaken else None,
        faults=_marked(checked.faults, draft.text),
        doubts=_marked(checked.doubts, draft.text),
        lines=[*marked(difference(configured.text, draft.text))],
        most=LINES,
        named=NAMED,
        longest=LONGEST_TEXT,
        **{"fault": "", "tried": False, **more},
    )


def _configured(asked: Asked) -> Document:
    """The text as it is now; an empty one when there is none."""
    try:
        return asked.settings.document("rules")
    except ConfigurationError:
        return Document(str(asked.settings.rules_file), "")


def _latest(asked: Asked, configured: Document) -> ConfigurationChange | None:
    """The change that brought what is configured, if one is recorded."""
    found = asked.database.configuration_changes("rules", range(1))
    return next((each for each in found if each.hash == configured.hash), None)


def _marked(faults: tuple[Fault, ...], text: str) -> list[Marked]:
    lines = text.split("\n")
    return [
        Marked(each.line, each.message, lines[each.line - 1] if 0 < each.line <= len(lines) else "") for each in faults
    ]


async def _try(asked: Asked, draft: Draft) -> Response:
    """The page, sent as far as it is known while the archive is read."""
    after = (await run_in_threadpool(check, draft.text)).rules
    if after is None:
        return await run_in_threadpool(_page, asked, draft, status=422)
    try:
        interval = Interval(parse_when(draft.since or USUAL, asked.at), asked.at)
    except ValueError as error:
        return await run_in_threadpool(_page, asked, draft, status=422, fault=str(error))
    before = (await run_in_threadpool(lambda: read_written(asked.settings, asked.database))).rules
    if before is None:
        return await run_in_threadpool(_page, asked, draft, status=422, fault=asked.texts("rules.edit.no_before"))
    trial = Trial(asked.settings, before, after, interval)
    page = await run_in_threadpool(_page, asked, draft, tried=True)
    try:
        found = await asked.page.searches.begin(trial)
    except Busy:
        return await run_in_threadpool(_page, asked, draft, status=503, fault=asked.texts("search.busy"))
    del page.headers["content-length"]
    head, _, foot = bytes(page.body).decode().partition(_RESULT)
    # A proxy is not to wait for more before it passes on what there is.
    headers = {**page.headers, "x-accel-buffering": "no"}
    return StreamingResponse(_stream(asked, trial, found, head, foot), headers=headers)


async def _stream(asked: Asked, trial: Trial, found: Found, head: str, foot: str) -> AsyncIterator[str]:
    yield head
    async for part in _result(asked, trial, found):
        yield part
    yield foot


async def _result(asked: Asked, trial: Trial, found: Found) -> AsyncIterator[str]:
    """How far it is, and in the end what was found or why nothing was."""
    began = heard = time.monotonic()
    plan: Plan | None = None
    comparison: Comparison | None = None
    ended, fault, rows = "done", "", 0
    try:
        async with aclosing(found.values(TICK)) as values:
            async for value in values:
                now = time.monotonic()
                if value is not None or trial.rows != rows:
                    rows, heard = trial.rows, now
                if isinstance(value, Plan):
                    plan = value
                elif isinstance(value, Comparison):
                    comparison = value
                yield asked.text("trial_progress.html.j2", trial=trial, plan=plan)
                if now - heard > SILENCE.total_seconds() or now - began > _LONGEST.total_seconds():
                    ended = "silent" if now - heard > SILENCE.total_seconds() else "long"
                    break
    except FaultlineError as error:
        ended, fault = "failed", str(error)
    yield asked.text(
        "trial.html.j2",
        ended=ended,
        fault=fault,
        plan=plan,
        found=comparison,
        trial=trial,
        rows=ROWS,
        most=MOST,
        took=f"{time.monotonic() - began:.1f}",
    )
