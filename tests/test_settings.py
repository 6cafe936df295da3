"""What ``topics.yaml`` and objects of settings may say; a fault names its line."""

from __future__ import annotations

import re
from typing import Any

import pytest

from faultline.errors import ConfigurationError
from faultline.settings import load_settings, without_credentials
from faultline.topicfile import load_topics

FAULTS = {
    "outside the archive": ("topics:\n- name: ../x\n", "topics.yaml:2: topics.0.name: not a topic's name: '../x'"),
    "the folder above": ("topics:\n- name: app\n- name: ..\n", "topics.yaml:3: topics.1.name: not a topic's name"),
    "no name": ("topics:\n- name: ''\n", "topics.yaml:2: topics.0.name: not a topic's name: ''"),
    "too long": (f"topics:\n- name: {'x' * 250}\n", "topics.yaml:2: topics.0.name: not a topic's name"),
    "named twice": (
        "topics:\n- {name: app, format: nginx}\n- {name: app}\n",
        "topics.yaml:1: topics: named more than once: app",
    ),
    "a log_format without variables": (
        "topics:\n- name: web\n  format: nginx\n  log_format: combined\n",
        "topics.yaml:4: topics.0.log_format: no $variable is in it",
    ),
    "a log_format that cannot be told apart": (
        "topics:\n- name: web\n  format: nginx\n  log_format: '$status $host$http_x'\n",
        "topics.yaml:4: topics.0.log_format: nothing stands between $http_x and the variable before it",
    ),
    "a log_format of JSON": (
        """topics:\n- name: web\n  format: nginx\n  log_format: log_format j escape=json '{"a":"$status"}';\n""",
        "topics.yaml:4: topics.0.log_format: escape=json makes JSON lines: take `format: json`",
    ),
    "half a directive": (
        "topics:\n- name: web\n  format: nginx\n  log_format: log_format main '$status\n",
        "topics.yaml:4: topics.0.log_format: not a whole directive",
    ),
    "a log_format of something else": (
        "topics:\n- name: web\n  log_format: $status\n",
        "topics.yaml:3: topics.0.log_format: goes with `format: nginx`",
    ),
    "patterns of something else": (
        "topics:\n- name: web\n  patterns: ['(?P<message>.)']\n",
        "topics.yaml:3: topics.0.patterns: go with `format: text`",
    ),
    "a pattern that is none": (
        "topics:\n- name: t\n  format: text\n  patterns:\n  - (?P<level>x)\n  - (?P<level>x\n",
        "topics.yaml:6: topics.0.patterns.1: not RE2: missing ): (?P<level>x",
    ),
    "a pattern without groups": (
        "topics:\n- name: t\n  format: text\n  patterns:\n  - ^x$\n",
        "topics.yaml:5: topics.0.patterns.0: no group has a name",
    ),
    "a group without a name": (
        "topics:\n- name: t\n  format: text\n  patterns:\n  - (?P<level>x)(y)\n",
        "topics.yaml:5: topics.0.patterns.0: a group has no name",
    ),
    "two groups of one name": (
        "topics:\n- name: t\n  format: text\n  patterns:\n  - (?P<level>x)|(?P<level>y)\n",
        "topics.yaml:5: topics.0.patterns.0: two groups are called 'level'",
    ),
    "a pattern that only backtracking can run": (
        "topics:\n- name: t\n  format: text\n  patterns:\n  - (?P<level>x)(?=y)\n",
        "topics.yaml:5: topics.0.patterns.0: not RE2: invalid perl operator: (?=; it has no look-around",
    ),
    "a pattern too large": (
        "topics:\n- name: t\n  format: text\n  patterns:\n  - (?P<level>(?:(?:x{999}){999}))\n",
        "topics.yaml:5: topics.0.patterns.0: not RE2: ",
    ),
    "a label that no line has": (
        "topics:\n- name: web\n  format: nginx\n  count_labels: [statsu]\n",
        "topics.yaml:4: topics.0.count_labels: no line of this format has 'statsu'; did you mean 'status'?",
    ),
    "a field that no line has": (
        "topics:\n- name: web\n  format: nginx\n  log_format: $status $host\n  fields:\n    service: hots\n",
        "topics.yaml:5: topics.0.fields: no line of this format has 'hots'; did you mean 'host'?",
    ),
    "a label of text without patterns": (
        "topics:\n- name: t\n  format: text\n  count_labels: [user]\n",
        "topics.yaml:4: topics.0.count_labels: no line of this format has 'user'",
    ),
    "no such time zone": (
        "topics:\n- name: t\n  timezone: Europe/Atlantis\n",
        "topics.yaml:3: topics.0.timezone: not a time zone: 'Europe/Atlantis'",
    ),
    "a zone outside the database": (
        "topics:\n- name: t\n  timezone: ../../etc/passwd\n",
        "topics.yaml:3: topics.0.timezone: not a time zone",
    ),
    "a level that is none": (
        "topics:\n- name: t\n  levels:\n    30: INFO\n    40: WORSE\n",
        "topics.yaml:5: topics.0.levels.40: Input should be 'DEBUG', 'INFO', 'WARNING', 'ERROR' or 'CRITICAL'",
    ),
    "a field without a name": (
        "topics:\n- name: t\n  fields:\n    service: ''\n",
        "topics.yaml:4: topics.0.fields.service.0: String should have at least 1 character",
    ),
}


