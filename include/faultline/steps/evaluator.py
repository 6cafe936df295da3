"""What the alerting task remembers between evaluations: read once, then only what is new.

Whatever goes wrong while an evaluation is recorded, and when the clock is set back, the memory is made again from the
database.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from faultline.adapters.database import BatchMark, Counted, Database
from faultline.alerting.alerts import Evaluation
from faultline.alerting.evaluation import evaluate
from faultline.alerting.memory import Memory, lookback
from faultline.alerting.rulekinds import NewTermRule
from faultline.alerting.rules import Rules
from faultline.model import ErrorCount, TopicPartition
from faultline.settings import Settings
from faultline.topicfile import TopicsFile


@dataclass
class Evaluator:
    """Decides from what the database holds; ``name`` is that of the lease whose evaluations it goes on from, ``mark``
    says which counts the last one knew.
    """

    settings: Settings
    database: Database
    name: str
    mark: BatchMark = field(default_factory=BatchMark)
    _memory: Memory | None = None
    _topics: tuple[str, ...] = ()
    _at: datetime | None = None

    def decide(self, rules: Rules, topics_file: TopicsFile, *, at: datetime) -> Evaluation:
        """One evaluation, not yet recorded; ``forget`` it when it could not be."""
        topics = tuple(topic.name for topic in topics_file.topics if topic.count)
        # The watermark first: it must not be ahead of the counts.
        counted = current_partitions(self.database.counted(), topics)
        watermark = self.database.watermark(counted, self.settings.allowed_lateness)
        set_back = self._at is not None and at < self._at - self.settings.count_bucket
        memory = None if set_back else self._memory
        self._memory, self._at = None, at
        if memory is None or memory.rules.hash != rules.hash or topics != self._topics:
            memory, new = self._restored(rules, topics, at, watermark)
            self._topics = topics
        else:
            new, self.mark = self.database.new_counts(topics, self.mark)
        silences, acks = self.database.interventions(at)
        delivered = self.database.deliveries(memory.awaited, at)
        evaluation = evaluate(
            memory, new, at=at, watermark=watermark, silences=silences, acks=acks, delivered=delivered
        )
        self._memory = memory
        return evaluation

    def forget(self) -> None:
        """Read everything again before the next evaluation."""
        self._memory = None

    def _restored(
        self, rules: Rules, topics: Collection[str], at: datetime, watermark: datetime | None
    ) -> tuple[Memory, list[ErrorCount]]:
        """The memory of the last evaluation that was recorded, and what is counted since."""
        last, lateness = self.database.evaluated(self.name), self.settings.allowed_lateness
        # If the clock was ahead: what has not happened yet is not final.
        since = min(last.watermark, at - lateness) if last and last.watermark else None
        earliest = min(time for time in (at, watermark, since) if time is not None)
        seen_from = earliest - lookback(rules, self.settings.count_bucket, lateness)
        watched = self.database.watched_rules()
        learners = [rule for rule in rules.rules.values() if isinstance(rule, NewTermRule)]
        unlearnt = [rule.terms_window_size for rule in learners if rule.alert not in watched]
        start = min([seen_from, *(at - size for size in unlearnt)])
        self.mark = self.database.batch_mark()
        known = last.mark if last and last.mark else self.mark
        memory = Memory.restore(
            rules,
            self.settings.count_bucket,
            alerts=self.database.alerts(over_since=seen_from),
            at=last.at if last else None,
            since=since,
            watched=watched,
            terms=self.database.terms([rule.alert for rule in learners]),
            counts=self.database.counts_between(topics, start, None, known),
            cold_until=at + lateness + self.settings.count_bucket if last is None else None,
            lateness=lateness,
        )
        return memory, self.database.counts_between(topics, start, None, self.mark, after=known)


def current_partitions(counted: Sequence[Counted], topics: Collection[str]) -> list[TopicPartition]:
    """The partitions whose counts close buckets: of each topic the generation counted last.

    A topic that was deleted and created again leaves positions behind that never move.
    """
    newest: dict[str, Counted] = {}
    for each in counted:
        best = newest.get(each.partition.topic)
        if best is None or _seen(each) > _seen(best):
            newest[each.partition.topic] = each
    return [
        each.partition
        for each in counted
        if each.partition.topic in topics and each.partition.topic_id == newest[each.partition.topic].partition.topic_id
    ]


def _seen(counted: Counted) -> float:
    return counted.complete_to.timestamp() if counted.complete_to else float("-inf")
