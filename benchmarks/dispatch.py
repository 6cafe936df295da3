"""10,000 messages through the outbox to five receivers on a local server: a page and its update for each episode.

The server answers as each provider does, in a process of its own, and remembers in which order what arrived. The peer
posts the same bodies to the same server from as many threads, with nothing stored and nothing decided.
"""

from __future__ import annotations

import asyncio
import os
import random
import re
import resource
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table

from dev.paths import profile_folder
from dev.ports import free_ports
from faultline.adapters.database import Database
from faultline.dispatch.delivery import OutboxState, Receiver
from faultline.dispatch.http import encode
from faultline.dispatch.outbox import dispatch_due
from faultline.dispatch.receivers import dingtalk, feishu, pagerduty, slack, webhook
from faultline.dispatch.secrets import in_clear
from faultline.model import AlertKey, AlertState, AlertSummary, Labels, Notification, NotificationKind, utc_now
from tests.servers import PostgresServer, running

EPISODES = 1_000
KINDS = (NotificationKind.FIRING, NotificationKind.UPDATE)
PAYLOADS: dict[str, Callable[[Notification], Any]] = {
    "slack": slack.payload,
    "dingtalk": dingtalk.payload,
    "feishu": feishu.payload,
    "pagerduty": pagerduty.payload,
    "webhook": webhook.payload,
}
ANSWERS = {
    "slack": (200, b"ok"),
    "dingtalk": (200, b'{"errcode": 0, "errmsg": "ok"}'),
    "feishu": (200, b'{"code": 0, "msg": "success"}'),
    "pagerduty": (202, b'{"status": "success", "dedup_key": "e"}'),
    "webhook": (200, b"{}"),
}
MESSAGES = EPISODES * len(KINDS) * len(PAYLOADS)
_ID = re.compile(rb"e(\d+)-ops-(firing|update)-1")


@dataclass(frozen=True, slots=True)
class Result:
    """One way of sending: seconds, processor seconds of this process, and how its memory grew, in MiB."""

    name: str
    seconds: float
    processor: float
    grown: float


def main() -> None:
    """Print the table; every message must have arrived once and in order."""
    console = Console()
    notifications = [_notification(number, kind) for number in range(EPISODES) for kind in KINDS]
    folder = profile_folder(f"bench-{os.getpid()}")
    try:
        with running(PostgresServer(folder / "postgres", free_ports())) as postgres, console.status("sending …"):
            url = postgres.spec.create_database("outbox")
            stored = [
                _outbox("faultline: outbox, PostgreSQL", url, notifications),
                _outbox("faultline: outbox, SQLite", f"sqlite:///{folder}/outbox.db", notifications),
            ]
            with _server() as (base, _):
                peer = _measure("peer: httpx alone, a client each", lambda: _post_all(base, notifications))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    console.print(_table([*(result for result, _ in stored), peer]))
    for _, remark in stored:
        console.print(remark, highlight=False)


def _outbox(name: str, url: str, notifications: Sequence[Notification]) -> tuple[Result, str]:
    """The whole way, and what arrived."""
    with _server() as (base, arrived), Database(url) as database:
        database.migrate()
        for notification in notifications:
            database.enqueue(notification, tuple(PAYLOADS))
        result = _measure(name, lambda: _dispatch(database, _receivers(base)))
        delivered = database.outbox_summary()[OutboxState.DELIVERED]
        kinds = [seen for episodes in arrived().values() for seen in episodes.values()]
    in_order = all(seen == sorted(seen) for seen in kinds)
    return result, f"{name}: {delivered:,} delivered, {sum(map(len, kinds)):,} arrived, in order: {in_order}"


def _dispatch(database: Database, receivers: Sequence[Receiver]) -> None:
    while dispatch_due(database, {"ops": receivers}, clock=utc_now, rng=random.Random(1)).attempts:
        pass


def _post_all(base: str, notifications: Sequence[Notification]) -> None:
    context = httpx.create_ssl_context()

    def post(target: str) -> None:
        for notification in notifications:
            with httpx.Client(verify=context) as client:
                client.post(f"{base}/{target}", content=encode(PAYLOADS[target](notification))).raise_for_status()

    with ThreadPoolExecutor(len(PAYLOADS)) as pool:
        list(pool.map(post, PAYLOADS))


