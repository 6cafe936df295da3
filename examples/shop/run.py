"""Runs the shop: four services and their customers, until Ctrl-C or SIGTERM.

    python examples/shop/run.py --bootstrap localhost:9092 --port-base 8100 --rate 20

The gateway listens on the first port, then come checkout, payments, db-proxy's query port and its control port.
"""

from __future__ import annotations

import argparse
import http.client
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

HERE = Path(__file__).parent
START_SECONDS = 30
STOP_SECONDS = 15


class Shop:
    """The processes, callees first; they stop the other way round, so that nobody calls into the void."""

    def __init__(self, bootstrap: str, port_base: int, rate: float, log_dir: Path) -> None:
        self.ports = [port_base + number for number in range(5)]
        self.gateway, checkout, payments, database = (f"http://127.0.0.1:{port}" for port in self.ports[:4])
        self.control = f"http://127.0.0.1:{self.ports[4]}"
        common = ("--bootstrap", bootstrap, "--log-dir", str(log_dir))
        self._services: Sequence[tuple[str, ...]] = (
            ("db_proxy.py", *self._port(3), "--control-port", str(self.ports[4]), *common),
            ("payments.py", *self._port(2), "--database", database, *common),
            ("checkout.py", *self._port(1), "--payments", payments, *common),
            ("gateway.py", *self._port(0), "--checkout", checkout, *common),
        )
        self._traffic = ("traffic.py", "--gateway", self.gateway, "--rate", str(rate))
        self._running: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Start the services, wait until they answer, let the customers in."""
        for port in self.ports:
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind(("127.0.0.1", port))
                except OSError:
                    raise SystemExit(f"port {port} is in use; choose another --port-base") from None
        for service in self._services:
            self._start(service)
        deadline = time.monotonic() + START_SECONDS
        while not all(answers(port) for port in self.ports):
            if self.ended() or time.monotonic() > deadline:
                raise SystemExit("a service of the shop did not start")
            time.sleep(0.1)
        self._start(self._traffic)

    def ended(self) -> bool:
        """Whether a process is no longer there."""
        return any(process.poll() is not None for process in self._running)

    def stop(self) -> None:
        """End all of them, customers first."""
        while self._running:
            process = self._running.pop()
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _port(self, number: int) -> tuple[str, str]:
        return "--port", str(self.ports[number])

    def _start(self, command: Sequence[str]) -> None:
        self._running.append(subprocess.Popen([sys.executable, str(HERE / command[0]), *command[1:]]))


def answers(port: int) -> bool:
    """Whether a service answers there."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def main() -> int:
    """Run until a signal comes (0) or a process ends by itself (1)."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bootstrap", default="localhost:9092", help="Kafka's bootstrap servers")
    parser.add_argument("--port-base", type=int, default=8100, help="the first of five ports")
    parser.add_argument("--rate", type=float, default=20, help="orders per second")
    parser.add_argument("--log-dir", type=Path, default=Path(tempfile.gettempdir()) / "shop-logs")
    options = parser.parse_args()
    stopped = threading.Event()

    def stop(_: int, __: FrameType | None) -> None:
        stopped.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    shop = Shop(options.bootstrap, options.port_base, options.rate, options.log_dir)
    try:
        shop.start()
        print(f"The shop is open at {shop.gateway}, {options.rate:g} orders a second; logs in {options.log_dir}")
        print(f"Break its database:  curl -X POST {shop.control}/fault/on")
        print(f"Mend it:             curl -X POST {shop.control}/fault/off", flush=True)
        while not stopped.wait(0.5):
            if shop.ended():
                print("a process of the shop has ended", file=sys.stderr)
                return 1
        return 0
    finally:
        shop.stop()


if __name__ == "__main__":
    sys.exit(main())
