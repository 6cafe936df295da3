"""Whether a test's time line is the expected one, and where it is not: a difference that a person can read."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from faultline.alerting.alerts import Alert
from faultline.alerting.notation import parse_alert
from faultline.alerting.simulation import Delivery, Timeline
from faultline.alerting.testfile import Expectation, ExpectedNotification, TestCase
from faultline.durations import format_duration
from faultline.model import AlertKey, ErrorCount, Notification, NotificationKind, Transition


def differences(case: TestCase, timeline: Timeline, start: datetime) -> list[str]:
    """Every difference; several lines each where that reads better. Empty when all is as expected."""
    found = [f"at {_offset(request.at, start)}, ack: {why}" for request, why in timeline.refused]
    found += [error for expected in case.expect for error in _states(expected, timeline, start)]
    if case.expect_notifications is not None:
        found += _notifications(case.expect_notifications, timeline.deliveries, start)
    dropped = total(timeline.late_dropped)
    if case.expect_late_dropped not in (None, dropped):
        found.append(f"too late to be counted:\n  - {case.expect_late_dropped}\n  + {dropped}")
    return found


def total(counts: Iterable[ErrorCount]) -> int:
    """How many records that are."""
    return sum(each.count for each in counts)


def transition_line(step: Transition, start: datetime) -> str:
    """``40s  Alert{…}  inactive → firing: why [by …]``."""
    by = f" [by {_names(step.by)}]" if step.by else ""
    late = " (late)" if step.late else ""
    return f"{_offset(step.at, start)}  {step.alert}  {step.source} → {step.target}{late}: {step.reason}{by}"


def delivery_line(delivery: Delivery, start: datetime) -> str:
    """``40s  ops  firing  Alert{…}  suppressed 2``."""
    sent = delivery.notification
    offset, late = _offset(delivery.at, start), " (late)" if sent.alert.late else ""
    return f"{offset}  {sent.receiver}  {sent.kind}{late}  {about(sent)}  suppressed {len(sent.suppressed)}"


def about(sent: Notification) -> str:
    """The alerts that a message tells of."""
    return _names(sorted((each.alert for each in sent.about), key=str))


def suppressors(alert: Alert, alerts: Iterable[Alert]) -> list[AlertKey]:
    """Who keeps the alert from being sent now: its causes that go on, root first."""
    live = {each.episode for each in alerts if each.live}
    return [cause.alert for cause in alert.causes if cause.episode in live]


def _states(expected: Expectation, timeline: Timeline, start: datetime) -> Iterator[str]:
    alerts = timeline.alerts_at(start + expected.at)
    for state, keys in expected.listed().items():
        actual = {alert.key for alert in alerts if alert.live and alert.state == state}
        if keys != actual:
            lines = [f"  - {key}  (is {_state(key, alerts)})" for key in sorted(keys - actual, key=str)]
            lines += [f"  + {key}  (not expected)" for key in sorted(actual - keys, key=str)]
            yield "\n".join([f"at {format_duration(expected.at)}, {state}:", *lines])
    for text, by in (expected.suppressed or {}).items():
        yield from _suppressed_by(expected, parse_alert(text), {parse_alert(each) for each in by}, alerts)


def _suppressed_by(expected: Expectation, key: AlertKey, by: set[AlertKey], alerts: Sequence[Alert]) -> Iterator[str]:
    for alert in alerts:
        if alert.key == key and alert.live and alert.state == "suppressed":
            actual = suppressors(alert, alerts)
            if set(actual) != by:
                yield (
                    f"at {format_duration(expected.at)}, {key} suppressed by:\n  - {_names(sorted(by, key=str))}\n"
                    f"  + {_names(actual)}"
                )


def _notifications(
    expected: Sequence[ExpectedNotification], deliveries: Sequence[Delivery], start: datetime
) -> Iterator[str]:
    """Compared as text, one line each. What happens at one instant has no order."""
    wanted = sorted((each.at, _expected_line(each)) for each in expected)
    silent = {(each.at, each.receiver, each.kind, _alerts(each)) for each in expected if each.suppressed is None}
    found = sorted((each.at - start, _actual_line(each, start, silent)) for each in deliveries)
    if wanted != found:
        lines = difflib.ndiff([line for _, line in wanted], [line for _, line in found])
        yield "\n".join(["notifications:", *(f"  {line}" for line in lines if not line.startswith("?"))])


def _expected_line(each: ExpectedNotification) -> str:
    suppressed = "" if each.suppressed is None else f"  suppressed {each.suppressed}"
    return f"{format_duration(each.at)}  {each.receiver}  {each.kind}  {_alerts(each)}{suppressed}"


def _actual_line(delivery: Delivery, start: datetime, silent: set[tuple[timedelta, str, NotificationKind, str]]) -> str:
    sent = delivery.notification
    at, alerts = delivery.at - start, about(sent)
    quiet = (at, sent.receiver, sent.kind, alerts) in silent
    suppressed = "" if quiet else f"  suppressed {len(sent.suppressed)}"
    return f"{format_duration(at)}  {sent.receiver}  {sent.kind}  {alerts}{suppressed}"


def _alerts(each: ExpectedNotification) -> str:
    return _names(sorted(map(parse_alert, each.alerts), key=str))


def _names(keys: Iterable[AlertKey]) -> str:
    return ", ".join(map(str, keys)) or "nothing"


def _state(key: AlertKey, alerts: Iterable[Alert]) -> str:
    states = [alert.state.value for alert in alerts if alert.key == key]
    return " and ".join(states) or "inactive"


def _offset(at: datetime, start: datetime) -> str:
    return format_duration(at - start)
