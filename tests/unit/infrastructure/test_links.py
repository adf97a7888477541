"""Who knows the secret comes in, nobody else does, and whoever is at one end notices when the other is gone."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest

from headrace.errors import NonRetryableError, RetryableError
from headrace.infrastructure.links import TcpDoor, TcpLink, come_in


@pytest.fixture
def door() -> Iterator[TcpDoor]:
    opened = TcpDoor()
    yield opened
    opened.close()


def met(door: TcpDoor) -> TcpLink:
    deadline = time.monotonic() + 20
    while not (come := door.newcomers()):
        assert time.monotonic() < deadline, "nobody came in"
        time.sleep(0.01)
    return come[0]


def test_what_is_said_is_heard_on_the_other_side(door: TcpDoor) -> None:
    outside = come_in(door.address, door.secret)
    inside = met(door)
    large = bytes(range(256)) * 40_000
    outside.send(b"hello")
    assert inside.receive() == b"hello"
    assert not outside.waiting(0)
    inside.send(b"")
    assert outside.waiting(20)
    assert outside.receive() == b""
    outside.send(large[:60_000])
    assert inside.receive() == large[:60_000]
    for link in (outside, inside):
        link.close()


def test_whoever_does_not_know_the_secret_stays_outside_and_holds_nobody_up(door: TcpDoor) -> None:
    host, _, port = door.address.rpartition(":")
    silent = socket.create_connection((host, int(port)))
    with socket.create_connection((host, int(port))) as loud:
        loud.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        with pytest.raises(RetryableError, match="the worker that leads the stream is not at"):
            come_in(door.address, b"another secret")
        outside = come_in(door.address, door.secret)
        inside = met(door)
        assert not door.newcomers()
    silent.close()
    for link in (outside, inside):
        link.close()


def test_the_end_of_the_other_is_noticed(door: TcpDoor) -> None:
    outside = come_in(door.address, door.secret)
    inside = met(door)
    inside.close()
    assert outside.waiting(20)
    with pytest.raises(RetryableError, match="not there any more"):
        outside.receive()
    outside.close()
    with pytest.raises(RetryableError):
        outside.send(b"?")


def test_a_closed_door_lets_nobody_in(door: TcpDoor) -> None:
    door.close()
    with pytest.raises(RetryableError, match=door.address):
        come_in(door.address, door.secret)


def test_an_address_of_another_machine_is_told() -> None:
    with pytest.raises(NonRetryableError, match=r"no worker can come in at `203\.0\.113\.1`") as caught:
        TcpDoor("203.0.113.1")
    assert "worker_address" in str(caught.value.hint)
