"""Requests that are never answered: given up, left behind, counted."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import threading
from datetime import timedelta

import pytest

from faultline.adapters.watch import MOST_UNANSWERED, Watch

SOON = timedelta(milliseconds=500)


def test_what_is_answered_is_handed_on_and_so_is_its_error() -> None:
    watch = Watch(timedelta(minutes=1))
    assert (watch.request(len, "ab"), watch.work(len, "ab"), list(watch.each(iter("ab")))) == (2, 2, ["a", "b"])
    with pytest.raises(ValueError, match="invalid literal"):
        watch.request(int, "a")


@pytest.mark.parametrize("how", ["request", "work"])
def test_what_does_nothing_is_given_up(how: str) -> None:
    over = threading.Event()
    try:
        with pytest.raises(TimeoutError, match=r"nothing for 0\.5 s \(FAULTLINE_ARCHIVE_TIMEOUT\)"):
            getattr(Watch(SOON), how)(over.wait)
    finally:
        over.set()


def test_work_may_take_as_long_as_it_works() -> None:
    def compute() -> bytes:
        return hashlib.pbkdf2_hmac("sha256", b"", b"", 3_000_000)  # a second or more, without the GIL

    assert Watch(SOON).work(compute) == compute()


def test_only_so_many_are_left_behind_at_once() -> None:
    over, watch = threading.Event(), Watch(timedelta(milliseconds=1))
    try:
        for _ in range(MOST_UNANSWERED):
            with pytest.raises(TimeoutError, match="said nothing"):
                watch.request(over.wait)
        with pytest.raises(TimeoutError, match="never answered: restart it"):
            watch.request(len, "ab")
    finally:
        over.set()
    for thread in threading.enumerate():
        if thread.name == "storage":
            thread.join()
    assert Watch(timedelta(minutes=1)).request(len, "ab") == 2


def test_a_process_ends_although_a_request_of_it_was_never_answered() -> None:
    program = """
import threading
from datetime import timedelta
from faultline.adapters.watch import Watch
try:
    Watch(timedelta(seconds=0.1)).request(threading.Event().wait)
except TimeoutError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.startswith("the storage has said nothing for 0.1 s")
