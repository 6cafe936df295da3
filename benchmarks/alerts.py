"""What an evaluation costs: with many groups and little news, a key at a time beside elastalert2, in a storm of effects
of one cause, and of a test file. In CPU time.
"""

from __future__ import annotations

import gc
import json
import multiprocessing
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random

import psutil
from rich.console import Console
from rich.table import Table

from benchmarks.workers import peak
from faultline.alerting.alerts import Evaluation
from faultline.alerting.evaluation import evaluate
from faultline.alerting.memory import Memory
from faultline.alerting.rehearsal import rehearse
from faultline.alerting.rules import Rules, load_rules
from faultline.model import ErrorCount, Labels, Notification
from tests.differential.peer import ElastAlert

START = datetime(2026, 1, 1, tzinfo=UTC)
BUCKET = timedelta(seconds=10)
RULES, HOSTS, SYMPTOMS = 100, 100, 5_000
KEYS, BUCKETS = 1_000, 200
# Twice what a key has in five minutes; one in a hundred has ten times as much, and fires all the time.
NUM_EVENTS, LOUD = 120, 100


def main() -> None:
    """Print the tables."""
    console = Console()
    console.print(_pokes())
    console.print(_rows())
    # Each storm in a process of its own, for its memory.
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), max_tasks_per_child=1) as processes:
        console.print(_storms([processes.submit(storm, order).result() for order in ORDERS]))
    console.print(_rehearsals())


def rules_of(rules: Sequence[object], **parts: object) -> Rules:
    """A rules file with one receiver."""
    file = {"groups": [{"name": "bench", "rules": rules}], "route": {"receiver": "ops"}, "receivers": [{"name": "ops"}]}
    return load_rules(json.dumps({**file, **parts}))


