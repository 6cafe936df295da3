"""What an evaluation costs: with many groups and little news, and in a storm of effects of one cause. In CPU time."""

from __future__ import annotations

import json
import resource
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from rich.console import Console
from rich.table import Table

from faultline.alerting.alerts import Evaluation
from faultline.alerting.evaluation import evaluate
from faultline.alerting.memory import Memory
from faultline.alerting.rules import Rules, load_rules
from faultline.model import ErrorCount, Labels, Notification

START = datetime(2026, 1, 1, tzinfo=UTC)
BUCKET = timedelta(seconds=10)
RULES, HOSTS, SYMPTOMS = 100, 100, 5_000


def main() -> None:
    """Print both tables."""
    console = Console()
    console.print(_pokes())
    console.print(_storm())


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


def _storm() -> Table:
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
    news = {
        0: [count(0, 9, service="app", cluster="c", host=f"h{n}") for n in range(SYMPTOMS)],
        1: [count(1, 9, service="node", cluster="c", host=f"h{n}") for n in range(SYMPTOMS)],
        4: [count(4, 9, service="root", cluster="c")],
    }
    spent, sent = 0.0, list[Notification]()
    for second in range(180):
        cpu, evaluation = timed(memory, second, news.get(second, ()))
        spent, sent = spent + cpu, [*sent, *evaluation.notifications]
    pages = [each for each in sent if each.kind == "firing"]
    table = Table("what", "figure", title=f"1 root, twice {SYMPTOMS:,} effects that come first; 180 evaluations")
    table.add_row("pages", str(len(pages)))
    table.add_row("of effects", str(sum(page.alert.alert.rule != "Root" for page in pages)))
    table.add_row("effects named in the page", f"{len(pages[0].suppressed):,}")
    table.add_row("CPU s", f"{spent:.1f}")
    table.add_row("peak MiB of the process", f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024:,}")
    return table
