"""What the demo decides: whether a stage has come true, what it says when one has not, how pages read."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from rich.console import Console

from dev.demo import Demo, Stage, median_and_p95
from dev.demo_board import Board, page_line
from dev.demo_watch import Seen
from dev.errors import DevError
from dev.pager import Page, Pager
from dev.ports import free_ports
from dev.stack import Stack

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
NOTHING = Seen(sent={}, archived={}, hours={}, counted=0)


def body(kind: str = "firing", name: str = "DbDown", **suppressed: int) -> dict[str, Any]:
    effects = [{"labels": {"alertname": effect}, "count": count} for effect, count in suppressed.items()]
    alert = {"labels": {"alertname": name}, "annotations": {"summary": "the database is away"}}
    return {"kind": kind, "alerts": [alert], "suppressed": effects}


class Looks:
    """A watcher that sees nothing."""

    def look(self) -> Seen:
        return NOTHING


@pytest.fixture
def pager() -> Pager:
    return Pager(free_ports(["webhook"])["webhook"])


@pytest.fixture
def demo(tmp_path: Path, pager: Pager) -> Demo:
    return Demo(Stack(tmp_path, free_ports()), Looks(), pager, Board(Console(quiet=True)))


def test_a_stage_that_does_not_come_true_is_named_with_its_log(demo: Demo, tmp_path: Path) -> None:
    (tmp_path / "scheduler.log").write_text("out of memory")
    stage = Stage("records are counted", lambda seen: False, 0, tmp_path / "scheduler.log")
    with pytest.raises(DevError, match=r"(?s)records are counted.*scheduler\.log.*out of memory"):
        demo._reach(stage)


@pytest.mark.parametrize(
    ("pages", "reached"),
    [
        ([], False),
        ([body()], False),
        ([body(PaymentErrors=3)], False),
        ([body(PaymentErrors=3, CheckoutFailed=2)], True),
        ([body(), body("update", PaymentErrors=3, CheckoutFailed=2)], True),
    ],
    ids=["nothing yet", "the page", "one effect", "both effects", "both in an update"],
)
def test_the_page_must_name_both_effects(demo: Demo, pager: Pager, pages: list[dict[str, Any]], reached: bool) -> None:
    pager.pages += [Page(NOON, "/ops", each) for each in pages]
    assert demo._paged(NOTHING) is reached


@pytest.mark.parametrize(
    "pages",
    [[body(name="CheckoutFailed")], [body(), body()], [body(), body("persists")]],
    ids=["effect", "two", "late"],
)
def test_any_other_page_fails_the_demo(demo: Demo, pager: Pager, pages: list[dict[str, Any]]) -> None:
    pager.pages += [Page(NOON, "/ops", each) for each in pages]
    with pytest.raises(DevError, match="exactly one page"):
        demo._paged(NOTHING)


def test_the_pager_takes_what_is_posted(pager: Pager) -> None:
    with pager:
        host, port = pager._server.server_address[:2]
        httpx.post(f"http://{host}:{port}/ops", json=body(PaymentErrors=1_200)).raise_for_status()
    [page] = pager.to("/ops")
    assert page_line(page).endswith("the database is away\n    and because of it PaymentErrors, 1,200 records")


def test_the_95th_percentile_is_the_nearest_rank() -> None:
    assert median_and_p95([float(number) for number in range(1, 21)]) == (10.5, 19.0)