def count(second: int, number: int, **labels: str) -> ErrorCount:
    """So many records at a second."""
    at, bucket = START + timedelta(seconds=second), START + timedelta(seconds=second // 10 * 10)
    return ErrorCount(bucket, Labels(labels, topic="logs"), number, at, at, sample="refused", sample_offset=second)


def timed(memory: Memory, second: float, rows: Iterable[ErrorCount] = ()) -> tuple[float, Evaluation]:
    """One evaluation, half a minute behind the clock, and its CPU seconds."""
    at = START + timedelta(seconds=second)
    begun = time.process_time()
    evaluation = evaluate(memory, rows, at=at, watermark=at - timedelta(seconds=30))
    return time.process_time() - begun, evaluation


def _pokes() -> Table:
    rules = [
        {"alert": f"R{n}", "matchers": [f'service="s{n}"'], "query_key": ["host"], "num_events": 5, "timeframe": "5m"}
        for n in range(RULES)
    ]
    memory = Memory.restore(rules_of(rules), BUCKET)
    groups = [(f"s{rule}", f"h{host}") for rule in range(RULES) for host in range(HOSTS)]
    rows = [count(at, 1, service=service, host=host) for at in range(0, 300, 10) for service, host in groups]
    begun = time.process_time()
    memory.tallies.add(rows)
    adding = time.process_time() - begun
    table = Table("what", "CPU ms", title=f"{RULES} rules, {len(groups):,} groups that fire")
    table.add_row(f"add {len(rows):,} rows of counts ({len(rows) / adding:,.0f} rows/s)", f"{1000 * adding:,.1f}")
    table.add_row("first evaluation: all fire", f"{1000 * timed(memory, 299)[0]:,.1f}")
    timed(memory, 299.2)
    table.add_row("nothing new", f"{1000 * timed(memory, 299.4)[0]:,.1f}")
    timed(memory, 300)
    table.add_row("a bucket closes", f"{1000 * timed(memory, 310)[0]:,.1f}")
    news = [count(311, 1, service=service, host=host) for service, host in groups[::10]]
    table.add_row("1,000 new rows", f"{1000 * timed(memory, 311, news)[0]:,.1f}")
    return table


def _rows() -> Table:
    """The same counts, a row for each key and bucket, to a frequency rule of ours and one of elastalert2's."""
    rng = Random(1)
    numbers = [[rng.randint(1, 3) * (1 if key % LOUD else 10) for key in range(KEYS)] for _ in range(BUCKETS)]
    labels = [Labels(host=f"h{key}", topic="logs") for key in range(KEYS)]
    counts = [_counts(labels, 10 * number, each) for number, each in enumerate(numbers)]
    steps = [
        ("terms", 10 * number, [(f"h{key}", count) for key, count in enumerate(each)])
        for number, each in enumerate(numbers)
    ]
    with ElastAlert() as peer:
        options = {"num_events": NUM_EVENTS, "timeframe": 300, "query_key": "host"}
        theirs = min(peer.run("FrequencyRule", options, steps).processor for _ in range(3))
    each = min(_evaluated([[rows] for rows in counts]) for _ in range(3))
    once = min(_evaluated([counts]) for _ in range(3))
    table = Table("what", "rows/s", "/ elastalert2", title=f"{KEYS * BUCKETS:,} rows of {KEYS:,} keys, frequency")
    for what, seconds in (
        ("evaluated after each bucket, as live", each),
        ("evaluated once, as after a stop", once),
        ("peer: elastalert2's FrequencyRule.add_terms_data", theirs),
    ):
        table.add_row(what, f"{KEYS * BUCKETS / seconds:,.0f}", f"{theirs / seconds:.1f}")
    return table


def _counts(labels: Sequence[Labels], second: int, numbers: Sequence[int]) -> list[ErrorCount]:
    """A row for each key, with times of its own, as the database hands them over."""
    rows = []
    for each, number in zip(labels, numbers, strict=True):
        at = START + timedelta(seconds=second)
        rows.append(ErrorCount(at + timedelta(0), each, number, at, at, sample="refused", sample_offset=second))
    return rows


def _evaluated(pokes: Sequence[Sequence[list[ErrorCount]]]) -> float:
    """CPU seconds of an evaluation for each of the pokes, which bring the rows of some buckets."""
    rule = {"alert": "R", "query_key": ["host"], "num_events": NUM_EVENTS, "timeframe": "5m"}
    memory, bucket, spent = Memory.restore(rules_of([rule]), BUCKET), 0, 0.0
    # The rows are there before: they are not what is measured, so the collector need not look at them either.
    gc.collect()
    gc.freeze()
    for poke in pokes:
        bucket += len(poke)
        spent += timed(memory, 10 * bucket - 1, [row for rows in poke for row in rows])[0]
    gc.unfreeze()
    return spent


# Who is seen first, and when: all within what the holds add up to.
ORDERS: Mapping[str, tuple[int, int, int]] = {
    "root, middle, leaves": (0, 1, 4),
    "leaves, middle, root": (4, 1, 0),
    "middle, leaves, root": (4, 0, 1),
}


@dataclass(frozen=True, slots=True)
class Storm:
    """What became of one: pages, those of effects, effects that the page names; CPU seconds and peak MiB."""

    order: str
    pages: int
    leaks: int
    named: int
    processor: float
    memory: int


def storm(order: str) -> Storm:
    """One root and twice so many effects of it, over two levels; 180 evaluations, one a second."""
    options = {"num_events": 5, "timeframe": "1m"}
    rules = [
        {"alert": "Root", "matchers": ['service="root"'], "query_key": ["cluster"], **options},
        {"alert": "Node", "matchers": ['service="node"'], "query_key": ["cluster", "host"], **options},
        {"alert": "App", "matchers": ['service="app"'], "query_key": ["cluster", "host"], **options},
    ]
    edges = [
        {"cause": "Root", "effect": "Node", "equal": ["cluster"]},
        {"cause": "Node", "effect": "App", "equal": ["cluster", "host"]},
    ]
    chains = [{"name": "storm", "edges": edges, "hold": "10s", "recovery_grace": "30s"}]
    route = {"receiver": "ops", "group_wait": "5s"}
    memory = Memory.restore(rules_of(rules, chains=chains, route=route), BUCKET)
    root, middle, leaves = ORDERS[order]
    news = {
        root: [count(root, 9, service="root", cluster="c")],
        middle: [count(middle, 9, service="node", cluster="c", host=f"h{n}") for n in range(SYMPTOMS)],
        leaves: [count(leaves, 9, service="app", cluster="c", host=f"h{n}") for n in range(SYMPTOMS)],
    }
    spent, sent = 0.0, list[Notification]()
    for second in range(180):
        cpu, evaluation = timed(memory, second, news.get(second, ()))
        spent, sent = spent + cpu, [*sent, *evaluation.notifications]
    pages = [each for each in sent if each.kind == "firing"]
    return Storm(
        order,
        len(pages),
        sum(page.alert.alert.rule != "Root" for page in pages),
        len(pages[0].suppressed),
        spent,
        round(peak(psutil.Process())),
    )


def _storms(storms: Iterable[Storm]) -> Table:
    title = f"1 root, twice {SYMPTOMS:,} effects within the hold; 180 evaluations"
    table = Table("seen in the order", "pages", "of effects", "effects it names", "CPU s", "peak MiB", title=title)
    for each in storms:
        figures = (each.pages, each.leaks, f"{each.named:,}", f"{each.processor:.1f}", each.memory)
        table.add_row(each.order, *map(str, figures))
    return table


def _rehearsals() -> Table:
    table = Table("evaluated every", "CPU s", title=f"a test file: 1,000 minutes of {RULES} rules that fire once each")
    for every in ("10s", "1m"):
        text = _test_file(every)
        table.add_row(every, f"{min(_processor(lambda text=text: rehearse(text, '', str)) for _ in range(3)):.2f}")
    return table


def _test_file(every: str) -> str:
    """Services that fail for nine minutes, one after the other, each the cause of the next two."""
    rules = [
        {"alert": f"R{n}", "matchers": [f'service="s{n}"'], "query_key": ["host"], "num_events": 20, "timeframe": "5m"}
        for n in range(RULES)
    ]
    chains = [
        {"name": f"c{n}", "path": [f"R{n}", f"R{n + 1}", f"R{n + 2}"], "equal": ["host"], "hold": "30s"}
        for n in range(0, RULES - 2, 3)
    ]
    series = [
        {
            "topic": "logs",
            "labels": {"service": f"s{n}", "host": "h"},
            "every": "1m",
            "counts": f"0x{9 * n} 30x9 0x{980 - 9 * n}",
        }
        for n in range(RULES)
    ]
    file = {"groups": [{"name": "g", "rules": rules}], "chains": chains, "receivers": [{"name": "ops"}]}
    file["route"] = {"receiver": "ops"}
    return json.dumps({"rules": file, "evaluate_every": every, "tests": [{"name": "hours", "series": series}]})


def _processor(work: Callable[[], object]) -> float:
    """CPU seconds."""
    begun = time.process_time()
    work()
    return time.process_time() - begun


if __name__ == "__main__":
    main()
