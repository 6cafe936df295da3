"""What varies from one occurrence to the next does not tell two errors apart; everything else does."""

from __future__ import annotations

import pyarrow as pa
import pytest

from faultline.records.fingerprints import fingerprint, substance
from faultline.records.stacks import exception_type

SAME = {
    "numbers": ("order 17 failed after 0.5 s", "order 4711 failed after 12 s"),
    "long numbers": ("order 17 failed", "order 1234567890 failed"),
    "thousands": ("read 1,234.5 of 9", "read 7 of 1,000,000"),
    "hex ids": ("span 4bf92f3577b34da6 lost", "span 00f067aa0ba902b7 lost"),
    "0x": ("at 0x7f3a", "at 0xDEADBEEF01"),
    "uuids": ("user 5f0c2a4e-9a3b-4c1d-8e2f-0123456789ab", "user 00000000-0000-0000-0000-000000000000"),
    "pods": ("pod web-7d4b9c6f5-x2x9z died", "pod web-5c9f8b7d6-q7w2k died"),
    "ulids": ("cart 01ARZ3NDEKTSV4RRFFQ69G5FAV", "cart 01BX5ZZKBKACTAV9WEVGEMMVRZ"),
    "lists": ("id in (1, 2, 3)", "id in (17)"),
    "ipv4 and port": ("connect to 10.0.0.1:5432 refused", "connect to 192.168.7.20:5433 refused"),
    "ipv6": ("peer fe80::1:2:3 gone", "peer 2001:db8:0:0:0:0:0:9 gone"),
    "ipv6 and port": ("connect to [::1]:80", "connect to [2001:db8::1]:443"),
    "mail": ("mail to ann@example.org", "mail to bob.b@mail.example.com"),
    "paths": ("cannot open /var/lib/a/b.txt: busy", "cannot open /tmp/c: busy"),
    "windows paths": (r"cannot open C:\a\b.txt", r"cannot open D:\c"),
    "network paths": (r"cannot open \\host\a", r"cannot open C:\b"),
    "urls": ("GET https://a.example/x?y=1 failed", "GET http://b.example:80/ failed"),
    "quoted": ("no key 'abc' here", "no key 'x y z' here"),
    "double quoted": ('bad value "abc"', 'bad value ""'),
    "times": ("late: 2026-11-22T11:00:00.123Z", "late: 2026-11-23 01:02:03,4 +0800"),
    "times of day": ("since 11:00:00", "since 1:02:03.5"),
    "colours": ("\x1b[31mrefused\x1b[0m", "refused"),
}
DIFFERENT = {
    "words": ("connection refused", "connection reset"),
    "apostrophes": ("can't read, don't care", "can't write, don't care"),
    "slashes inside words": ("read/write", "read/only"),
    "names with colons": ("Cart::pay failed", "Cart::ship failed"),
    "nothing and something": ("", "x"),
}

