"""How counts change an episode: where it begins, how many records it has, since when it is below its threshold."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from faultline.alerting.alerts import Alert, Sample, replace
from faultline.alerting.rulekinds import BaseRule, NewTermRule
from faultline.alerting.tallies import Cell, Kind, Tally, add_kind
from faultline.alerting.windows import Activity, Horizon, ever_over, window_width
from faultline.model import AlertKey, AlertState, ErrorCount, Labels

SAMPLES = 3


def begin(key: AlertKey, rule: BaseRule, activity: Activity, bucket: timedelta) -> Alert | None:
    """A new episode where the activity has one. It starts with the bucket in which the threshold was crossed."""
    crossed = activity.run_from if rule.for_ else activity.first_over
    if crossed is None:
        return None
    return Alert(
        key,
        AlertState.INACTIVE,
        labels_of(key, rule),
        starts_at=crossed - bucket,
        counted_to=crossed - window_width(rule, bucket),
    )


def labels_of(key: AlertKey, rule: BaseRule) -> Labels:
    """Every label of an alert: its own and those of its rule."""
    return Labels(rule.labels | dict(key.labels.items()) | {"alertname": key.rule})


def observe(alert: Alert, tally: Tally, activity: Activity, rule: BaseRule, horizon: Horizon) -> Alert:
    """The episode with what the counts say now. Buckets that no late record can reach are added once and for all."""
    counted_to = alert.counted_to or alert.starts_at
    final_to = max(counted_to, horizon.reviewed(window_width(rule, horizon.bucket)))
    closed_count = alert.closed_count + tally.total(counted_to, final_to)
    cells = [cell for _, cell in tally.since(counted_to)]
    return replace(
        alert,
        count=closed_count + tally.total(final_to, horizon.last),
        closed_count=closed_count,
        counted_to=final_to,
        first_seen=min(_present(alert.first_seen, *(cell.first_ts for cell in cells)), default=None),
        last_seen=max(_present(alert.last_seen, *(cell.last_ts for cell in cells)), default=None),
        samples=_samples(alert.samples, cells),
        cleared_at=cleared_at(alert, activity, horizon),
    )


def matured(alert: Alert, rule: BaseRule, activity: Activity, horizon: Horizon) -> bool:
    """Whether it has been over the threshold for as long as the rule's ``for`` asks."""
    crossed = alert.starts_at + horizon.bucket
    if not rule.for_:
        return True
    if activity.over:
        known_to = horizon.closed if rule.needs_closing else horizon.at
        return known_to is not None and known_to >= crossed + rule.for_
    return activity.last_over is not None and activity.last_over >= crossed + rule.for_


def interrupted(alert: Alert, activity: Activity, horizon: Horizon) -> bool:
    """Whether it was below the threshold at some time since it began, and over it again since."""
    if activity.run_from is None:
        return False
    return activity.run_from > horizon.first and activity.run_from - horizon.bucket > alert.starts_at


def refuted(alert: Alert, tally: Tally, rule: BaseRule, horizon: Horizon) -> bool:
    """Whether records that came late show that it never was over its threshold.

    What is settled stays as it was judged, and to some kinds of rules more records never mean less. A term that was new
    a little earlier was new.
    """
    crossed = alert.starts_at + horizon.bucket
    if not rule.refutable or crossed < horizon.first - horizon.lateness:
        return False
    if isinstance(rule, NewTermRule):
        return tally.novel_at is None
    return not ever_over(tally, rule, horizon, crossed)


def ends_at(alert: Alert, rule: BaseRule, horizon: Horizon) -> datetime | None:
    """When the episode ended, if it has: cleared, and ``keep_firing_for`` has passed in closed buckets."""
    if alert.cleared_at is None:
        return None
    end = alert.cleared_at + rule.keep_firing_for
    return end if horizon.has_closed(end) else None


def cleared_at(alert: Alert, activity: Activity, horizon: Horizon) -> datetime | None:
    """Since when it has been below the threshold; None while that is not proven."""
    if activity.over:
        return None
    if activity.last_over is not None and (alert.cleared_at is None or activity.last_over >= alert.cleared_at):
        return activity.last_over + horizon.bucket
    return alert.cleared_at or horizon.first


def _present(*instants: datetime | None) -> list[datetime]:
    return [instant for instant in instants if instant is not None]


def _samples(known: tuple[Sample, ...], cells: Sequence[Cell]) -> tuple[Sample, ...]:
    """The samples known, filled up with one of each fingerprint, the most frequent first."""
    if len(known) >= SAMPLES:
        return known
    kinds: dict[str, Kind] = {}
    for cell in cells:
        for number, row in cell.samples():
            add_kind(kinds, number, row)
    ranked = sorted(kinds.items(), key=lambda kind: (-kind[1][0], kind[0]))
    texts = {sample.text for sample in known}
    fresh = {row.sample: _sample(row) for _, (_, row) in ranked if row.sample not in texts}
    return (*known, *fresh.values())[:SAMPLES]


def _sample(row: ErrorCount) -> Sample:
    return Sample(row.sample or "", row.labels.get("topic"), row.sample_partition, row.sample_offset)
