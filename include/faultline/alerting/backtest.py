"""``Backtest``: a rules file over counts of the past, evaluated as the live sensor evaluates.

Pure, and streamed: counts are given bucket by bucket and forgotten once no window can reach them. The clock is the
event time: a bucket is seen when it is over, and nothing comes late.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from faultline.alerting.alerts import Evaluation
from faultline.alerting.evaluation import evaluate
from faultline.alerting.memory import Memory, lookback
from faultline.alerting.rulekinds import NewTermRule
from faultline.alerting.rules import Rules
from faultline.alerting.silences import Silence
from faultline.alerting.windows import floor
from faultline.model import ErrorCount, Interval


@dataclass(frozen=True, slots=True)
class Stretch:
    """Everything that was counted in an interval of event time."""

    interval: Interval
    counts: Sequence[ErrorCount]


class Backtest:
    """Evaluates once for each bucket. ``learn`` comes before the first evaluation."""

    def __init__(
        self, rules: Rules, *, bucket: timedelta, allowed_lateness: timedelta, silences: Sequence[Silence] = ()
    ) -> None:
        self.rules = rules
        self._memory = Memory.restore(rules, bucket, lateness=allowed_lateness)
        self._bucket, self._lateness, self._silences = bucket, allowed_lateness, silences

    @property
    def warm_up(self) -> timedelta:
        """How long before a time to begin to evaluate, so that what goes on at that time is known as that."""
        graph = self.rules.graph
        longest = (
            rule.reach + rule.for_ + rule.keep_firing_for + graph.memory(name) + self.rules.interval(name)
            for name, rule in self.rules.rules.items()
        )
        return self._lateness + 2 * self._bucket + max(longest, default=timedelta(0))

    @property
    def learning(self) -> timedelta:
        """How long before the first evaluation to begin to ``learn``."""
        terms = [rule.terms_window_size for rule in self.rules.rules.values() if isinstance(rule, NewTermRule)]
        return max(self._lateness + lookback(self.rules, self._bucket, self._lateness), *terms, timedelta(0))

    def learn(self, at: datetime, counts: Iterable[ErrorCount]) -> None:
        """Take in what was counted before ``at``: what windows look back to, which terms are known."""
        self._memory.learn(counts)
        self._memory.tallies.forget(at - 2 * self._lateness, self._bucket)

    def evaluate(self, at: datetime, counts: Iterable[ErrorCount]) -> Evaluation:
        """The evaluation at ``at``, with what was counted since the one before."""
        return evaluate(self._memory, counts, at=at, watermark=at - self._lateness, silences=self._silences)


def buckets(stretches: Iterable[Stretch], bucket: timedelta) -> Iterator[tuple[datetime, list[ErrorCount]]]:
    """The end of every bucket, with what was counted in it; a bucket that two stretches share comes once."""
    waiting: defaultdict[datetime, list[ErrorCount]] = defaultdict(list)
    end: datetime | None = None
    for stretch in stretches:
        end = end or floor(stretch.interval.start, bucket) + bucket
        for count in stretch.counts:
            waiting[count.bucket_start + bucket].append(count)
        while end <= stretch.interval.end:
            yield end, waiting.pop(end, [])
            end += bucket
    if end is not None and waiting:
        yield end, waiting.pop(end)
