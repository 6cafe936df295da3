"""`faultline why`: what somebody woken at night reads, of a chain that was driven through the real steps."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from faultline.adapters.database import Database
from faultline.alerting.rules import load_rules
from faultline.alerting.silences import Silence
from faultline.cli import app
from faultline.cli.why import ENDS
from faultline.model import ErrorCount, Labels, OffsetRange, TopicPartition
from faultline.settings import Settings
from faultline.steps.alerts import AlertWatch

START = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
PARTITION = TopicPartition("app-logs", "id-1", 0)
RULES = """
groups:
- name: shop
  rules:
  - {alert: DbDown, matchers: ['service="db"'], num_events: 5, timeframe: 1m, query_key: [environment]}
  - {alert: DbErrors, matchers: ['service="orders"'], num_events: 5, timeframe: 1m, query_key: [environment]}
  - {alert: CheckoutFailed, matchers: ['service="checkout"'], num_events: 5, timeframe: 1m, query_key: [environment]}
chains: [{name: outage, path: [DbDown, DbErrors, CheckoutFailed], equal: [environment], hold: 20s, recovery_grace: 0s}]
route: {receiver: ops, group_wait: 30s}
receivers: [{name: ops, console_configs: [{}]}]
"""


class Story:
    """Records of services in the order of a clock that also evaluates."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self.settings, self.database, self.now, self.offset = settings, database, START, 0

    def __call__(self) -> datetime:
        return self.now

    def run(self, failing: dict[int, dict[str, int]], seconds: int) -> None:
        """An evaluation every 10 s; before it, what failed in its second: records by service."""
        for second in range(0, seconds, 10):
            self.now = START + timedelta(seconds=second)
            counts = [self._count(service, number) for service, number in failing.get(second, {}).items()]
            end = self.offset + sum(row.count for row in counts)
            self.database.record_counts([OffsetRange(PARTITION, self.offset, end)], counts, {PARTITION: self.now})
            self.offset = end
            with AlertWatch(self.settings, self.database, "test", clock=self) as watch:
                watch.evaluate()

    def _count(self, service: str, number: int) -> ErrorCount:
        labels = Labels(service=service, level="ERROR", topic="app-logs", environment="prod\x1b[2J")
        return ErrorCount(self.now, labels, number, self.now, self.now, sample="refused")


@pytest.fixture
def story(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Story:
    (tmp_path / "rules.yaml").write_text(RULES)
    (tmp_path / "topics.yaml").write_text("topics: [{name: app-logs, count_labels: [environment]}]")
    for name, value in (
        ("DATABASE_URL", f"sqlite:///{tmp_path / 'faultline.db'}"),
        ("RULES_FILE", str(tmp_path / "rules.yaml")),
        ("TOPICS_FILE", str(tmp_path / "topics.yaml")),
        ("ALLOWED_LATENESS", "0s"),
    ):
        monkeypatch.setenv(f"FAULTLINE_{name}", value)
    settings = Settings()
    with Database(settings.database_url) as database:
        database.migrate()
        told = Story(settings, database)
        told.run({20: {"db": 7}, 30: {"checkout": 6}, 40: {"checkout": 3, "db": 1}}, 240)
        return told


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["why", *arguments])
    return result.exit_code, result.output


GOLDEN = r"""
CheckoutFailed{environment="prod\u001b[2J"}: resolved
Nobody was told of it by itself: it was explained by DbDown{environment="prod\u001b[2J"}; a message about its cause names it, sent to ops/console/1.

Episode 54ea427a7b34fe93-20261122T120030Z: began 2026-11-22 12:00:30, ended 2026-11-22 12:01:40, 9 records. Times are UTC.

Threshold: 5 in 1m, by the rules of then, version VERSION
Bucket of 10s            records           last 1m
  2026-11-22 12:00:30          6                 6  over the threshold
  2026-11-22 12:00:40          3                 9  over the threshold
  2026-11-22 12:01:30          0                 3

What happened
  2026-11-22 12:00:30  inactive → suppressed
                       explained by DbDown{environment="prod\u001b[2J"}
  2026-11-22 12:00:30  kept back by a chain
                       by DbDown{environment="prod\u001b[2J"}, along DbDown → DbErrors → CheckoutFailed
                       rules version VERSION
  2026-11-22 12:00:50  firing message to ops/console/1 about DbDown{environment="prod\u001b[2J"}, naming this alert
                       over 5 in 1m
                       delivered, 1 attempt, 2026-11-22 12:00:50
  2026-11-22 12:01:30  suppressed → recovering
                       its cause DbDown{environment="prod\u001b[2J"} has ended
  2026-11-22 12:01:30  resolved message to ops/console/1 about DbDown{environment="prod\u001b[2J"}, naming this alert
                       lasted 1m10s
                       delivered, 1 attempt, 2026-11-22 12:01:30
  2026-11-22 12:01:40  recovering → resolved
                       cleared after its cause
  2026-11-22 12:01:40  no longer kept back: cleared with root
                       9 records by then
"""  # noqa: E501


