"""Which port each server listens on: fixed offsets from one base, or any free ones for tests."""

from __future__ import annotations

import os
import random
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dev.errors import DevError

DEFAULT_BASE = 19000
VARIABLE = "FAULTLINE_PORT_BASE"

OFFSETS = {
    "kafka": 0,
    "kafka-controller": 1,
    "namenode": 10,
    "namenode-http": 11,
    **{f"datanode-{number}{kind}": 20 + 3 * number + add
       for number in range(3) for add, kind in enumerate(("", "-http", "-ipc"))},
    "postgres": 40,
    "airflow": 50,
    "airflow-worker-logs": 51,
    "airflow-trigger-logs": 52,
    "supervisor": 60,
    "webhook": 70,
    **{f"shop-{number}": 80 + number for number in range(8)},
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Ports:
    """A port on 127.0.0.1 for each name."""

    numbers: Mapping[str, int]

    def __getitem__(self, name: str) -> int:
        return self.numbers[name]

    def address(self, name: str) -> str:
        """``127.0.0.1:PORT``."""
        return f"127.0.0.1:{self.numbers[name]}"

    def check_free(self, names: Iterable[str]) -> None:
        """DevError that names every port some other program listens on."""
        busy = [f"{self.numbers[name]} ({name})" for name in names if not is_free(self.numbers[name])]
        if busy:
            raise DevError(
                f"in use by another program: port {', '.join(busy)}. "
                f"Stop that program, or set {VARIABLE} to another base port (now {self.base_text()}), such as "
                f"{VARIABLE}={self.numbers['kafka'] + 200}."
            )

    def base_text(self) -> str:
        """The base port as a person would look for it in the environment."""
        return os.environ.get(VARIABLE, f"{DEFAULT_BASE}, the default")


def from_base(environ: Mapping[str, str] = os.environ) -> Ports:
    """The ports of ``make up``: ``FAULTLINE_PORT_BASE`` and the 100 after it."""
    text = environ.get(VARIABLE, str(DEFAULT_BASE))
    if not text.isdecimal() or not 1024 <= int(text) <= 65435:
        raise DevError(f"{VARIABLE} is {text!r}; it must be a number from 1024 to 65435")
    return Ports({name: int(text) + offset for name, offset in OFFSETS.items()})


def free_ports(names: Iterable[str] = OFFSETS) -> Ports:
    """A free port for each name, below the range from which the kernel gives ports to outgoing connections.

    So a server that is stopped and started again finds its port as it left it.
    """
    candidates = iter(random.sample(range(20_000, 32_000), 4_000))
    return Ports({name: next(port for port in candidates if is_free(port)) for name in names})


def is_free(port: int) -> bool:
    """Whether a server could listen on 127.0.0.1:port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
