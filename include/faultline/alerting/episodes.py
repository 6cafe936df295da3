"""How counts change an episode: where it begins, how many records it has, since when it is below its threshold."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from faultline.alerting.alerts import Alert, Sample
from faultline.alerting.rulefile import FrequencyRule
from faultline.alerting.windows import Activity, Horizon, Series, window_width
from faultline.model import AlertKey, AlertState, ErrorCount, Labels

SAMPLES = 3


def begin(key: AlertKey, rule: FrequencyRule, activity: Activity, bucket: timedelta) -> Alert | None:
    """A new episode where the activity has one. It starts with the bucket in which the threshold was crossed."""
    crossed = activity.run_from if rule.for_ else activity.first_over
    if crossed is None:
        return None
    return Alert(
        key,
        AlertState.INACTIVE,
        Labels({**rule.labels, **key.labels, "alertname": key.rule}),
        starts_at=crossed - bucket,
        counted_to=crossed - window_width(rule, bucket),
    )


def observe(alert: Alert, series: Series, activity: Activity, horizon: Horizon) -> Alert:
    """The episode with what the counts say now: a closed bucket is added once, an open one each time anew."""
    counted_to = alert.counted_to or alert.starts_at
    final_to = max(counted_to, horizon.closed or counted_to)
    closed_count = alert.closed_count + series.total(counted_to, final_to)
    rows = [row for row in series.rows if row.bucket_start >= counted_to]
    return replace(
        alert,
        count=closed_count + series.total(final_to, horizon.last),
        closed_count=closed_count,
        counted_to=final_to,
        first_seen=min(_present(alert.first_seen, *(row.first_ts for row in rows)), default=None),
        last_seen=max(_present(alert.last_seen, *(row.last_ts for row in rows)), default=None),
        samples=_samples(alert.samples, rows),
        cleared_at=_cleared_at(alert, activity, horizon),
    )


def matured(alert: Alert, rule: FrequencyRule, activity: Activity, horizon: Horizon) -> bool:
    """Whether it has been over the threshold for as long as the rule's ``for`` asks."""
    crossed = alert.starts_at + horizon.bucket
    if not rule.for_:
        return True
    if activity.over:
        return horizon.at >= crossed + rule.for_
    return activity.last_over is not None and activity.last_over >= crossed + rule.for_


def interrupted(alert: Alert, activity: Activity, horizon: Horizon) -> bool:
    """Whether it was below the threshold at some time since it began."""
    if not activity.over or activity.run_from is None:
        return not activity.over
    return activity.run_from > horizon.first and activity.run_from - horizon.bucket > alert.starts_at


def ends_at(alert: Alert, rule: FrequencyRule, horizon: Horizon) -> datetime | None:
    """When the episode ended, if it has: cleared, and ``keep_firing_for`` has passed in closed buckets."""
    if alert.cleared_at is None:
        return None
    end = alert.cleared_at + rule.keep_firing_for
    return end if horizon.has_closed(end) else None


def _cleared_at(alert: Alert, activity: Activity, horizon: Horizon) -> datetime | None:
    if activity.over:
        return None
    if activity.last_over is not None and (alert.cleared_at is None or activity.last_over >= alert.cleared_at):
        return activity.last_over + horizon.bucket
    return alert.cleared_at or horizon.first


def _present(*instants: datetime | None) -> list[datetime]:
    return [instant for instant in instants if instant is not None]


def _samples(known: tuple[Sample, ...], rows: Iterable[ErrorCount]) -> tuple[Sample, ...]:
    """The samples known, filled up with one of each fingerprint, the most frequent first."""
    kinds: dict[str, list[ErrorCount]] = defaultdict(list)
    for row in rows:
        if row.sample is not None:
            kinds[row.fingerprint or ""].append(row)
    ranked = sorted(kinds.items(), key=lambda kind: (-sum(row.count for row in kind[1]), kind[0]))
    firsts = (min(those, key=_place) for _, those in ranked)
    texts = {sample.text for sample in known}
    fresh = {row.sample: _sample(row) for row in firsts if row.sample is not None and row.sample not in texts}
    return (*known, *fresh.values())[:SAMPLES]


def _place(row: ErrorCount) -> tuple[datetime, int, int, str]:
    return row.bucket_start, row.sample_partition or 0, row.sample_offset or 0, row.sample or ""


def _sample(row: ErrorCount) -> Sample:
    return Sample(row.sample or "", row.labels.get("topic"), row.sample_partition, row.sample_offset)
