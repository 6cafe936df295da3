"""Two checkouts run side by side, and a busy port is named together with what to change."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from dev.errors import DevError
from dev.ports import OFFSETS, Ports, free_ports, from_base, is_free


@pytest.fixture
def busy_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_every_server_has_its_own_offset() -> None:
    assert len(set(OFFSETS.values())) == len(OFFSETS)
    assert max(OFFSETS.values()) < 100


def test_the_base_port_comes_from_the_environment() -> None:
    assert from_base({"FAULTLINE_PORT_BASE": "21000"})["namenode"] == 21010


def test_base_ports_two_hundred_apart_do_not_meet() -> None:
    first, second = (set(from_base({"FAULTLINE_PORT_BASE": base}).numbers.values()) for base in ("21000", "21200"))
    assert not first & second


@pytest.mark.parametrize("base", ["", "abc", "80", "65500", "-1"])
def test_a_base_port_that_cannot_be_is_refused(base: str) -> None:
    with pytest.raises(DevError, match="FAULTLINE_PORT_BASE"):
        from_base({"FAULTLINE_PORT_BASE": base})


def test_free_ports_are_free_and_distinct() -> None:
    numbers = list(free_ports().numbers.values())
    assert len(set(numbers)) == len(numbers)
    assert all(map(is_free, numbers))


def test_a_busy_port_is_named_with_its_server_and_the_variable(busy_port: int) -> None:
    ports = Ports({**free_ports().numbers, "namenode": busy_port})
    with pytest.raises(DevError, match=rf"port {busy_port} \(namenode\).*FAULTLINE_PORT_BASE"):
        ports.check_free(["kafka", "namenode"])
