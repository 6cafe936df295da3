"""Two logs of alerts in, what changes out: a table of cases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from faultline.alerting.alertlog import AlertLog, Episode
from faultline.alerting.alerts import MuteReason
from faultline.alerting.comparison import Comparison, Figures, Page, RuleChange, Suppressed, compare
from faultline.alerting.rules import Rules
from faultline.model import AlertKey, Interval, Labels
from tests.alerting.stage import START, chain, second, write_rules

FLAT = write_rules("A", "B")
CHAINED = write_rules("A", "B", chains=[chain("A", "B")])
DEEP = write_rules("A", "B", "C", chains=[chain("A", "B", "C")])
FIRST = write_rules("A")


def episode(rule: str, start: int, end: int | None = None, **what: object) -> Episode:
    """An episode that paged once when it started, 10 s after its first record."""
    key = AlertKey(rule, Labels(environment="prod"))
    begun = second(start)
    return replace(
        Episode(key, f"{rule}-{start}", begun, None if end is None else second(end), 5, 1, begun, True), **what
    )


def kept_back(rule: str, start: int, end: int | None, *causes: Episode) -> Episode:
    """One that nobody was told of because of its causes."""
    by = {cause.name: cause.alert for cause in causes}
    quiet = {"pages": 0, "paged_at": None, "told": False}
    return episode(rule, start, end, **quiet, causes=by, muted=MuteReason.CHAIN)


def log(rules: Rules, *episodes: Episode) -> AlertLog:
    period = Interval(START, START + timedelta(hours=1))
    return AlertLog(rules, period, {each.name: each for each in episodes})


A, B = episode("A", 0, 100), episode("B", 20, 90)
SILENCED = {"pages": 0, "paged_at": None, "told": False, "muted": MuteReason.SILENCE}


@dataclass(frozen=True)
class Case:
    name: str
    before: AlertLog
    after: AlertLog
    pages: Sequence[tuple[str, int | None, int | None]] = ()
    suppressed: Sequence[Suppressed] = ()
    unexplained: Sequence[str] = ()
    new: Sequence[str] = ()
    gone: Sequence[str] = ()


CASES = [
    Case("nothing happened", log(FLAT), log(FLAT), pages=[("A", 0, 0), ("B", 0, 0)]),
    Case("the same rules", log(FLAT, A, B), log(FLAT, A, B), pages=[("A", 1, 1), ("B", 1, 1)]),
    Case(
        "a chain keeps an effect back",
        log(FLAT, A, B),
        log(CHAINED, A, kept_back("B", 20, 90, A)),
        pages=[("A", 1, 1), ("B", 1, 0)],
        suppressed=[Suppressed("A", "B", 0, 1)],
        gone=['B: after: suppressed by A{environment="prod"}'],
    ),
    Case(
        "a chain is taken away",
        log(CHAINED, A, kept_back("B", 20, 90, A)),
        log(FLAT, A, B),
        pages=[("A", 1, 1), ("B", 0, 1)],
        suppressed=[Suppressed("A", "B", 1, 0)],
        new=['B: before: suppressed by A{environment="prod"}'],
    ),
    Case(
        "a lower threshold",
        log(FLAT),
        log(FLAT, A),
        pages=[("A", 0, 1), ("B", 0, 0)],
        new=["A: before: not over its threshold"],
    ),
    Case(
        "a threshold that is crossed later is the same alert",
        log(FLAT, A),
        log(FLAT, episode("A", 50, 80)),
        pages=[("A", 1, 1), ("B", 0, 0)],
    ),
    Case(
        "two alerts that become one are no alert less",
        log(FLAT, episode("A", 0, 40), episode("A", 60, 90)),
        log(FLAT, A),
        pages=[("A", 2, 1), ("B", 0, 0)],
    ),
    Case(
        "one that goes on at the end of the period overlaps what began in it",
        log(FLAT, episode("A", 0)),
        log(FLAT, episode("A", 500)),
        pages=[("A", 1, 1), ("B", 0, 0)],
    ),
    Case(
        "the same rule at another time is another alert",
        log(FLAT, A),
        log(FLAT, episode("A", 200, 300)),
        pages=[("A", 1, 1), ("B", 0, 0)],
        new=["A: before: not over its threshold"],
        gone=["A: after: not over its threshold"],
    ),
    Case(
        "other labels are another alert",
        log(FIRST, A),
        log(FIRST, replace(A, alert=AlertKey("A", Labels(host="h1")))),
        pages=[("A", 1, 1)],
        new=["A: before: not over its threshold"],
        gone=["A: after: not over its threshold"],
    ),
    Case(
        "a rule that is new, and one that is not there any more",
        log(write_rules("A"), A),
        log(write_rules("B"), B),
        pages=[("B", None, 1), ("A", 1, None)],
        new=["B: before: no such rule"],
        gone=["A: after: no such rule"],
    ),
    Case(
        "a silence of the file",
        log(FLAT, A),
        log(FLAT, episode("A", 0, 100, **SILENCED)),
        pages=[("A", 1, 0), ("B", 0, 0)],
        gone=["A: after: kept back: silence"],
    ),
    Case(
        "told before the period began, so not new in it",
        log(FLAT, episode("A", 0, 100, pages=0, paged_at=None)),
        log(FLAT, A),
        pages=[("A", 0, 1), ("B", 0, 0)],
    ),
    Case(
        "an effect pages alone",
        log(CHAINED, B),
        log(CHAINED, B),
        pages=[("A", 0, 0), ("B", 1, 1)],
        unexplained=["B: no alert of A explains it"],
    ),
    Case(
        "an effect pages after its cause",
        log(CHAINED, A, episode("B", 20, 400, causes={A.name: A.alert}, muted=MuteReason.CHAIN)),
        log(CHAINED, A, episode("B", 20, 400, causes={A.name: A.alert}, muted=MuteReason.CHAIN)),
        pages=[("A", 1, 1), ("B", 1, 1)],
        suppressed=[Suppressed("A", "B", 1, 1)],
    ),
    Case(
        "an effect pages and its cause was silenced",
        log(CHAINED),
        log(CHAINED, episode("A", 0, 100, **SILENCED), episode("B", 20, 90, causes={A.name: A.alert})),
        pages=[("A", 0, 0), ("B", 0, 1)],
        unexplained=['B: nobody was told of its cause A{environment="prod"}'],
        new=["B: before: not over its threshold"],
    ),
    Case(
        "every effect is put down to its root",
        log(DEEP),
        log(DEEP, A, kept_back("B", 20, 90, A), kept_back("C", 30, 90, A, B), kept_back("C", 500, 600, A)),
        pages=[("A", 0, 1), ("B", 0, 0), ("C", 0, 0)],
        suppressed=[Suppressed("A", "B", 0, 1), Suppressed("A", "C", 0, 2)],
        new=["A: before: not over its threshold"],
    ),
]


def said(pages: Sequence[Page]) -> list[str]:
    return [f"{page.alert.rule}: {page.note}" for page in pages]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_changes(case: Case) -> None:
    found = compare(case.before, case.after)
    pages = [(row.rule, row.before and row.before.pages, row.after and row.after.pages) for row in found.rules]
    assert pages == list(case.pages)
    assert list(found.suppressed) == list(case.suppressed)
    assert said(found.unexplained) == list(case.unexplained)
    assert said(found.new) == list(case.new)
    assert said(found.gone) == list(case.gone)


def test_figures_of_a_rule_are_its_pages_its_alerts_and_those_kept_back() -> None:
    after = log(CHAINED, A, kept_back("B", 20, 90, A), episode("B", 500, 600, pages=3))
    found = compare(log(FIRST, A), after)
    assert found.rules == (
        RuleChange("A", Figures(1, 1, 0), Figures(1, 1, 0)),
        RuleChange("B", None, Figures(3, 2, 1)),
    )


def test_lists_are_in_the_order_of_time() -> None:
    found: Comparison = compare(log(FLAT), log(FLAT, episode("B", 300, 310), episode("A", 100, 110), A))
    assert [page.at for page in found.new] == [second(0), second(100), second(300)]
