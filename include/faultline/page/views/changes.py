"""What was configured, when, from where and by whom, and what was different then."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter, Query, Response

from faultline.page.asked import AskedNow
from faultline.settings import Kind

router = APIRouter()

KINDS: tuple[Kind | str, ...] = ("rules", "topics", "settings")
ROWS = 10
# Of a longer difference the beginning is shown.
LINES = 400


@router.get("/rules/changes")
def changes(
    asked: AskedNow,
    kind: str = "rules",
    saved: str = "",
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
) -> Response:
    """The versions of the rules, the topics or the settings, newest first; ``saved`` is the hash of a new one."""
    kind = kind if kind in KINDS else "rules"
    found = asked.database.configuration_changes(kind, range((page - 1) * ROWS, page * ROWS + 1))
    return asked.render(
        "changes.html.j2",
        view="changes",
        kinds=KINDS,
        changes=[(each, [*marked(each.diff)]) for each in found[:ROWS]],
        following=len(found) > ROWS,
        most=LINES,
        query={"kind": kind},
        saved=saved,
        page=page,
    )


def marked(diff: str) -> Iterator[tuple[str, str]]:
    """The lines of a difference, without its head, and whether each is new (``ins``), gone (``del``) or neither."""
    kinds = {"+": "ins", "-": "del", "@": "at"}
    for line in diff.split("\n")[2:]:
        yield kinds.get(line[:1], ""), line
