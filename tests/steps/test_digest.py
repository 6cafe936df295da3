"""A digest is made from the database alone, is one message however often it is published, and may be a file."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from faultline.adapters.database import Database
from faultline.dispatch.delivery import OutboxState
from faultline.errors import PermanentError
from faultline.model import Interval
from faultline.settings import Settings
from faultline.steps.digest import DigestReport, check_interval, digest_interval, publish_digest
from tests.contracts.values import NOON, count, span

HOUR = timedelta(hours=1)
INTERVAL = Interval(NOON, NOON + HOUR)
RULES = """
groups: []
route: {receiver: ops}
receivers:
- {name: ops, console_configs: [{}], pagerduty_configs: [{routing_key_env: KEY}], slack_configs: [{api_url_env: S}]}
- {name: managers, apprise_configs: [{url_env: MAIL}]}
"""


@pytest.fixture
def settings(tmp_path: Path, database_url: str) -> Settings:
    """A database in which the cart has failed twelve times in the interval."""
    (tmp_path / "rules.yaml").write_text(RULES)
    with Database(database_url) as database:
        database.migrate()
        database.record_counts([span(0, 1)], [count(12, service="cart", level="ERROR", sample="cart 17 is gone")])
    return Settings(database_url=database_url, rules_file=tmp_path / "rules.yaml")


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    with Database(settings.database_url) as opened:
        yield opened


def publish(settings: Settings, *, send: bool = True, receiver: str | None = None, write: bool = True) -> DigestReport:
    return publish_digest(settings, INTERVAL, at=NOON + HOUR, send=send, receiver=receiver, write=write)


def test_it_goes_to_the_root_route_s_receiver_but_opens_no_incident(settings: Settings, database: Database) -> None:
    report = publish(settings)
    assert report.targets == ("ops/console/1", "ops/slack/1")
    assert report.to_summary() == {
        "key": "digest:20261122T120000Z-20261122T130000Z-ops-digest-1",
        "title": "[DIGEST] 12 errors · 2026-11-22 12:00 – 13:00 UTC",
        "targets": ["ops/console/1", "ops/slack/1"],
        "file": None,
    }
    [row, _] = database.recent_notifications()
    assert row.notification == report.notification
    assert row.notification.digest is not None
    assert row.notification.digest.top[0].sample == "cart 17 is gone"


def test_the_digest_of_an_interval_is_one_message_however_often_it_is_published(
    settings: Settings, database: Database
) -> None:
    publish(settings)
    database.record_counts([span(1, 2)], [count(1, bucket=1, service="cart", level="ERROR")])
    publish(settings)
    publish_digest(settings, INTERVAL, at=NOON + 2 * HOUR, send=True)
    assert database.outbox_summary()[OutboxState.QUEUED] == 2


def test_the_receiver_of_the_form_comes_before_that_of_the_settings(settings: Settings) -> None:
    set_up = settings.model_copy(update={"digest_receiver": "managers"})
    assert publish(set_up).targets == ("managers/apprise/1",)
    assert publish(set_up, receiver="ops").targets == ("ops/console/1", "ops/slack/1")


def test_a_receiver_that_is_none_is_said_with_those_there_are(settings: Settings) -> None:
    with pytest.raises(
        PermanentError, match=r"no receiver 'manager'; did you mean 'managers'.*there are ops, managers"
    ):
        publish(settings, receiver="manager")


def test_what_is_not_sent_is_only_shown(
    settings: Settings, database: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = settings.model_copy(update={"digest_folder": tmp_path})
    caplog.set_level("INFO")
    report = publish(folder, send=False, write=False)
    assert (report.targets, report.file) == ((), None)
    assert "12 (0 before)" in caplog.text
    assert list(tmp_path.glob("*.html")) == []
    assert sum(database.outbox_summary().values()) == 0


def test_with_a_folder_it_is_a_file_too(settings: Settings, tmp_path: Path) -> None:
    folder = settings.model_copy(update={"digest_folder": tmp_path})
    file = publish(folder, send=False).file
    assert file == tmp_path / "digest-20261122T120000Z-20261122T130000Z.html"
    assert "cart 17 is gone" in file.read_text(encoding="utf-8")


def test_a_folder_that_is_not_there_is_said(settings: Settings, tmp_path: Path) -> None:
    folder = settings.model_copy(update={"digest_folder": tmp_path / "nowhere"})
    with pytest.raises(PermanentError, match=r"cannot write .*nowhere/.*No such file"):
        publish(folder)


def test_a_form_chooses_the_interval_and_the_run_s_own_is_taken_without() -> None:
    run = (NOON, NOON + HOUR)
    assert digest_interval(None, None, run) == INTERVAL
    assert digest_interval("2026-11-22T10:00:00+02:00", None, run).start == NOON - 4 * HOUR
    with pytest.raises(PermanentError, match="no interval of its own"):
        digest_interval(None, None, (None, None))
    with pytest.raises(PermanentError, match="not a time: 'yesterday'"):
        digest_interval("yesterday", None, run)


@pytest.mark.parametrize(
    ("length", "said"), [(timedelta(0), "has no time in it"), (timedelta(days=32), "more than 31 days")], ids=str
)
def test_an_interval_that_cannot_be_summarised_is_refused(length: timedelta, said: str) -> None:
    with pytest.raises(PermanentError, match=said):
        check_interval(NOON, NOON + length)