def test_the_story_of_an_effect_names_its_cause_the_path_and_the_message_it_was_in(story: Story) -> None:
    code, said = run("CheckoutFailed")
    version = load_rules(RULES).hash
    assert (code, said.strip()) == (0, GOLDEN.strip().replace("VERSION", version))


def test_a_newer_episode_is_told_and_the_older_one_by_its_time_or_its_id(story: Story) -> None:
    old = run("DbDown")[1]
    story.run({second: {"db": 7} for second in (600, 610)}, 660)
    code, said = run('DbDown{environment="prod\x1b[2J"}')
    assert (code, said.splitlines()[0].endswith(": firing")) == (0, True)
    assert "Other episodes, newest first" in said
    assert "85a484e4d0e36ad1-20261122T120020Z  2026-11-22 12:00:20  resolved" in said
    assert run("DbDown", "--at", "2026-11-22T12:01") == (0, old)
    assert run("85a484e4d0e36ad1-20261122T120020") == (0, old)


def test_a_page_that_was_silenced_later_says_by_which_silence(story: Story) -> None:
    story.run({second: {"db": 7} for second in (600, 610)}, 660)
    span = {"starts_at": story.now, "ends_at": story.now + timedelta(minutes=5)}
    silence = Silence(matchers=("alertname=DbDown",), created_by="alice", comment="new disks", **span)
    story.database.add_silence(silence)
    with AlertWatch(story.settings, story.database, "test", clock=story) as watch:
        watch.evaluate()
    said = run("DbDown")[1]
    assert said.splitlines()[1].startswith("Told: ops/console/1.")
    assert "no more is sent of it: it is kept back by a silence" in said
    assert "by silence 1 by alice: new disks" in said


def test_for_programs_everything_is_json_without_a_control_character(story: Story) -> None:
    code, said = run("CheckoutFailed", "--format", "json")
    told = json.loads(said)
    assert code == 0
    assert [step["target"] for step in told["transitions"]] == ["suppressed", "recovering", "resolved"]
    assert told["suppressions"][0]["causes"][0]["path"] == ["DbDown", "DbErrors", "CheckoutFailed"]
    assert [(row["count"], row["over"]) for row in told["counts"]] == [(6, True), (3, True), (0, False)]
    assert [row["state"] for row in told["named"]] == ["delivered", "delivered"]
    assert said.replace("\n", "").isprintable()


def test_what_was_kept_back_is_measured_by_the_rules_of_then_and_a_page_by_those_in_force(story: Story) -> None:
    story.settings.rules_file.write_text(RULES.replace("num_events: 5", "num_events: 8"))
    assert f"Threshold: 5 in 1m, by the rules of then, version {load_rules(RULES).hash}" in run("CheckoutFailed")[1]
    said = run("DbDown")[1]
    assert "Threshold: 8 in 1m, by the rules in force now" in said
    assert "The rules have changed since then: its messages name another threshold." in said


def test_rules_that_are_gone_leave_the_story_without_counts(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    story.settings.rules_file.write_text("groups: []\nroute: {receiver: ops}\nreceivers: [{name: ops}]")
    code, said = run("DbDown")
    assert (code, "the rules in force now have no DbDown" in said) == (0, True)
    monkeypatch.setenv("FAULTLINE_RULES_FILE", str(story.settings.rules_file.with_name("missing.yaml")))
    code, said = run("DbDown")
    assert (code, "no rules can be read" in said) == (0, True)
    assert "firing → resolved" in said


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["DbDwn"], 1, "no alert 'DbDwn'; did you mean 'DbDown'?"),
        (["DbErrors"], 1, "no episode of DbErrors is recorded: it has not been over its threshold"),
        (['DbDown{environment="test"}'], 1, r'there are of DbDown{environment="prod\u001b[2J"}'),
        (["DbDown", "--at", "2026-11-22T13:00"], 1, "that went on at 2026-11-22 13:00:00 UTC"),
        (["DbDown{"], 2, "not an alert: 'DbDown{'"),
        (["DbDown", "--at", "noon"], 2, "not a time: 'noon'"),
    ],
    ids=["unknown", "never over", "other labels", "other time", "not an alert", "not a time"],
)
def test_what_cannot_be_told_says_why(story: Story, arguments: list[str], code: int, said: str) -> None:
    exit_code, output = run(*arguments)
    assert (exit_code, said in output) == (code, True)


def test_of_many_counts_the_beginning_and_the_end_are_printed(story: Story) -> None:
    story.run({second: {"db": 7} for second in range(600, 1100, 10)}, 1100)
    lines = run("DbDown")[1].splitlines()
    assert "  … 20 more, see --format json" in lines
    assert sum(line.endswith("over the threshold") for line in lines) == 2 * ENDS
