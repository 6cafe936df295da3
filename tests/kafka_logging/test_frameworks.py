"""The examples of docs/handler.md under the programs they are for, on a real broker."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from dev.ports import free_ports
from dev.programs import wait_until
from tests.kafka_logging.broker import new_topic, read_all
from tests.processes import Started

GUIDE = (Path(__file__).resolve().parents[2] / "docs" / "handler.md").read_text(encoding="utf-8")


@pytest.fixture
def topic() -> str:
    return new_topic()


def example(title: str, kafka: str, topic: str) -> str:
    """The code below a title of the guide, for this broker and topic; nothing is sent before somebody flushes."""
    found = re.search(rf"^### {title}\n.*?```python\n(.*?)```", GUIDE, re.DOTALL | re.MULTILINE)
    assert found, title
    code = found.group(1).replace("kafka-1:9092", kafka).replace('"app-logs"', f'"{topic}", linger_ms=60_000')
    return re.sub(r'"topic": (".*?"), linger_ms=60_000', r'"topic": \1, "linger_ms": 60_000, "flush_timeout": 60', code)


def messages(kafka: str, topic: str) -> list[str]:
    """What the logger ``shop`` has sent, all of it."""
    found = [json.loads(message.value() or b"") for message in read_all(kafka, topic)]
    return sorted(line["@message"] for line in found if line["@fields"]["name"] == "shop")


def run(folder: Path, *command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True, timeout=120, check=True
    )


def test_django(kafka: str, topic: str, tmp_path: Path) -> None:
    (tmp_path / "settings.py").write_text(example("Django", kafka, topic))
    program = "import django, logging; django.setup(); logging.getLogger('shop').error('paid')"
    run(tmp_path, sys.executable, "-c", program, DJANGO_SETTINGS_MODULE="settings", PYTHONPATH=".")
    assert messages(kafka, topic) == ["paid"]


FLASK_APP = """
import logging, os
from flask import Flask

app = Flask(__name__)

@app.get("/<order>")
def pay(order):
    logging.getLogger("shop").info("paid %s", order)
    return str(os.getpid())
"""


class Web:
    """gunicorn with two workers."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.process = process
        self._url = f"http://127.0.0.1:{port}"

    def pay(self, orders: list[str]) -> set[int]:
        """Which workers did it."""
        with ThreadPoolExecutor(4) as pool:
            return {int(pid) for pid in pool.map(self._get, orders)}

    def alive(self) -> bool:
        return self.process.poll() is None

    def answers(self) -> bool:
        try:
            return bool(self._get("favicon.ico"))
        except urllib.error.URLError:
            return False

    def _get(self, path: str) -> bytes:
        with urllib.request.urlopen(f"{self._url}/{path}", timeout=60) as answer:
            body: bytes = answer.read()
            return body


@contextmanager
def gunicorn(folder: Path, *options: str) -> Iterator[Web]:
    port = free_ports(["web"])["web"]
    command = [sys.executable, "-m", "gunicorn", "-b", f"127.0.0.1:{port}", "-w", "2", "--no-control-socket"]
    command += ["--graceful-timeout", "5", *options, "shop:app"]
    log = folder / "gunicorn.log"
    with log.open("wb") as file, Started(command, cwd=folder, stdout=file, stderr=file) as process:
        web = Web(process, port)
        try:
            wait_until(web.answers, "gunicorn", log, web.alive)
            yield web
        finally:
            process.terminate()
            process.wait(60)


@pytest.mark.parametrize("kind", ["sync", "gthread", "gevent"])
def test_gunicorn_with_preload_app(kafka: str, topic: str, tmp_path: Path, kind: str) -> None:
    (tmp_path / "gunicorn.conf.py").write_text(example("Flask under gunicorn", kafka, topic))
    (tmp_path / "shop.py").write_text(FLASK_APP)
    orders = [f"a-{number:02d}" for number in range(40)]
    with gunicorn(tmp_path, "-k", kind) as web:
        before = web.pay(orders[:20])
        web.process.send_signal(signal.SIGHUP)
        wait_until(lambda: before.isdisjoint(web.pay(["x"])), "gunicorn", tmp_path / "gunicorn.log", web.alive)
        web.pay(orders[20:])
    assert web.process.returncode == 0
    paid = set(messages(kafka, topic))
    assert paid >= {f"paid {order}" for order in orders}


CELERY_APP = """
import logging, os, signal, threading, time
from pathlib import Path
from celery import Celery
from celery.signals import worker_ready

app = Celery("shop", broker="memory://")
done = Path("done")

@app.task
def pay(number):
    logging.getLogger("shop").info("paid %d", number)
    with done.open("ab") as file:
        file.write(b".")

@worker_ready.connect
def send_all(**_):
    for number in range(40):
        pay.delay(number)
    threading.Thread(target=end, daemon=True).start()

def end():
    while not done.exists() or done.stat().st_size < 40:
        time.sleep(0.05)
    os.kill(os.getpid(), signal.SIGTERM)
"""


def test_celerys_prefork_pool(kafka: str, topic: str, tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(example("Celery", kafka, topic) + CELERY_APP)
    run(tmp_path, sys.executable, "-m", "celery", "-A", "shop", "worker", "-c", "2", "-P", "prefork")
    assert messages(kafka, topic) == sorted(f"paid {number}" for number in range(40))


GREENLETS = """
from gevent import monkey
monkey.patch_all()

import logging, sys
import gevent
from kafka_logging import KafkaLoggingHandler

handler = KafkaLoggingHandler(sys.argv[1], sys.argv[2], flush_timeout=60, message_timeout_ms=int(sys.argv[3]))
logger = logging.getLogger("shop")
logger.addHandler(handler)

def work(name):
    for number in range(50):
        logger.error("%s %02d", name, number)
        gevent.sleep(0)

gevent.joinall([gevent.spawn(work, name) for name in "abcdefgh"])
while handler.stats().failed < int(sys.argv[4]):  # counted by the poll thread, beside the greenlets
    gevent.sleep(0.01)
"""


def test_greenlets_log_and_all_arrives_at_the_end(kafka: str, topic: str, tmp_path: Path) -> None:
    run(tmp_path, sys.executable, "-c", GREENLETS, kafka, topic, "60000", "0")
    assert messages(kafka, topic) == [f"{name} {number:02d}" for name in "abcdefgh" for number in range(50)]


def test_greenlets_go_on_while_there_is_no_broker(tmp_path: Path) -> None:
    run(tmp_path, sys.executable, "-c", GREENLETS, "127.0.0.1:1", "logs", "500", "400")
