"""What a log call costs, beside the handlers one would use instead, each in a process of its own, on a real broker.

All run in an environment below .state that has the rivals in it, in rounds that take turns; medians of the rounds.
"""

from __future__ import annotations

import json
import os
import socketserver
import statistics
import subprocess
import sys
import threading
import venv
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from confluent_kafka import Consumer, TopicPartition
from rich.console import Console
from rich.progress import track
from rich.table import Table

from dev.jars import fetch, find_tool
from dev.java import find_java
from dev.paths import STATE, profile_folder
from dev.ports import free_ports
from tests.kafka_logging.broker import new_topic
from tests.servers import KafkaServer, running

RIVALS = (
    "kafkaloghandler==0.9.0",
    "kafka-logging-handler==0.2.5",
    "python-logstash-async==4.1.0",
    "logstash_formatter==0.5.17",
    "kafka-python==3.0.12",
    "confluent-kafka==2.16.1",
    "orjson",
)
ROUNDS = 5
RECORDS = 100_000
FLOOD = 1_000_000
WORKER = Path(__file__).with_name("handler_worker.py")
# name, threads, records: the slowest get fewer
RUNS = (
    ("no-op", 1, RECORDS),
    ("ours", 1, RECORDS),
    ("ours, suppressed", 1, RECORDS),
    ("FileHandler", 1, RECORDS),
    ("QueueHandler", 1, RECORDS),
    ("kafkaloghandler", 1, RECORDS),
    ("kafka-logging-handler", 1, RECORDS // 5),
    ("python-logstash-async", 1, RECORDS // 50),
    ("kafka-python shape", 1, RECORDS // 5),
    ("ours", 4, RECORDS),
    ("FileHandler", 4, RECORDS),
    ("ours, broker refused", 1, RECORDS),
    ("ours, broker killed", 1, RECORDS),
    ("ours, broker suspended", 1, RECORDS),
    ("ours, killed, spilling", 1, RECORDS),
)
OUTAGES = tuple(name for name, _, _ in RUNS[-4:])
QUEUE_MIB = 32
FLUSH_SECONDS = 1.0  # of the handlers in an outage
Figures = Mapping[str, float]
Runs = Mapping[tuple[str, int], Figures]


def main() -> None:
    """Print the table, what was aimed at beside what was reached, and the flood."""
    console = Console(width=140)
    with console.status("installing the rivals, starting Kafka …"):
        python = _environment()
        server = KafkaServer(
            profile_folder("bench-handler") / "kafka", find_java(), fetch("kafka", find_tool()), free_ports()
        )
    with running(server), _logstash() as port:
        rounds: dict[tuple[str, int], list[Figures]] = defaultdict(list)
        for _ in track(range(ROUNDS), "rounds", console=console):
            for name, threads, records in RUNS:
                rounds[name, threads].append(_run(python, name, records, threads, server, "bench", port))
        runs = {key: _medians(figures) for key, figures in rounds.items()}
        console.print(_table(runs))
        formatters = _run(python, "formatters", 0, 1, server, "bench", port)
        console.print(_targets(runs, formatters))
        console.print(_flood(python, server, port))


def _environment() -> Path:
    """The Python of an environment with the rivals in it; made once."""
    folder = STATE / "rivals"
    stamp = folder / "installed"
    if not stamp.exists() or stamp.read_text() != "\n".join(RIVALS):
        venv.create(folder, clear=True, symlinks=True)
        pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), "install", "--quiet"]
        subprocess.run([*pip, *RIVALS], check=True)
        stamp.write_text("\n".join(RIVALS))
    return folder / "bin" / "python"


def _run(python: Path, name: str, records: int, threads: int, server: KafkaServer, topic: str, port: int) -> Figures:
    """The figures of one worker. Once it has connected, the broker is taken away from it if its name says so."""
    command = [str(python), str(WORKER), name, str(records), str(threads), server.bootstrap, topic, str(port)]
    environment = {**os.environ, "PYTHONPATH": str(WORKER.parents[1] / "include")}
    with subprocess.Popen(
        command, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as worker:
        assert worker.stdin
        assert worker.stdout
        line = worker.stdout.readline()
        if line == "connected\n":
            _break(server, name)
            worker.stdin.write("\n")
            worker.stdin.flush()
            line = worker.stdout.readline()
    _mend(server, name)
    if worker.returncode:
        raise RuntimeError(f"the worker of {name!r} ended with {worker.returncode}")
    figures: Figures = json.loads(line)
    return figures


def _break(server: KafkaServer, name: str) -> None:
    if "killed" in name:
        server.kill()
    elif "suspended" in name:
        server.suspend()


def _mend(server: KafkaServer, name: str) -> None:
    if "suspended" in name:
        server.resume()
    if name in OUTAGES:
        server.start()


@contextmanager
def _logstash() -> Iterator[int]:
    """The port of a server that reads lines and forgets them."""

    class Sink(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while self.rfile.read1(1 << 16):
                pass

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Sink) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def _medians(rounds: list[Figures]) -> Figures:
    return {name: statistics.median(figures[name] for figures in rounds) for name in rounds[0]}


def _table(runs: Runs) -> Table:
    table = Table(title=f"{RECORDS:,} errors of four arguments and two extras, medians of {ROUNDS} rounds")
    columns = (
        "p50 µs",
        "/ no-op",
        "/ file",
        "p99 µs",
        "p99.9 µs",
        "max ms",
        "records/s",
        "CPU µs",
        "RSS MiB",
        "close s",
    )
    for heading in ("handler", *columns):
        table.add_column(heading, justify="left" if heading == "handler" else "right")
    nothing, file = runs["no-op", 1]["p50"], runs["FileHandler", 1]["p50"]
    for (name, threads), each in runs.items():
        ratios = (f"{each['p50'] / nothing:.2f}", f"{each['p50'] / file:.2f}") if threads == 1 else ("", "")
        table.add_row(
            name if threads == 1 else f"{name}, {threads} threads",
            f"{each['p50']:.2f}", *ratios, f"{each['p99']:.1f}", f"{each['p99.9']:.1f}", f"{each['max'] / 1e3:.1f}",
            f"{each['rate']:,.0f}", f"{each['processor']:.1f}", f"{each['rss']:.0f}", f"{each['close']:.2f}",
        )  # fmt: skip
    return table


def _targets(runs: Runs, formatters: Figures) -> Table:
    """What was aimed at, and what came of it in this run."""
    one = {name: figures for (name, threads), figures in runs.items() if threads == 1}
    four = {name: figures for (name, threads), figures in runs.items() if threads == 4}
    ours, nothing, broken = one["ours"], one["no-op"], [one[name] for name in OUTAGES]
    undisked = broken[:3]
    rate = {name: ours["rate"] / figures["rate"] for name, figures in one.items()}
    rows = (
        ("emit p50 / no-op", ours["p50"] / nothing["p50"], "≤", 2.0),
        ("emit p50 / FileHandler", ours["p50"] / one["FileHandler"]["p50"], "≤", 1.0),
        ("suppressed call / no-op", one["ours, suppressed"]["p50"] / nothing["p50"], "≤", 1.1),
        ("records/s / kafkaloghandler", rate["kafkaloghandler"], "≥", 2.0),
        ("records/s / kafka-logging-handler", rate["kafka-logging-handler"], "≥", 7.0),
        ("records/s / python-logstash-async", rate["python-logstash-async"], "≥", 60.0),
        ("records/s, 4 threads / FileHandler", four["ours"]["rate"] / four["FileHandler"]["rate"], "≥", 2.4),
        ("formatter / logstash_formatter", formatters["ours"] / formatters["theirs"], "≤", 0.2),
        ("outage: p99.9, ms", max(each["p99.9"] for each in undisked) / 1e3, "≤", 1.0),
        ("outage: p50 / healthy", max(each["p50"] for each in undisked) / ours["p50"], "≤", 1.3),
        ("outage: memory / queue cap", (max(each["rss"] for each in broken) - nothing["rss"]) / QUEUE_MIB, "≤", 2.0),
        ("outage: close - flush_timeout, s", max(each["close"] for each in broken) - FLUSH_SECONDS, "≤", 0.5),
        ("records unaccounted for", max(each["lost"] for each in runs.values()), "≤", 0),
    )
    table = Table("aimed at", "", "reached", "", title="targets")
    for name, value, sign, target in rows:
        reached = value <= target if sign == "≤" else value >= target
        table.add_row(name, f"{sign} {target}", f"{value:.2f}", "yes" if reached else "no")
    return table


def _flood(python: Path, server: KafkaServer, port: int) -> str:
    """A tight loop with the default limits: what the application keeps, what the broker sees, whether it adds up."""
    topic = new_topic()
    nothing = _run(python, "no-op", FLOOD, 1, server, topic, port)
    flood = _run(python, "flood", FLOOD, 1, server, topic, port)
    arrived, counted = _read(server.bootstrap, topic)
    cap = 20_000 + 2000 * FLOOD / flood["calls"]
    return (
        f"flood of {FLOOD:,}: {flood['calls'] / nothing['calls']:.0%} of the no-op rate; {arrived:,} messages on the "
        f"broker (cap {cap:,.0f}); delivered and suppressed: {counted:,} of {FLOOD + 1:,}"
    )


def _read(bootstrap: str, topic: str) -> tuple[int, int]:
    """How many messages the topic has, and how many records they stand for."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "bench"})
    partitions = [TopicPartition(topic, number, 0) for number in consumer.list_topics(topic).topics[topic].partitions]
    end = sum(consumer.get_watermark_offsets(partition, timeout=30)[1] for partition in partitions)
    consumer.assign(partitions)
    values: list[bytes] = []
    while len(values) < end:
        values += [message.value() or b"" for message in consumer.consume(10_000, timeout=5) if not message.error()]
    consumer.close()
    return end, sum(json.loads(value)["@fields"].get("suppressed_count", 1) for value in values)


if __name__ == "__main__":
    main()
