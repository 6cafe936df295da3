"""Records that logstash_formatter 0.5.17 and our formatters are given, to write the same lines."""

from __future__ import annotations

import dataclasses
import decimal
import enum
import logging
import uuid
from collections.abc import Callable
from datetime import date, datetime, time, timedelta, timezone
from typing import Any, NamedTuple

FORMAT = '{"extra": {"appName": "shop", "environment": "test"}, "source_host": "web-1"}'


class Colour(enum.Enum):
    RED = 1


class Level(enum.IntEnum):
    HIGH = 9


class Size(enum.StrEnum):
    LARGE = "large"


class Money(decimal.Decimal):
    """A value of a type that is no JSON type but extends one that has a text."""


@dataclasses.dataclass
class Order:
    number: int


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


def failed_because() -> Any:
    """The same as the cause of another error, which has a note."""
    code = """
def pay():
    try:
        return 1 / 0
    except ZeroDivisionError as error:
        failure = RuntimeError("支付失败")
        failure.add_note("order a-1")
        raise failure from error
pay()"""
    try:
        exec(compile(code, "/srv/shop/payments.py", "exec"), {})
    except RuntimeError as error:
        return type(error), error, error.__traceback__.tb_next if error.__traceback__ else None


def failed_twice() -> Any:
    """A group of errors without a traceback."""
    error = ExceptionGroup("two of two", [ValueError("one"), OSError(2, "two")])
    return type(error), error, None


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
    "@fields in extra that a record repeats": (
        '{"extra": {"@fields": {"user": 2}}, "source_host": "web-1"}',
        lambda: record(user=1),
    ),
    "extra named as V1's fields": (
        '{"extra": {"source_host": "never seen", "@version": 3, "message": "never seen"}, "source_host": "web-1"}',
        record,
    ),
    "a field over a field of the line": (FORMAT, lambda: record(**{"@timestamp": "a", "source_host": "b"})),
    "no extras at all, no args": (FORMAT, lambda: record("disk full", None)),
    "message that is no text": (FORMAT, lambda: record(ValueError("no"))),
    "message that is None": (FORMAT, lambda: record(None)),
    "percent signs without args": (FORMAT, lambda: record("100 % of %s")),
    "braces that are no template": (FORMAT, lambda: record('{"json": {"a": 1}} {} {0} {')),
    "Chinese keys and values": (FORMAT, lambda: record(订单=["甲", {"金额": 3}])),
    "emoji and control characters": (FORMAT, lambda: record("a\x00\n\t\u2028😀", note="\x1b[31m")),
    "sets and frozen sets": (FORMAT, lambda: record(tags={"a"}, fixed=frozenset({1}))),
    "iterators and classes": (FORMAT, lambda: record(kind=Point, numbers=range(3), nothing=...)),
    "bytes of all kinds": (FORMAT, lambda: record(raw=b"a", array=bytearray(b"b"))),
    "a dataclass": (FORMAT, lambda: record(order=Order(5))),
    "a subclass of an unknown type": (FORMAT, lambda: record(price=Money("1.20"), complex=1j)),
    "extreme numbers": (FORMAT, lambda: record(tiny=5e-324, huge=1.7e308, least=-(2**63), zero=-0.0)),
    "integers at 64 bits": (FORMAT, lambda: record(signed=2**63 - 1, unsigned=2**64 - 1)),
    "empty things": (FORMAT, lambda: record("", (), text="", items=[], map={}, pair=())),
    "empty key, dotted key, key with quotes": (FORMAT, lambda: record(**{"": 1, "a.b": 2, 'c"d\\': 3})),
    "keys that meet as text": (FORMAT, lambda: record(stock={1: "a", "1": "b"})),
    "text enum as a key": (FORMAT, lambda: record(stock={Size.LARGE: 1})),
    "dict deep in dicts": (FORMAT, lambda: record(a={"b": {"c": {"d": [{"e": {"f": None}}]}}})),
    "args of every kind": (
        FORMAT,
        lambda: record("%s %s %s %s", (None, [1], {"a": b"x"}, datetime(2026, 5, 1))),  # noqa: DTZ001 - as above
    ),
    "dict message with msg, message and exc_info": (
        FORMAT,
        lambda: record({"msg": "a", "message": "b", "exc_info": None}),
    ),
    "dict message with values of all types": (FORMAT, lambda: record({"at": date(2026, 5, 1), "who": Colour.RED})),
    "empty dict as the message": (FORMAT, lambda: record({})),
    "dict message with an exception": (FORMAT, lambda: record({"order": 1}, exc_info=failed())),
    "exception with a cause and a note": (FORMAT, lambda: record("支付", exc_info=failed_because())),
    "group of exceptions": (FORMAT, lambda: record(exc_info=failed_twice())),
    "exception with stack_info and extras": (
        FORMAT,
        lambda: record("no", exc_info=failed(), stack_info="Stack …", user=1),
    ),
    "exc_info that is False": (FORMAT, lambda: record(exc_info=False)),
}
