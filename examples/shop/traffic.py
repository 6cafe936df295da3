"""Customers: sends orders to the gateway at a steady rate, however slowly they are answered."""

from __future__ import annotations

import argparse
import http.client
import json
import random
import signal
import threading
import time
import uuid
from urllib.parse import urlsplit

BROWSERS = ("Mozilla/5.0 (X11; Linux x86_64)", "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0)", "shop-app/2.1")


def send_order(gateway: str) -> None:
    """One order; whether it is placed is the shop's business."""
    order = {"id": uuid.uuid4().hex[:8], "amount": round(random.uniform(5, 200), 2)}
    headers = {"User-Agent": random.choice(BROWSERS), "Referer": "http://shop.example/cart"}
    connection = http.client.HTTPConnection(urlsplit(gateway).netloc, timeout=30)
    try:
        connection.request("POST", "/order", json.dumps(order), headers)
        connection.getresponse().read()
    except (OSError, http.client.HTTPException):
        pass  # an impatient customer goes away
    finally:
        connection.close()


def main() -> None:
    """Orders until SIGTERM or Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gateway", required=True, help="such as http://127.0.0.1:8100")
    parser.add_argument("--rate", type=float, default=20, help="orders per second")
    options = parser.parse_args()
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, lambda *_: stop.set())
    due = time.monotonic()
    while not stop.wait(max(0.0, due - time.monotonic())):
        threading.Thread(target=send_order, args=(options.gateway,), daemon=True).start()
        due += 1 / options.rate


if __name__ == "__main__":
    main()