def _measure(name: str, work: Callable[[], None]) -> Result:
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start, processor = time.perf_counter(), time.process_time()
    work()
    seconds, processor = time.perf_counter() - start, time.process_time() - processor
    return Result(name, seconds, processor, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory) / 1024)


def _table(results: Sequence[Result]) -> Table:
    table = Table(title=f"{MESSAGES:,} messages to {len(PAYLOADS)} receivers")
    for heading in ("what", "messages/s", "CPU ms a message", "CPU / peer", "memory grown, MiB"):
        table.add_column(heading, justify="left" if heading == "what" else "right")
    for result in results:
        ratio, each = result.processor / results[-1].processor, 1000 * result.processor / MESSAGES
        row = (f"{MESSAGES / result.seconds:,.0f}", f"{each:.2f}", f"{ratio:.2f}", f"{result.grown:.0f}")
        table.add_row(result.name, *row)
    return table


def _receivers(base: str) -> list[Receiver]:
    url = {target: in_clear(f"{base}/{target}") for target in PAYLOADS}
    return [
        slack.SlackReceiver("slack", url["slack"]),
        dingtalk.DingTalkReceiver("dingtalk", url["dingtalk"], in_clear("SECret")),
        feishu.FeishuReceiver("feishu", url["feishu"], in_clear("SECret")),
        pagerduty.PagerDutyReceiver("pagerduty", in_clear("key"), url=f"{base}/pagerduty"),
        webhook.WebhookReceiver("webhook", url["webhook"]),
    ]


def _notification(number: int, kind: NotificationKind) -> Notification:
    """A page of an alert with ten effects and a stack trace."""
    at = utc_now() - timedelta(seconds=1)
    labels = {"service": f"service-{number % 20}", "environment": "prod"}
    effects = tuple(
        AlertSummary(AlertKey(f"Effect{n}", Labels(labels)), AlertState.SUPPRESSED, at, None, n, "20 in 5m")
        for n in range(10)
    )
    summary = AlertSummary(
        AlertKey("DbDown", Labels(labels)),
        AlertState.FIRING,
        at,
        None,
        42,
        "20 in 5m",
        labels={**labels, "severity": "critical"},
        annotations={"summary": "42 errors of the database", "runbook_url": "https://wiki.example/db"},
        samples=('Traceback (most recent call last):\n  File "/srv/pay.py", line 17, in <module>\nConnectionError',),
    )
    return Notification(f"e{number}", "ops", kind, 1, "at least 20 in 5m", at, summary, effects)


@contextmanager
def _server() -> Iterator[tuple[str, Callable[[], dict[str, dict[int, list[int]]]]]]:
    """Its address, and what tells for each target and episode which kinds arrived, in order."""
    spawn = get_context("spawn")
    here, there = spawn.Pipe()
    process = spawn.Process(target=_serve, args=(there,), daemon=True)
    process.start()
    base = f"http://127.0.0.1:{here.recv()}"

    def arrived() -> dict[str, dict[int, list[int]]]:
        here.send("arrived")
        found: dict[str, dict[int, list[int]]] = here.recv()
        return found

    try:
        yield base, arrived
    finally:
        process.terminate()
        process.join()


def _serve(pipe: Connection) -> None:
    asyncio.run(_answer_until_asked(pipe))


async def _answer_until_asked(pipe: Connection) -> None:
    arrived: dict[str, dict[int, list[int]]] = {target: {} for target in ANSWERS}

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        target = head.split(b" ", 2)[1].decode().strip("/").partition("?")[0]
        length = int(re.search(rb"content-length: (\d+)", head, re.IGNORECASE)[1])  # type: ignore[index]
        found = _ID.search(await reader.readexactly(length))
        if found:
            arrived[target].setdefault(int(found[1]), []).append(found[2] == b"update")
        status, body = ANSWERS[target]
        writer.write(b"HTTP/1.1 %d OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b" % (status, len(body), body))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=200)
    pipe.send(server.sockets[0].getsockname()[1])
    while True:
        await asyncio.to_thread(pipe.recv)
        pipe.send(arrived)


if __name__ == "__main__":
    main()
