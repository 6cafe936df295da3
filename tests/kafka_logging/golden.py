"""Records that logstash_formatter 0.5.17 formatted into ``golden_v0.json``, our formatter's measure.

In an environment that has ``logstash_formatter==0.5.17``, ``python golden.py`` next to this file writes it anew.
"""

from __future__ import annotations

import decimal
import enum
import json
import logging
import uuid
from collections.abc import Callable
from datetime import date, datetime, time, timedelta, timezone
from pathlib import Path
from typing import Any, NamedTuple

GOLDEN = Path(__file__).with_name("golden_v0.json")
FORMAT = '{"extra": {"appName": "shop", "environment": "test"}, "source_host": "web-1"}'


class Colour(enum.Enum):
    RED = 1


class Level(enum.IntEnum):
    HIGH = 9


class Size(enum.StrEnum):
    LARGE = "large"


class Point(NamedTuple):
    x: int
    y: int


def record(msg: Any = "paid", args: Any = (), **more: Any) -> logging.LogRecord:
    """A record as a logger makes it, but with nothing in it of this run or this machine."""
    made = logging.LogRecord("shop.payments", logging.ERROR, "/srv/shop/payments.py", 42, msg, args, None, "pay")
    made.__dict__.update(
        created=1780000000.123456, msecs=123.0, relativeCreated=12.5, thread=7, threadName="MainThread",
        process=99, processName="MainProcess", **more,
    )  # fmt: skip
    return made


def failed() -> Any:
    """The exc_info of an error raised in a file that is not there."""
    try:
        exec(compile("def pay():\n    return 1 / 0\npay()", "/srv/shop/payments.py", "exec"), {})
    except ZeroDivisionError as error:
        return type(error), error, error.__traceback__.tb_next if error.__traceback__ else None


CASES: dict[str, tuple[str | None, Callable[[], logging.LogRecord]]] = {
    "plain message": (FORMAT, record),
    "no options but the host": ('{"source_host": "web-1"}', record),
    "positional args": (FORMAT, lambda: record("order %s costs %d of %.2f", ("a-1", 3, 2.5))),
    "args as a mapping": (FORMAT, lambda: record("order %(id)s", ({"id": 7},))),
    "unicode": (FORMAT, lambda: record("支付失败 %s", ("ÿ😀",))),
    "scalar extras": (FORMAT, lambda: record(request_id="r-1", user=17, ratio=0.25, vip=True, coupon=None)),
    "nested extras": (FORMAT, lambda: record(cart={"items": [1, {"sku": "x"}], "pair": (1, 2)})),
    "keys that are not text": (FORMAT, lambda: record(stock={7: "a", None: "b", True: "c", 2.5: "d"})),
    "times": (
        FORMAT,
        lambda: record(
            at=datetime(2026, 5, 1, 12, 30, 1, 5),  # noqa: DTZ001 - what applications log
            zoned=datetime(2026, 5, 1, tzinfo=timezone(timedelta(hours=8))),
            day=date(2026, 5, 1),
            clock=time(1, 2, 3),
            took=timedelta(seconds=90),
        ),
    ),
    "enums": (FORMAT, lambda: record("%s", (Colour.RED,), colour=Colour.RED, level=Level.HIGH, size=Size.LARGE)),
    "enum deep in a list": (FORMAT, lambda: record(colours=[[Colour.RED]])),
    "named tuple": (FORMAT, lambda: record(point=Point(1, 2))),
    "other objects": (
        FORMAT,
        lambda: record(price=decimal.Decimal("1.10"), id=uuid.UUID(int=5), raw=b"\xff", error=ValueError("no")),
    ),
    "integers beyond 64 bits": (FORMAT, lambda: record(big=2**70)),
    "dict as the message": (FORMAT, lambda: record({"order": "a-1", "name": "replaced", "n": 1})),
    "exception": (FORMAT, lambda: record(exc_info=failed())),
    "exception() outside an except": (FORMAT, lambda: record(exc_info=(None, None, None))),
    "text that another handler cached": (
        FORMAT,
        lambda: record(exc_text="Traceback …", message="paid", asctime="noon"),
    ),
    "stack_info": (FORMAT, lambda: record(stack_info="Stack (most recent call last): …")),
    "extra over a field of the line": (
        '{"extra": {"@message": "never seen", "zone": "a"}, "source_host": "web-1"}',
        lambda: record("seen"),
    ),
    "@fields in extra": (
        '{"extra": {"@fields": {"zone": "a", "lineno": 1}}, "source_host": "web-1"}',
        lambda: record(user=1),
    ),
}


def write() -> None:
    """Format every case with logstash_formatter."""
    import logstash_formatter

    lines = {
        name: json.loads(logstash_formatter.LogstashFormatter(options).format(build()))
        for name, (options, build) in CASES.items()
    }
    for line in lines.values():
        del line["@timestamp"]  # of the run, not of the record
    GOLDEN.write_text(json.dumps(lines, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write()
