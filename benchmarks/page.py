"""What a view costs at 10,000 alerts and a million rows of counts, beside the same view of an empty database.

The alerts: one root that explains half of them, and others that stand alone, each with a message; as many again are
over. Time is that of a request as the browser would wait for it, on PostgreSQL, without the network.
"""

from __future__ import annotations

import shutil
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import cycle

from fastapi import Request
from fastapi.testclient import TestClient
from rich.console import Console
from rich.table import Table
from sqlalchemy import create_engine, text

from dev.paths import profile_folder
from dev.ports import free_ports
from faultline.adapters.database import Database
from faultline.alerting.alerts import LEASE, Alert, Cause, Evaluation, MuteReason, Sample, Suppression
from faultline.alerting.silences import Silence
from faultline.model import AlertKey, AlertState, AlertSummary, Labels, Notification, NotificationKind, utc_now
from faultline.page.access import Access
from faultline.page.app import build_app
from faultline.settings import Settings
from faultline.yaml_files import Document
from tests.servers import PostgresServer, running

ALERTS, COUNTS, RULES = 10_000, 1_000_000, 1_000
ROUNDS = 15
SECOND = timedelta(seconds=1)
_RULES_FILE = profile_folder("bench-page") / "rules.yaml"
_TEXT = "order 77120 of cart 5311 was lost: payments answered 503 Service Unavailable after 2,000 ms; " * 3


@dataclass(frozen=True, slots=True)
class Person:
    """Who asks."""

    name: str = "bench"

    def get_name(self) -> str:
        return self.name


def main() -> None:
    """Print the table."""
    console = Console()
    with console.status("Starting PostgreSQL and filling it ...") as status, _databases() as (empty, full):
        outage = _fill(full)
        status.update("Asking ...")
        title = f"{ALERTS:,} alerts, {COUNTS:,} counts, {RULES:,} rules"
        table = Table("view", "ms", "ms of an empty one", "ratio", "KiB", title=title)
        for name, path in _views(outage):
            took, size = _ask(full, path)
            least, _ = _ask(empty, path)
            table.add_row(name, f"{took:,.0f}", f"{least:,.0f}", f"{took / least:,.1f}", f"{size / 1024:,.0f}")
    console.print(table)


def _views(episode: str) -> list[tuple[str, str]]:
    return [
        ("now", "/now"),
        ("now, the last page", "/now?page=99999"),
        ("now, by labels", "/now?q=host%3D~%22host-1.*%22"),
        ("now, one root and 100 effects", f"/now?episode={episode}"),
        ("silences; one matches half", "/silences"),
        ("a silence that would match all", "/silence?matchers=environment%3D%22prod%22"),
        ("history", "/history"),
        ("history, by a text", "/history?q=host-77"),
        ("history, what was kept back", "/history/suppressed"),
        ("history, messages", "/history/messages"),
        ("history, one episode explained", f"/history/episode?id={episode}"),
        ("errors, 6 hours", "/errors"),
        ("errors, a day", "/errors?since=24h"),
        ("errors, an hour by fingerprint", "/errors?since=1h&by=fingerprint"),
        ("errors, a day of one service", "/errors?since=24h&service=service-7"),
        ("errors, a day of one fingerprint", "/errors?since=24h&fingerprint=v1%3A7"),
        ("errors, a day against a rule", "/errors?since=24h&rule=Many"),
        ("rules", "/rules"),
        ("rules, the last page", "/rules?page=99999"),
        ("rules, those that fire", "/rules?state=firing"),
        ("rules, changes", "/rules/changes"),
        ("a file", "/static/page.css"),
    ]


def _ask(url: str, path: str) -> tuple[float, int]:
    """The median of some requests in milliseconds, and the size of the answer."""
    access = Access(user=Person, read=anyone, edit=anyone, secret="bench")
    took = []
    with TestClient(
        build_app(access, lambda: Settings(database_url=url, rules_file=_RULES_FILE)), base_url="http://bench"
    ) as client:
        client.get(path)
        for _ in range(ROUNDS):
            begun = time.perf_counter()
            answer = client.get(path)
            took.append(1000 * (time.perf_counter() - begun))
            if answer.is_server_error:  # an empty one lacks the episode
                answer.raise_for_status()
    return statistics.median(took), len(answer.content)


def anyone(_request: Request, _user: Person) -> None:
    """Who asks may."""
    return


def _fill(url: str) -> str:
    """Write the alerts, their messages and the counts; the root's episode."""
    now = utc_now().replace(microsecond=0)
    root, *alerts = _alerts(now)
    messages = [_message(alert, now) for alert in (root, *alerts) if alert.state is AlertState.FIRING]
    kept = [
        Suppression(
            alert.episode, 1, alert.key, alert.causes, "0" * 16, alert.starts_at, count=alert.count, reason=reason
        )
        for alert, reason in zip(alerts, cycle(MuteReason), strict=False)
        if alert.state is AlertState.SUPPRESSED
    ]
    rules = _rules()
    version = Document("rules.yaml", rules).hash
    over = tuple(alert.episode for alert in alerts if alert.state is AlertState.RESOLVED)
    evaluation = Evaluation(now, now, version, (root, *alerts), (), tuple(messages), tuple(kept), over)
    matchers = ('alertname=~"Effect.*"',)
    with Database(url) as database:
        database.record_rules(str(_RULES_FILE), rules, version, (), now)
        for number in range(10):
            changed = Document("rules.yaml", rules.replace("num_events: 20", f"num_events: {number}", 5))
            database.record_change("rules", changed, now + number * SECOND)
        database.record_evaluation(database.acquire_lease(LEASE, "bench"), evaluation)
        until = now + 3600 * SECOND
        database.add_silence(Silence(matchers=matchers, starts_at=now - SECOND, ends_at=until, comment="bench"))
    _fill_counts(url)
    return root.episode


