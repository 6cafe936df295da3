"""A backtest for the page: rules over the last hours of the archive beside those in force, bounded in rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from faultline.alerting.comparison import compare
from faultline.alerting.rules import Rules
from faultline.archive.search.scan import SearchStopped
from faultline.model import Interval
from faultline.settings import Settings
from faultline.steps.backtest import Plan, plan_backtest, run_backtest

# Rows of the archive that are read for a page; a terminal has no such limit.
MOST = 5_000_000
_SHORTEST = timedelta(minutes=10)


@dataclass
class Trial:
    """What other rules would have done, as ``faultline backtest`` finds it: first the Plan, in the end a Comparison.

    Of an interval with too many records the newest ``part`` is tried. ``rows`` are those that have been read.
    """

    settings: Settings
    before: Rules
    after: Rules
    interval: Interval
    most: int = MOST
    rows: int = 0
    part: bool = False
    _stopped: bool = False

    def run(self) -> Iterator[object]:
        """Plan it, and do it."""
        both = (self.before, self.after)
        plan = self._plan()
        yield plan
        yield compare(*run_backtest(self.settings, both, plan, progress=self._step))

    def stop(self) -> None:
        """Have it end before it reads on."""
        self._stopped = True

    def _plan(self) -> Plan:
        both = (self.before, self.after)
        plan = plan_backtest(self.settings, both, self.interval)
        while plan.evaluated.rows > self.most and (length := plan.period.end - plan.period.start) > _SHORTEST:
            self.part = True
            end, share = plan.period.end, self.most / plan.evaluated.rows
            plan = plan_backtest(self.settings, both, Interval(end - max(length * share, _SHORTEST), end))
        return plan

    def _step(self, hour: datetime, rows: int) -> None:
        self.rows += rows
        if self._stopped:
            raise SearchStopped
