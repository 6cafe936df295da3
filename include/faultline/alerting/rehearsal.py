"""``rehearse``: a test file's stories, run and judged; the results as values, as JSON and as text."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import Any

from faultline.alerting.rules import Rules, load_rules
from faultline.alerting.scenario import arrivals
from faultline.alerting.silences import Silence
from faultline.alerting.simulation import AckRequest, Outage, Plan, Timeline, simulate
from faultline.alerting.testfile import TestCase, TestFile
from faultline.alerting.verdicts import delivery_line, differences, total, transition_line
from faultline.topicfile import TopicConfig, TopicsFile, load_topics
from faultline.yaml_files import load_yaml

ReadFile = Callable[[str], str]
# What a story that does not speak of lateness allows.
_LATENESS = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class TestResult:
    """One story, what happened in it, and how that differs from what was expected."""

    __test__ = False

    name: str
    start: datetime
    timeline: Timeline
    errors: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether all was as expected."""
        return not self.errors


def rehearse(text: str, file: str, read: ReadFile) -> list[TestResult]:
    """Run every story of a test file; ``read`` gives the text of a file it names.

    ConfigurationError with every fault of the file, or of the rules and topics it names.
    """
    tests = load_yaml(TestFile, text, file)
    rules = _rules(tests, file, read)
    topics = {topic.name: topic for topic in _topics(tests, file, read).topics}
    return [_run(case, tests, rules, topics) for case in tests.tests]


def as_json(results: list[TestResult]) -> dict[str, Any]:
    """The results for machines; ``at`` is in seconds from the test's start."""
    return {"tests": [_result_json(result) for result in results]}


def as_lines(result: TestResult) -> Iterator[str]:
    """The result for people: a line when all is well; the differences and the whole time line when it is not."""
    yield f"{'ok  ' if result.ok else 'FAIL'} {result.name}"
    if result.ok:
        return
    for error in result.errors:
        yield from (f"     {line}" for line in error.splitlines())
    yield from time_line(result)


def time_line(result: TestResult) -> Iterator[str]:
    """Everything that happened, in order."""
    yield "     what happened:"
    steps = [(step.at, transition_line(step, result.start)) for step in result.timeline.transitions]
    sent = [(each.at, delivery_line(each, result.start)) for each in result.timeline.deliveries]
    yield from (f"       {line}" for _, line in sorted([*steps, *sent], key=lambda entry: entry[0]))
    if dropped := total(result.timeline.late_dropped):
        yield f"       {dropped} came too late to be counted"


def _run(case: TestCase, tests: TestFile, rules: Rules, topics: Mapping[str, TopicConfig]) -> TestResult:
    start = tests.start
    lateness = _LATENESS if tests.allowed_lateness is None else tests.allowed_lateness
    plan = Plan(
        start=start,
        end=start + case.ends_at(),
        every=tests.evaluate_every,
        bucket=tests.bucket,
        arrivals=arrivals(case, topics, start=start, bucket=tests.bucket, tolerance=lateness),
        allowed_lateness=tests.allowed_lateness or timedelta(0),
        lateness=lateness,
        restarts=sorted(start + action.at for action in case.actions if action.restart),
        outages=[
            Outage(action.receiver_down, start + action.at, start + action.at + action.for_)
            for action in case.actions
            if action.receiver_down
        ],
        silences=[
            Silence(
                matchers=action.silence.matchers,
                starts_at=start + action.at,
                ends_at=start + action.at + action.silence.for_,
            )
            for action in case.actions
            if action.silence
        ],
        acks=sorted(
            (AckRequest(start + action.at, action.ack) for action in case.actions if action.ack), key=attrgetter("at")
        ),
    )
    timeline = simulate(rules, plan)
    return TestResult(case.name, start, timeline, tuple(differences(case, timeline, start)))


def _rules(tests: TestFile, file: str, read: ReadFile) -> Rules:
    if isinstance(tests.rules, dict):
        return load_rules(json.dumps(tests.rules, default=_written), f"{file} (rules)")
    return load_rules(read(tests.rules), tests.rules)


def _topics(tests: TestFile, file: str, read: ReadFile) -> TopicsFile:
    if tests.topics is None:
        return TopicsFile(topics=())
    if isinstance(tests.topics, dict):
        return load_topics(json.dumps(tests.topics, default=_written), f"{file} (topics)")
    return load_topics(read(tests.topics), tests.topics)


def _written(value: object) -> str:
    """The dates of a document, which JSON does not know."""
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).isoformat()
    return str(value)


def _result_json(result: TestResult) -> dict[str, Any]:
    timeline, start = result.timeline, result.start
    transitions = [
        {
            "at": _seconds(step.at - start),
            "alert": str(step.alert),
            "from": step.source.value,
            "to": step.target.value,
            "reason": step.reason,
            "by": [str(key) for key in step.by],
            **({"late": True} if step.late else {}),
        }
        for step in timeline.transitions
    ]
    notifications = [
        {
            "at": _seconds(each.at - start),
            "receiver": each.notification.receiver,
            "kind": each.notification.kind.value,
            "alerts": sorted(str(about.alert) for about in each.notification.about),
            "suppressed": [str(effect.alert) for effect in each.notification.suppressed],
            **({"late": True} if each.notification.alert.late else {}),
        }
        for each in timeline.deliveries
    ]
    return {
        "name": result.name,
        "ok": result.ok,
        "errors": list(result.errors),
        "transitions": transitions,
        "notifications": notifications,
        **({"late_dropped": dropped} if (dropped := total(timeline.late_dropped)) else {}),
    }


def _seconds(offset: timedelta) -> int | float:
    seconds = offset.total_seconds()
    return int(seconds) if seconds.is_integer() else seconds