def _rules() -> str:
    """Those of the alerts, and others; every other 20 of them in a chain, one after the other."""
    names = ["Root", *(f"{kind}{number}" for kind in ("Effect", "Alone", "Over") for number in range(50))]
    names += [f"Other{number}" for number in range(RULES - 1 - len(names))]
    rules = [
        f"  - {{alert: {name}, num_events: 20, timeframe: 5m, query_key: [environment, service],"
        f" matchers: ['service=\"service-{number % 200}\"']}}"
        for number, name in enumerate(names)
    ]
    chains = [
        f"- {{name: {names[each]}, path: [{', '.join(names[each : each + 20])}]}}" for each in range(0, RULES - 40, 40)
    ]
    rules.append(
        "  - {alert: Many, matchers: ['level=\"ERROR\"'], query_key: [service], num_events: 50, timeframe: 5m}"
    )
    ends = ["route: {receiver: ops}", "receivers: [{name: ops}]"]
    return "\n".join(["groups:", "- name: bench", "  rules:", *rules, "chains:", *chains, *ends])


def _alerts(now: datetime) -> Iterator[Alert]:
    """The root first."""
    root = _alert("Root", 0, now, AlertState.FIRING)
    yield root
    cause = (Cause(root.key, root.episode, ("Root", "Effect")),)
    for number in range(1, ALERTS // 2):
        yield _alert(f"Effect{number % 20}", number, now, AlertState.SUPPRESSED, cause)
    for number in range(ALERTS // 2, ALERTS):
        yield _alert(f"Alone{number % 50}", number, now, AlertState.FIRING)
    for number in range(ALERTS):
        yield _alert(f"Over{number % 50}", number, now - 7200 * SECOND, AlertState.RESOLVED)


def _alert(rule: str, number: int, now: datetime, state: AlertState, causes: tuple[Cause, ...] = ()) -> Alert:
    key = AlertKey(rule, Labels(environment="prod", service=f"service-{number % 100}", host=f"host-{number}"))
    return Alert(
        key,
        state,
        Labels({**key.labels, "alertname": rule, "severity": "critical" if number % 3 else "warning"}),
        now - number % 3600 * SECOND,
        count=number,
        first_seen=now,
        last_seen=now,
        samples=tuple(Sample(f"{each} {_TEXT}", "app-logs", 0, number) for each in range(3)),
        causes=causes,
        mute=MuteReason.CHAIN if causes else None,
    )


def _message(alert: Alert, now: datetime) -> Notification:
    labels, samples = dict(alert.labels), tuple(sample.text for sample in alert.samples)
    summary = AlertSummary(
        alert.key, alert.state, alert.starts_at, None, alert.count, "20 in 5m", labels=labels, samples=samples
    )
    return Notification(alert.episode, "ops", NotificationKind.FIRING, 1, "over 20 in 5m", now, summary)


def _fill_counts(url: str) -> None:
    """Rows of the last day, of 200 label sets, made by the database itself."""
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO label_sets (id, topic, labels) SELECT 's' || n, 'app-logs',"
                """ '{"environment": "prod", "level": "ERROR", "service": "service-' || n"""
                """ || '", "topic": "app-logs"}'"""
                " FROM generate_series(0, 199) n"
            )
        )
        connection.execute(
            text(
                "INSERT INTO counts (topic, bucket_start, label_set, fingerprint, count, first_ts, last_ts, batch)"
                " SELECT 'app-logs', at, 's' || n % 200, 'v1:' || n % 997, 3, at, at, n / 1000 FROM ("
                " SELECT n, date_trunc('minute', now()) - (n % 8640) * interval '10 seconds' AS at"
                f" FROM generate_series(1, {COUNTS}) n) made"
            )
        )
        connection.execute(
            text("INSERT INTO fingerprints SELECT fingerprint, min(bucket_start) FROM counts GROUP BY fingerprint")
        )
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))
    engine.dispose()


@contextmanager
def _databases() -> Iterator[tuple[str, str]]:
    """Two empty databases of Faultline's, gone afterwards."""
    folder = _RULES_FILE.parent
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    _RULES_FILE.write_text(_rules())
    try:
        with running(PostgresServer(folder / "postgres", free_ports())) as server:
            urls = [server.spec.create_database(name) for name in ("bench_empty", "bench_full")]
            for url in urls:
                with Database(url) as database:
                    database.migrate()
            yield urls[0], urls[1]
    finally:
        shutil.rmtree(folder, ignore_errors=True)
