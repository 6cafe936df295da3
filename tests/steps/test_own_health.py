"""What Faultline says of itself: a heartbeat while all is well, and through whom it speaks when it is not."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from faultline.adapters.database import Database
from faultline.alerting.rules import load_rules
from faultline.dispatch.delivery import OutboxState
from faultline.dispatch.receivers import build_heartbeats, build_receivers
from faultline.errors import ConfigurationError, TransientError
from faultline.model import OffsetRange
from faultline.settings import Settings
from faultline.steps.alerts import AlertWatch
from faultline.steps.heartbeats import Heartbeats
from faultline.steps.last_resort import LastResort
from faultline.steps.meta import say_close_to_loss
from faultline.steps.stalled import tell_of_stall
from tests.contracts.values import NOON, P0, SECOND, evaluation, notification, span
from tests.steps.test_alerts import TOPICS, Clock

MINUTE, HOUR = 60 * SECOND, timedelta(hours=1)
RULES = """
groups: []
route: {receiver: ops}
receivers:
- {name: ops, webhook_configs: [{url: "URL/ops"}]}
- {name: deadman, heartbeat_configs: [{url: "URL/beat", every: 1m, max_lag: 5m}]}
"""


@pytest.fixture
def settings(tmp_path: Path, httpserver: HTTPServer, database_url: str) -> Settings:
    """Rules whose receivers are a server of the test, and a database that evaluates nothing yet."""
    for path in ("/ops", "/beat"):
        httpserver.expect_request(path, method="POST").respond_with_data("ok")
    (tmp_path / "rules.yaml").write_text(RULES.replace("URL", httpserver.url_for("").rstrip("/")))
    (tmp_path / "topics.yaml").write_text(TOPICS)
    with Database(database_url) as opened:
        opened.migrate()
    return Settings(database_url=database_url, rules_file=tmp_path / "rules.yaml", topics_file=tmp_path / "topics.yaml")


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    with Database(settings.database_url) as opened:
        yield opened


def posted(server: HTTPServer, path: str) -> list[dict[str, object]]:
    return [request.get_json() for request, _ in server.log if request.path == path]


def said(server: HTTPServer) -> list[tuple[str, str]]:
    """Of each message to ops its alert and its summary."""
    alerts = [body["alerts"][0] for body in posted(server, "/ops")]  # type: ignore[index]
    return [(alert["labels"]["alertname"], alert["annotations"]["summary"]) for alert in alerts]


def counted_to(database: Database, at: datetime, offset: int = 0) -> None:
    """Counting is complete up to that time."""
    database.record_counts([span(offset, offset)], [], {P0: at})


def test_a_heartbeat_is_sent_after_an_evaluation_that_saw_recent_counts(
    settings: Settings, database: Database, httpserver: HTTPServer
) -> None:
    clock = Clock()
    counted_to(database, clock.now)
    with AlertWatch(settings, database, "test", clock=clock) as watch:
        watch.evaluate()
    [beat] = posted(httpserver, "/beat")
    assert beat == {
        "status": "ok",
        "evaluated_at": "2026-11-22T12:00:00+00:00",
        "watermark": "2026-11-22T11:59:30+00:00",
    }


def test_no_heartbeat_is_sent_while_nothing_is_counted(
    settings: Settings, database: Database, httpserver: HTTPServer
) -> None:
    clock = Clock()
    with AlertWatch(settings, database, "test", clock=clock) as watch:
        watch.evaluate()
        counted_to(database, clock.now)
        clock.now += 6 * MINUTE
        watch.evaluate()
    assert posted(httpserver, "/beat") == []


def test_heartbeats_keep_their_pause_and_one_that_fails_is_tried_at_the_next(
    httpserver: HTTPServer, caplog: pytest.LogCaptureFixture
) -> None:
    httpserver.expect_request("/beat").respond_with_data("away", status=503)
    beats = build_heartbeats(load_rules(RULES.replace("URL", httpserver.url_for("").rstrip("/"))))
    for second in (0, 30, 59, 60, 61, 120):
        with ThreadPoolExecutor(1) as pool:
            if second == 0:
                heartbeats = Heartbeats(pool)
            heartbeats._executor = pool
            heartbeats.after_evaluation(beats, NOON + second * SECOND, NOON)
    assert len(posted(httpserver, "/beat")) == 3
    assert "heartbeat deadman/heartbeat/1: 503 away" in caplog.text


def test_a_heartbeat_is_no_channel_for_alerts() -> None:
    rules = load_rules(RULES.replace("URL", "http://127.0.0.1:1"))
    assert build_receivers(rules)["deadman"] == ()
    with pytest.raises(ConfigurationError, match="no url: write url_env"):
        load_rules("{groups: [], route: {receiver: a}, receivers: [{name: a, heartbeat_configs: [{}]}]}")


def test_the_archive_lane_raises_the_alarm_once_an_hour_when_nothing_is_evaluated(
    settings: Settings, database: Database, httpserver: HTTPServer
) -> None:
    assert not tell_of_stall(settings, at=NOON)
    database.record_evaluation(database.acquire_lease("alerts", "test"), evaluation())
    assert not tell_of_stall(settings, at=NOON + 9 * MINUTE)
    for minute in (10, 20, 59, 61):
        assert tell_of_stall(settings, at=NOON + minute * MINUTE)
    assert said(httpserver) == [
        (
            "EvaluationStalled",
            f"No rule has been evaluated for {lasts}, since 2026-11-22 12:00:00 UTC: "
            "is watch_errors paused, or its worker gone?",
        )
        for lasts in ("10m", "1h1m")
    ]


def test_what_waits_while_nobody_evaluates_is_sent_with_the_alarm(
    settings: Settings, database: Database, httpserver: HTTPServer
) -> None:
    lease = database.acquire_lease("alerts", "test")
    database.record_evaluation(lease, evaluation(notification()), {"ops": ("ops/webhook/1",)})
    assert tell_of_stall(settings, at=NOON + HOUR)
    assert [alert for alert, _ in said(httpserver)] == ["DbDown", "EvaluationStalled"]
    assert database.outbox_summary()[OutboxState.DELIVERED] == 2


def test_an_archive_without_a_database_goes_on(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    away = settings.model_copy(update={"database_url": "postgresql://127.0.0.1:1/nobody"})
    assert not tell_of_stall(away, at=NOON)
    assert "cannot tell whether alerts are evaluated" in caplog.text


def test_people_are_told_without_the_database_that_it_is_away_once_an_hour(
    settings: Settings, httpserver: HTTPServer, tmp_path: Path
) -> None:
    clock = Clock()
    resort = LastResort(settings, clock=clock, folder=tmp_path)
    told = []
    for minute in (0, 1, 2, 3, 61, 62, 63):
        clock.now = NOON + minute * MINUTE
        told.append(resort.failed(TransientError("connection refused")))
    assert told == [False, False, True, False, False, True, False]
    assert said(httpserver)[0] == (
        "DatabaseUnreachable",
        "The database does not answer since 2026-11-22 12:00:00 UTC: no alert is evaluated or sent. connection refused",
    )
    successor = LastResort(settings, clock=clock, folder=tmp_path)
    clock.now += 10 * MINUTE
    assert not successor.failed(TransientError("connection refused"))


def test_a_database_that_answers_in_between_is_not_away(settings: Settings, tmp_path: Path) -> None:
    clock = Clock()
    resort = LastResort(settings, clock=clock, folder=tmp_path)
    for minute in range(6):
        clock.now = NOON + minute * MINUTE
        assert not resort.failed(TransientError("locked"))
        if minute % 2:
            resort.answered()


def test_nobody_is_taken_for_told_whose_channel_did_not_take_it(
    settings: Settings, httpserver: HTTPServer, tmp_path: Path
) -> None:
    httpserver.clear_all_handlers()
    httpserver.expect_ordered_request("/ops").respond_with_data("busy", status=503)
    httpserver.expect_ordered_request("/ops").respond_with_data("ok")
    clock = Clock()
    resort = LastResort(settings, clock=clock, folder=tmp_path)
    resort.failed(TransientError("away"))
    clock.now += 3 * MINUTE
    assert [resort.failed(TransientError("away")) for _ in range(3)] == [False, True, False]


def test_a_watch_whose_database_goes_away_tells_through_the_last_resort(
    settings: Settings, database: Database, httpserver: HTTPServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    resort = LastResort(settings, clock=clock, folder=tmp_path)
    with AlertWatch(settings, database, "test", clock=clock, last_resort=resort) as watch:
        watch.evaluate()
        with Database("postgresql://127.0.0.1:1/nobody") as away:
            monkeypatch.setattr(watch._evaluator, "database", away)
            for _ in range(3):
                with pytest.raises(TransientError):
                    watch.evaluate()
                clock.now += 2 * MINUTE
    assert [alert for alert, _ in said(httpserver)] == ["DatabaseUnreachable"]


def test_the_receiver_of_last_resort_can_be_another(settings: Settings, httpserver: HTTPServer, tmp_path: Path) -> None:
    with settings.rules_file.open("a") as file:
        file.write(f'- {{name: spare, webhook_configs: [{{url: "{httpserver.url_for("/spare")}"}}]}}\n')
    httpserver.expect_request("/spare").respond_with_data("ok")
    clock = Clock()
    spare = settings.model_copy(update={"last_resort_receiver": "spare"})
    resort = LastResort(spare, clock=clock, folder=tmp_path)
    resort.failed(TransientError("away"))
    clock.now += 3 * MINUTE
    assert resort.failed(TransientError("away"))
    assert (len(posted(httpserver, "/spare")), len(posted(httpserver, "/ops"))) == (1, 0)


def test_the_last_resort_knows_rules_that_stand_in_for_the_file(
    settings: Settings, httpserver: HTTPServer, tmp_path: Path
) -> None:
    standing_in = settings.with_documents({"rules": settings.document("rules")})
    settings.rules_file.unlink()
    clock = Clock()
    resort = LastResort(standing_in, clock=clock, folder=tmp_path)
    resort.failed(TransientError("away"))
    clock.now += 3 * MINUTE
    assert resort.failed(TransientError("away"))
    assert [alert for alert, _ in said(httpserver)] == ["DatabaseUnreachable"]


def test_a_faulty_rules_file_is_told_once_for_each_text(
    settings: Settings, database: Database, httpserver: HTTPServer
) -> None:
    clock, good = Clock(), settings.rules_file.read_text()
    with AlertWatch(settings, database, "test", clock=clock) as watch:
        for text in (good, "groups: [", good, "groups: [", "groups: 7"):
            settings.rules_file.write_text(text)
            watch.evaluate()
            clock.now += MINUTE
    told = [row.notification.alert for row in database.recent_notifications()]
    assert [alert.alert.rule for alert in told] == ["ConfigurationFaulty", "ConfigurationFaulty"]
    assert "the last good version stays in force" in told[0].annotations["summary"]


def test_an_archive_that_kafka_overtakes_is_told_once_an_hour(settings: Settings, database: Database) -> None:
    behind = OffsetRange(P0, 10, 30)
    for minute, tell in ((0, False), (1, True), (2, True), (61, True)):
        say_close_to_loss(settings, behind, 2, at=NOON + minute * MINUTE, tell=tell)
    told = [row.notification for row in database.recent_notifications()]
    assert [each.alert.alert.rule for each in told] == ["ArchiveBehindRetention"] * 2
    assert (
        told[0]
        .alert.annotations["summary"]
        .startswith("app-logs/0[10, 30) is not archived, and Kafka already deletes what is 2 offsets before it")
    )
    assert told[0].alert.labels == {"topic": "app-logs", "partition": "0"}
