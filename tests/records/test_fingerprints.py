"""What varies from one occurrence to the next does not tell two errors apart; everything else does."""

from __future__ import annotations

import pytest

from faultline.records.fingerprints import fingerprint

SAME = {
    "numbers": ("order 17 failed after 0.5 s", "order 4711 failed after 12 s"),
    "hex ids": ("span 4bf92f3577b34da6 lost", "span 00f067aa0ba902b7 lost"),
    "0x": ("at 0x7f3a", "at 0xDEADBEEF01"),
    "uuids": ("user 5f0c2a4e-9a3b-4c1d-8e2f-0123456789ab", "user 00000000-0000-0000-0000-000000000000"),
    "ipv4 and port": ("connect to 10.0.0.1:5432 refused", "connect to 192.168.7.20:5433 refused"),
    "ipv6": ("peer fe80::1:2:3 gone", "peer 2001:db8:0:0:0:0:0:9 gone"),
    "mail": ("mail to ann@example.org", "mail to bob.b@mail.example.com"),
    "paths": ("cannot open /var/lib/a/b.txt: busy", "cannot open /tmp/c: busy"),
    "windows paths": (r"cannot open C:\a\b.txt", r"cannot open D:\c"),
    "urls": ("GET https://a.example/x?y=1 failed", "GET http://b.example:80/ failed"),
    "quoted": ("no key 'abc' here", "no key 'x y z' here"),
    "double quoted": ('bad value "abc"', 'bad value ""'),
}
DIFFERENT = {
    "words": ("connection refused", "connection reset"),
    "apostrophes": ("can't read, don't care", "can't write, don't care"),
    "slashes inside words": ("read/write", "read/only"),
}


@pytest.mark.parametrize(("one", "other"), SAME.values(), ids=SAME)
def test_the_same_error_has_one_fingerprint(one: str, other: str) -> None:
    assert fingerprint("E", one) == fingerprint("E", other)


@pytest.mark.parametrize(("one", "other"), DIFFERENT.values(), ids=DIFFERENT)
def test_different_errors_have_different_ones(one: str, other: str) -> None:
    assert fingerprint("E", one) != fingerprint("E", other)


def test_the_exception_type_counts() -> None:
    assert fingerprint("KeyError", "x") != fingerprint("ValueError", "x") != fingerprint(None, "x")


def test_a_fingerprint_names_its_version_and_never_changes() -> None:
    assert fingerprint("ConnectionRefusedError", "db-1:5432 refused after 3 tries") == "v1:15d0cfd425d6"