@pytest.mark.parametrize(("text", "fault"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_named_with_its_line(text: str, fault: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_topics(text)
    [found] = caught.value.faults
    assert str(found).startswith(fault)


def test_a_name_that_kafka_takes_is_taken() -> None:
    assert [topic.name for topic in load_topics("topics: [{name: app.log_s-1}]").topics] == ["app.log_s-1"]


def test_one_name_of_a_field_needs_no_list() -> None:
    [topic] = load_topics("topics: [{name: app, fields: {service: svc, host: [a, b]}}]").topics
    assert (topic.fields.service, topic.fields.host) == (("svc",), ("a", "b"))


def test_levels_of_a_topic_may_be_numbers_and_of_any_case() -> None:
    [topic] = load_topics("topics: [{name: app, levels: {30: info, audit: Warning}}]").topics
    assert topic.levels == {"30": "INFO", "AUDIT": "WARNING"}


def test_an_object_of_settings_overrides_the_environment_and_a_runs_own_override_both(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FAULTLINE_ARCHIVE_BATCH_ROWS", "1")
    monkeypatch.setenv("FAULTLINE_ARCHIVE_GROUP_PARTITIONS", "1")
    monkeypatch.setenv("FAULTLINE_COUNT_BUCKET", "1s")
    found = load_settings("{archive_batch_rows: 2, archive_group_partitions: 2}", "it", {"archive_batch_rows": 3})
    assert (found.archive_batch_rows, found.archive_group_partitions) == (3, 2)
    assert found.count_bucket.total_seconds() == 1


SETTINGS_FAULTS = {
    "no number": ("archive_batch_rows: many", {}, "it:1: archive_batch_rows: Input should be a valid integer"),
    "no such setting": ("{archive_batch_row: 5}", {}, "unknown field 'archive_batch_row'; did you mean"),
    "no duration": ("\nevent_time_span: soon", {}, "it:2: event_time_span: not a duration: 'soon'"),
    "no object": ("[1, 2]", {}, "it:1: not an object of settings"),
    "nothing": ("", {}, "it:1: not an object of settings"),
    "no YAML": ("{", {}, "it:1: not YAML"),
    "a run's own": ("{}", {"archive_batch_rows": 0}, "Params:1: archive_batch_rows: Input should be greater"),
}


@pytest.mark.parametrize(("text", "overrides", "fault"), SETTINGS_FAULTS.values(), ids=SETTINGS_FAULTS)
def test_a_fault_in_settings_names_the_field(text: str, overrides: dict[str, Any], fault: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(fault)):
        load_settings(text, "it", overrides)


def test_settings_are_shown_without_credentials() -> None:
    text = """
kafka_properties: {sasl.password: hunter2, sasl.username: me, security.protocol: SASL_SSL, ssl.key.pem: -----BEGIN}
database_url: postgresql+psycopg2://user:pass@db:5432/faultline
task_budget: 5m
"""
    shown = without_credentials(text, "settings")
    assert not [word for word in ("hunter2", '"me"', "BEGIN", "user:", "pass@") if word in shown]
    assert "postgresql+psycopg2://***@db:5432/faultline" in shown
    assert '"security.protocol": "SASL_SSL"' in shown
    assert '"task_budget": "5m"' in shown