PYTHON = """Traceback (most recent call last):
  File "/srv/shop/pay.py", line 88, in charge
    card.charge(amount)
  File "/opt/venv/lib/python3.12/site-packages/requests/api.py", line 59, in post
    return request("post", url)
  File "/usr/lib/python3.12/socket.py", line 850, in create_connection
    ~~~~~~~^^^
shop.errors.CardRefused: card 17
"""
CHAINED = """Traceback (most recent call last):
  File "/srv/shop/db.py", line 7, in read
KeyError: 17

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/srv/shop/pay.py", line 88, in charge
shop.errors.CardRefused: card 17
"""
JAVA = """java.lang.IllegalStateException: closed
\tat com.shop.pay.Card.charge(Card.java:88)
\tat com.shop.pay.Card.lambda$charge$3(Card.java:90)
\tat java.base/java.util.ArrayList.forEach(ArrayList.java:1511)
\tat org.springframework.web.Servlet.service(Servlet.java:7)
Caused by: java.io.IOException: reset
\tat com.shop.db.Db.read(Db.java:2)
\t... 3 more
"""
JAVASCRIPT = """TypeError: Cannot read properties of undefined (reading 'id')
    at charge (/srv/app/src/pay.js:10:5)
    at async Object.<anonymous> (/srv/app/src/index.js:1:2)
    at /srv/app/dist/main.3f2a1bc9.js:1:2
    at Layer.handle (/srv/app/node_modules/express/lib/router/layer.js:95:5)
    at process.processTicksAndRejections (node:internal/process/task_queues:95:5)
"""
DOTNET = r"""System.InvalidOperationException: closed
 ---> System.IO.IOException: reset
   at Shop.Pay.Card.Charge(String id) in C:\src\Card.cs:line 88
   at System.Linq.Enumerable.First[T](IEnumerable`1 source)
"""
GO = """goroutine 1 [running]:
main.(*Card).charge(0xc000012345, 0x1)
\t/srv/shop/pay.go:88 +0x1d
net/http.(*conn).serve(0xc0000)
\t/usr/local/go/src/net/http/server.go:2000 +0x1
"""
# What is hashed, and the hash. These never change: a better recipe is a new version.
GOLDEN = {
    "a message": (
        (None, "connection to db-1:5432 refused after 3 tries", None),
        "\nconnection to db-<n>:<n> refused after <n> tries",
        "v1:56365a831a95",
    ),
    "a type and a message": (("KeyError", "no key 'a'", None), "KeyError\nno key <str>", "v1:7c9100291ff1"),
    "nothing": ((None, None, None), "\n", "v1:01ba4719c80b"),
    "python": (("shop.errors.CardRefused", "x", PYTHON), "shop.errors.CardRefused\npay.py:charge", "v1:91d9124a965a"),
    "python, chained": ((None, "x", CHAINED), "shop.errors.CardRefused\ndb.py:read\npay.py:charge", "v1:300d26e6e427"),
    "java": (
        (None, "x", JAVA),
        "java.lang.IllegalStateException\ncom.shop.pay.Card.charge\ncom.shop.pay.Card.lambda$charge$0\n"
        "com.shop.db.Db.read\ncaused by java.io.IOException",
        "v1:73e97e91efc3",
    ),
    "javascript": (
        (None, "x", JAVASCRIPT),
        "TypeError\npay.js:charge\nindex.js:Object.<anonymous>\nmain.0.js:",
        "v1:a34a29216c60",
    ),
    ".net": (
        (None, "x", DOTNET),
        "System.InvalidOperationException\nShop.Pay.Card.Charge\ncaused by System.IO.IOException",
        "v1:995e816ca6d3",
    ),
    "go": ((None, "boom", GO), "\npay.go:main.(*Card).charge", "v1:f09e0ad61215"),
    "only libraries": (
        (None, "x", PYTHON.replace("/srv/shop", "/usr/lib/python3.12")),
        "shop.errors.CardRefused\npay.py:charge\napi.py:post\nsocket.py:create_connection",
        "v1:b326e4de7fd0",
    ),
    "a stack without frames": (("E", "order 7", "at some point"), "E\norder <n>", "v1:6c28ac585690"),
}  # fmt: skip


@pytest.mark.parametrize(("one", "other"), SAME.values(), ids=SAME)
def test_the_same_error_has_one_fingerprint(one: str, other: str) -> None:
    assert fingerprint("E", one) == fingerprint("E", other)


@pytest.mark.parametrize(("one", "other"), DIFFERENT.values(), ids=DIFFERENT)
def test_different_errors_have_different_ones(one: str, other: str) -> None:
    assert fingerprint("E", one) != fingerprint("E", other)


@pytest.mark.parametrize(("error", "hashed", "expected"), GOLDEN.values(), ids=GOLDEN)
def test_a_fingerprint_names_its_version_and_never_changes(
    error: tuple[str | None, str | None, str | None], hashed: str, expected: str
) -> None:
    kind, message, stack = error
    kind = kind or (exception_type(stack) if stack else None)
    columns = [pa.array([value], pa.string()) for value in (kind, message, stack)]
    assert substance(*columns).to_pylist() == [hashed]
    assert fingerprint(kind, message, stack) == expected


def test_the_exception_type_counts() -> None:
    assert fingerprint("KeyError", "x") != fingerprint("ValueError", "x") != fingerprint(None, "x")


def test_a_deployment_changes_no_fingerprint() -> None:
    moved = PYTHON.replace("/srv/shop", "/opt/releases/17").replace("line 88", "line 91").replace("3.12", "3.13")
    assert fingerprint("E", "x", moved) == fingerprint("E", "y", PYTHON)


def test_how_deep_a_recursion_went_changes_no_fingerprint() -> None:
    [first] = [line for line in PYTHON.splitlines(True) if "pay.py" in line]
    assert fingerprint("E", "x", PYTHON.replace(first, first * 500)) == fingerprint("E", "x", PYTHON)


@pytest.mark.parametrize(
    "trace", ["(" * 300_000, "at " + "1:1:" * 100_000, "x(" * 150_000, " at a (" * 50_000, "main.x(" + "a(" * 150_000]
)
def test_a_hostile_trace_is_read_in_linear_time(trace: str) -> None:
    assert fingerprint("E", "x", trace)
