"""The SQL database: what is counted, what alerts are doing, what was sent. SQLite (a file) or PostgreSQL.

Each method is one transaction: all of it happens or nothing. Two writers of the same thing cannot both win: counts are
fenced by the stored next offset, evaluations by a lease's token, sending by loans; who loses gets Superseded and has
written nothing. Connection faults and locks come out as TransientError.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from types import TracebackType
from typing import Self

from faultline.adapters.database import (
    changes,
    counting,
    digesting,
    evaluating,
    glance,
    history,
    interventions,
    outbox,
    past,
    recounting,
    rulebook,
    sending,
    status,
    trends,
)
from faultline.adapters.database.changes import ConfigurationChange
from faultline.adapters.database.connect import open_engine, reading, snapshot, writing
from faultline.adapters.database.counting import BatchMark
from faultline.adapters.database.evaluating import Evaluated, Lease
from faultline.adapters.database.glance import Kept, Message, Outline
from faultline.adapters.database.past import Ledger, Sending
from faultline.adapters.database.recounting import LiveCounts
from faultline.adapters.database.rulebook import RuleVersion
from faultline.adapters.database.schema import migrate
from faultline.adapters.database.status import Counted
from faultline.adapters.database.trends import Seen, Sum
from faultline.alerting.alerts import Alert, Evaluation, Term
from faultline.alerting.contexts import LabelSum
from faultline.alerting.silences import Silence, StoredSilence
from faultline.digest import Uncounted
from faultline.dispatch.delivery import Leased, OutboxState, Outcome, Sent, Telling
from faultline.dispatch.digest import Facts
from faultline.dispatch.story import History
from faultline.errors import Fault
from faultline.model import (
    Ack,
    AlertState,
    ErrorCount,
    FloodCount,
    Interval,
    Labels,
    LateCount,
    Notification,
    OffsetRange,
    TopicPartition,
)
from faultline.yaml_files import Document

__all__ = [
    "BatchMark",
    "ConfigurationChange",
    "Counted",
    "Database",
    "Evaluated",
    "Kept",
    "Lease",
    "Ledger",
    "LiveCounts",
    "Message",
    "Outline",
    "RuleVersion",
    "Seen",
    "Sending",
    "Sum",
]


def ignore(_step: str) -> None:
    """The checkpoint of real life: nothing happens between two steps."""


class Database:
    """One database, safe to share between threads. ``checkpoint`` is called with a name between any two writes."""

    def __init__(
        self,
        url: str,
        *,
        lock_wait: timedelta = timedelta(seconds=10),
        checkpoint: Callable[[str], None] = ignore,
    ) -> None:
        self._engine = open_engine(url, lock_wait)
        self._checkpoint = checkpoint

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    def migrate(self) -> None:
        """Create or upgrade the tables; safe when several processes do so at once."""
        migrate(self._engine)

    # Counting.

    def positions(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int | None]:
        """The next offset to count of each partition; None where counting has not begun."""
        with reading(self._engine) as connection:
            return counting.next_offsets(connection, partitions)

    def record_counts(
        self,
        ranges: Sequence[OffsetRange],
        counts: Sequence[ErrorCount],
        complete_to: Mapping[TopicPartition, datetime] | None = None,
        late: Sequence[LateCount] = (),
        floods: Sequence[FloodCount] = (),
        at: datetime | None = None,
    ) -> None:
        """Add the counts of these offset ranges and advance the positions over them, once and for all.

        Each range must start at its partition's stored next offset (anywhere, when none is stored yet), otherwise
        Superseded. ``complete_to`` moves a partition's event-time mark, which never goes back; a partition that is
        idle passes an empty range with it. ``late`` are records of the ranges that came too late to be counted,
        ``floods`` what summaries in them say was kept back. A mark after ``at`` was set by a clock that was ahead, and
        does go back.
        """
        with writing(self._engine) as connection:
            counting.record_counts(connection, ranges, counts, complete_to or {}, late, floods, at, self._checkpoint)
        self._checkpoint("counts:committed")

    def watermark(self, partitions: Collection[TopicPartition], allowed_lateness: timedelta) -> datetime | None:
        """The event time before which every bucket is closed; None while nothing is known of some partition."""
        with reading(self._engine) as connection:
            times = counting.complete_times(connection, partitions).values()
        known = [time for time in times if time is not None]
        return min(known) - allowed_lateness if known and len(known) == len(times) else None

    def counts_between(
        self,
        topics: Collection[str],
        start: datetime,
        end: datetime | None,
        mark: BatchMark | None = None,
        after: BatchMark | None = None,
    ) -> list[ErrorCount]:
        """Counts of the buckets that start in ``[start, end)``, None for no end, summed over everything recorded until
        the mark; with ``after`` only what was recorded since that one.
        """
        with reading(self._engine) as connection:
            return counting.counts_between(connection, topics, start, end, mark, after)

    def batch_mark(self) -> BatchMark:
        """What is recorded now, to be told from what comes later."""
        with reading(self._engine) as connection:
            return counting.batch_mark(connection)

    def new_counts(self, topics: Collection[str], mark: BatchMark) -> tuple[list[ErrorCount], BatchMark]:
        """Counts recorded since the mark, not summed, and the mark after them."""
        with reading(self._engine) as connection:
            return counting.new_counts(connection, topics, mark)

    def live_counts(self, topics: Collection[str], start: datetime, end: datetime) -> LiveCounts:
        """The counts of the buckets that start in ``[start, end)``, and which offsets they are made of: one moment."""
        with snapshot(self._engine) as connection:
            return recounting.live_counts(connection, topics, start, end)

    def prune(self, before: datetime) -> int:
        """Forget counts of buckets that start before ``before``; how many rows that were."""
        with writing(self._engine) as connection:
            return counting.prune_counts(connection, before)

    # Evaluating.

    def acquire_lease(self, name: str, holder: str) -> Lease:
        """Take the lease, from whoever has it; everyone who held it before is superseded."""
        with writing(self._engine) as connection:
            return evaluating.acquire_lease(connection, name, holder)

    def record_evaluation(
        self,
        lease: Lease,
        evaluation: Evaluation,
        targets: Mapping[str, Sequence[str]] | None = None,
        mark: BatchMark | None = None,
        no_ends: Collection[str] = (),
    ) -> None:
        """Write episodes, transitions, the ledger and the outbox, and strike off the acknowledgements that were heard;
        Superseded when the lease was taken over.

        ``targets`` names the channels of each receiver (``dispatch.receivers.targets_of``): each gets a row in the
        outbox of its own. A receiver it does not name is one target of the same name. ``mark`` says which counts it
        knew, so that a successor tells those from what is new. Targets in ``no_ends`` are told of no end.
        """
        with writing(self._engine) as connection:
            evaluating.record_evaluation(connection, lease, evaluation, targets or {}, mark, self._checkpoint, no_ends)
        self._checkpoint("evaluation:committed")

    def evaluated(self, name: str) -> Evaluated | None:
        """How far the last evaluation under this lease's name got; None before the first."""
        with reading(self._engine) as connection:
            return evaluating.evaluated(connection, name)

    def alerts(self, *, over_since: datetime | None = None) -> list[Alert]:
        """Exactly the alerts that the last recorded evaluation remembered, by episode; with ``over_since`` also those
        that were resolved since.
        """
        with reading(self._engine) as connection:
            return evaluating.live_alerts(connection, over_since)

    def watched_rules(self) -> dict[str, datetime]:
        """Since when each rule is evaluated."""
        with reading(self._engine) as connection:
            return evaluating.watched(connection)

    def terms(self, rules: Collection[str]) -> list[Term]:
        """What new_term rules of these names have seen."""
        with reading(self._engine) as connection:
            return evaluating.known_terms(connection, rules)

    # What people say.

    def add_silence(self, silence: Silence) -> int:
        """Put a silence into force from the next evaluation on; the number by which it is ended."""
        with writing(self._engine) as connection:
            return interventions.add_silence(connection, silence)

    def silences(self, after: datetime | None = None) -> list[StoredSilence]:
        """The silences that end after that time, or all there ever were, in the order in which they were set."""
        with reading(self._engine) as connection:
            return interventions.stored_silences(connection, after)

    def expire_silences(self, ids: Sequence[int], at: datetime) -> list[int]:
        """End silences now, also those that have not begun; the numbers of those that were not over before.

        PermanentError, and none is ended, when there is no silence of one of the numbers.
        """
        with writing(self._engine) as connection:
            return interventions.expire_silences(connection, ids, at)

    def add_ack(self, ack: Ack) -> bool:
        """Have the next evaluation hear that somebody takes an episode on; False when one waits to be heard already."""
        with writing(self._engine) as connection:
            return interventions.add_ack(connection, ack)

    def interventions(self, at: datetime) -> tuple[list[Silence], list[Ack]]:
        """What an evaluation at that time has to heed: the silences that are not over, and acknowledgements that no
        recorded evaluation has heard.
        """
        with reading(self._engine) as connection:
            stored = interventions.stored_silences(connection, at)
            return [each.numbered for each in stored], interventions.waiting_acks(connection)

    # Rule files.

    def record_rules(self, file: str, text: str, hash: str, faults: Sequence[Fault], at: datetime) -> None:
        """Put a faultless text in force; of a faulty one keep only the faults."""
        with writing(self._engine) as connection:
            rulebook.record_rules(connection, file, text, hash, faults, at)

    def last_good_rules(self, file: str) -> RuleVersion | None:
        """The version of the file that is in force; None when there never was one without a fault."""
        with reading(self._engine) as connection:
            return rulebook.last_good_rules(connection, file)

    def rules_version(self, hash: str) -> RuleVersion | None:
        """A version that was in force once; None when it is not known."""
        with reading(self._engine) as connection:
            return rulebook.rules_version(connection, hash)

    def record_change(
        self, kind: str, document: Document, at: datetime, *, hash: str | None = None, by: str | None = None
    ) -> bool:
        """Remember a version that is in force from now on, and who brought it; False when it was in force already.

        A text with its credentials masked comes with the ``hash`` of the whole one.
        """
        with writing(self._engine) as connection:
            return changes.record_change(connection, kind, document, hash or document.hash, at, by)

    def configuration_changes(self, kind: str, page: range = range(20)) -> list[ConfigurationChange]:
        """The changes of the rules, the topics or the settings, newest first; the page says which of them."""
        with reading(self._engine) as connection:
            return changes.configuration_changes_of(connection, kind, page)

    def rule_faults(self) -> list[Fault]:
        """What is wrong with the rule files as they are now."""
        with reading(self._engine) as connection:
            return rulebook.current_faults(connection)

    # The outbox.

    def enqueue(self, notification: Notification, targets: Sequence[str]) -> None:
        """Put a notification that no evaluation made into the outbox; nothing when it was there before."""
        with writing(self._engine) as connection:
            outbox.enqueue(connection, notification, targets)

    def lease_due(self, at: datetime, lease_for: timedelta, limit: int) -> list[Leased]:
        """Lend out up to ``limit`` due notifications until ``at + lease_for``; after that they are due again.

        Nothing is lent of a target that someone else has loans of.
        """
        with writing(self._engine) as connection:
            leased = outbox.lease_due(connection, at, lease_for, limit)
        self._checkpoint("outbox:leased")
        return leased

    def record_delivery(self, leased: Leased, outcome: Outcome, at: datetime, tell: Telling | None = None) -> bool:
        """Note what became of an attempt; False when the loan had run out and someone else has it.

        ``tell`` is what others are to be told of it, in the same transaction.
        """
        with writing(self._engine) as connection:
            recorded = outbox.record_delivery(connection, leased, outcome, at)
            if recorded and tell and not outbox.is_known(connection, tell.notification):
                outbox.enqueue(connection, tell.notification, tell.targets)
        self._checkpoint("outbox:recorded")
        return recorded

    def give_back(self, unsent: Sequence[Leased], at: datetime) -> None:
        """Return loans that were not used: due again at ``at``, and no attempt is counted."""
        with writing(self._engine) as connection:
            outbox.give_back(connection, unsent, at)

    def fold_waiting(self, target: str, above: int, unsent: Sequence[Leased], at: datetime, due_at: datetime) -> bool:
        """Make one message, due at ``due_at``, of those that wait for the target, when they are more than ``above``.

        The loans of what is not are given back until then.
        """
        with writing(self._engine) as connection:
            folded = outbox.fold_waiting(connection, target, above, unsent, at, due_at, self._checkpoint)
            outbox.give_back(connection, unsent, due_at)
        self._checkpoint("outbox:folded")
        return folded

    def take_turn(self, target: str, per_minute: int, at: datetime) -> datetime:
        """``at`` when the target may be sent something now, which is noted; otherwise when it may be."""
        with writing(self._engine) as connection:
            turn = sending.take_turn(connection, target, per_minute, at)
        self._checkpoint("outbox:turn")
        return turn

    def deliveries(self, keys: Collection[str], at: datetime) -> dict[str, datetime]:
        """When each of the messages was first delivered to a target, or given up for all of them.

        Left out while it is on its way. What is sent to no target at all counts as delivered at ``at``.
        """
        if not keys:
            return {}
        with reading(self._engine) as connection:
            return outbox.deliveries(connection, keys, at)

    def requeue_dead(self, at: datetime, keys: Sequence[str] = (), target: str | None = None) -> int:
        """Make dead notifications due again, those of ``keys`` (all when empty) and of the target; how many."""
        with writing(self._engine) as connection:
            return outbox.requeue_dead(connection, at, keys, target)

    # At a glance.

    def live_outlines(self, limit: int) -> list[Outline]:
        """What the last recorded evaluation remembered, also what has ended; the newest where there are more."""
        with reading(self._engine) as connection:
            return glance.live_outlines(connection, limit)

    def live_of(self, rules: Collection[str], limit: int) -> list[Outline]:
        """Of that the alerts of these rules."""
        with reading(self._engine) as connection:
            return glance.live_of(connection, rules, limit)

    def live_states(self) -> dict[str, dict[AlertState, int]]:
        """How many of the alerts that the last evaluation remembered are in each state, by their rule."""
        with reading(self._engine) as connection:
            return glance.live_states(connection)

    def outlines_since(self, since: datetime, limit: int) -> list[Outline]:
        """Episodes that began since then or are remembered, newest first."""
        with reading(self._engine) as connection:
            return glance.outlines_since(connection, since, limit)

    def alerts_of(self, episodes: Collection[str]) -> dict[str, Alert]:
        """The whole of these episodes, as many of them as there are."""
        with reading(self._engine) as connection:
            return glance.alerts_of(connection, episodes)

    def messages_of(self, episodes: Collection[str], limit: int) -> list[Message]:
        """The latest messages about these episodes, newest first, without their texts."""
        with reading(self._engine) as connection:
            return glance.messages_of(connection, episodes, limit)

    def last_notifications(self, episodes: Collection[str]) -> dict[str, Notification]:
        """The latest message about each of these episodes, to whomever."""
        with reading(self._engine) as connection:
            return glance.last_notifications(connection, episodes)

    def silenced_since(self, since: datetime, limit: int) -> list[Kept]:
        """What was silenced since then, or still is: the latest of it, newest first."""
        with reading(self._engine) as connection:
            return glance.silenced_since(connection, since, limit)

    def counted(self) -> list[Counted]:
        """How far every partition is counted."""
        with reading(self._engine) as connection:
            return status.counted(connection)

    def totals(self, interval: Interval | None = None) -> dict[str, int]:
        """Records in the stored counts of each topic, of the interval if there is one."""
        with reading(self._engine) as connection:
            return status.totals(connection, interval)

    def late_dropped(self) -> list[LateCount]:
        """What came too late to be counted, newest hour first."""
        with reading(self._engine) as connection:
            return status.late_counts(connection)

    def outbox_summary(self) -> dict[OutboxState, int]:
        """Outbox rows per state."""
        with reading(self._engine) as connection:
            return status.outbox_summary(connection)

    def waiting_since(self) -> datetime | None:
        """When the oldest of the messages was made that are to be sent still; None when none is."""
        with reading(self._engine) as connection:
            return status.waiting_since(connection)

    def recent_notifications(
        self, limit: int = 20, states: Collection[OutboxState] = (), target: str | None = None
    ) -> list[Sent]:
        """The latest rows of the outbox, newest first; of these states and this target only, where given."""
        with reading(self._engine) as connection:
            return status.recent_notifications(connection, limit, states, target)

    # Trends of counts.

    def known_labels(self, limit: int) -> dict[str, Labels]:
        """The label sets there ever were, by id; at most ``limit``."""
        with reading(self._engine) as connection:
            return trends.known_labels(connection, limit)

    def reach(self, interval: Interval, most: int) -> Interval:
        """The newest part of the interval with about ``most`` rows of counts; all of it where it has no more."""
        with reading(self._engine) as connection:
            return trends.reach(connection, interval, most)

    def sums(
        self,
        interval: Interval,
        width: timedelta,
        sets: Collection[str] | None = None,
        *,
        fingerprint: str = "",
        apart: Collection[str] | bool = False,
    ) -> list[Sum]:
        """Records per step of ``width`` and label set; ``apart`` tells all fingerprints apart, or these."""
        with reading(self._engine) as connection:
            return trends.sums(connection, interval, width, sets, fingerprint=fingerprint, apart=apart)

    def seen(
        self, interval: Interval, sets: Collection[str] | None = None, limit: int = 20, *, fingerprint: str = ""
    ) -> tuple[list[Seen], list[Seen]]:
        """The most frequent fingerprints of the interval, and those that no count before it has, latest first."""
        with reading(self._engine) as connection:
            return trends.seen(connection, interval, sets, limit, fingerprint=fingerprint)

    # What was.

    def rules_with_alerts(self) -> list[str]:
        """The names of every rule that ever had an episode."""
        with reading(self._engine) as connection:
            return history.rules_with_alerts(connection)

    def episodes(
        self, rule: str, labels: Mapping[str, str], at: datetime | None = None, limit: int = 20
    ) -> list[Alert]:
        """Episodes of alerts of the rule that have these labels, newest first; with ``at`` those that ran then."""
        with reading(self._engine) as connection:
            return history.episodes(connection, rule, labels, at, limit)

    def episodes_by_id(self, start: str, limit: int = 20) -> list[Alert]:
        """Episodes whose id starts so, newest first."""
        with reading(self._engine) as connection:
            return history.episodes_by_id(connection, start, limit)

    def outlines_between(self, span: Interval, limit: int) -> list[Outline]:
        """Episodes that went on in the span, newest first."""
        with reading(self._engine) as connection:
            return past.outlines_between(connection, span, limit)

    def ledger_between(self, span: Interval, text: str, rule: str, page: range) -> list[Ledger]:
        """What was kept back in the span, newest first: of this rule and with this in its labels, where given."""
        with reading(self._engine) as connection:
            return past.ledger_between(connection, span, text, rule, page)

    def messages_between(
        self, span: Interval, text: str, rule: str, states: Collection[OutboxState], page: range
    ) -> list[Sending]:
        """Messages made in the span, newest first: of these states, of this rule and with this text, where given."""
        with reading(self._engine) as connection:
            return past.messages_between(connection, span, text, rule, states, page)

    def history(self, alert: Alert) -> History:
        """Everything recorded of the episode but its counts."""
        with reading(self._engine) as connection:
            return history.history(connection, alert)

    # For the digest.

    def digest_facts(self, interval: Interval) -> Facts:
        """What there is to know of an interval: errors, the ledger, messages that were given up."""
        with reading(self._engine) as connection:
            return digesting.facts(connection, interval)

    def uncounted(self, interval: Interval) -> list[Uncounted]:
        """Records of the interval that are not in the counts as they should be, by topic."""
        with reading(self._engine) as connection:
            return digesting.uncounted(connection, interval)

    def digest_samples(self, interval: Interval, kinds: Collection[tuple[str, str]]) -> dict[tuple[str, str], str]:
        """The text of the earliest record of each (topic, fingerprint) in the interval."""
        with reading(self._engine) as connection:
            return digesting.samples(connection, interval, kinds)

    # For the context of pages.

    def label_sums(self, interval: Interval) -> list[LabelSum]:
        """The counts of the interval, summed by labels and fingerprint."""
        with reading(self._engine) as connection:
            return counting.label_sums(connection, interval)

    def counts_reach_back_to(self, at: datetime) -> bool:
        """Whether there are counts of that time, or earlier ones."""
        with reading(self._engine) as connection:
            return counting.reach_back_to(connection, at)
