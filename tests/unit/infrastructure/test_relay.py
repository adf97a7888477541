"""The relay passes everything on until it is told to cut; and what is asked before an answer is lost has arrived."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from headrace.infrastructure.relay import Relay

SECONDS = 60


class Server:
    """Answers each line with the same in capitals, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self.listening.getsockname()[1])
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.listening.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rwb", buffering=0) as lines:
            try:
                for line in lines:
                    self.asked.append(line)
                    lines.write(line.upper())
            except OSError:
                return


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.listening.close()


@pytest.fixture
def relay(server: Server) -> Iterator[Relay]:
    with Relay("127.0.0.1", server.port) as relay:
        yield relay


def connected(relay: Relay) -> socket.socket:
    host, port = relay.address.split(":")
    return socket.create_connection((host, int(port)), SECONDS)


def answer(connection: socket.socket, word: bytes) -> bytes:
    """Empty when the connection was closed in place of the answer."""
    try:
        connection.sendall(word + b"\n")
        return connection.recv(100)
    except OSError:
        return b""


def test_everything_passes(relay: Relay) -> None:
    with connected(relay) as one, connected(relay) as other:
        assert (answer(one, b"a"), answer(other, b"b"), answer(one, b"c")) == (b"A\n", b"B\n", b"C\n")


def test_a_cut_closes_all_that_are_open_and_no_other(relay: Relay, server: Server) -> None:
    with connected(relay) as one, connected(relay) as other:
        assert (answer(one, b"a"), answer(other, b"b")) == (b"A\n", b"B\n")
        relay.cut()
        assert (answer(one, b"c"), answer(other, b"d")) == (b"", b"")
    with connected(relay) as later:
        assert answer(later, b"e") == b"E\n"
    assert server.asked == [b"a\n", b"b\n", b"e\n"]


def test_of_a_lost_answer_the_question_has_arrived(relay: Relay, server: Server) -> None:
    with connected(relay) as one:
        assert answer(one, b"a") == b"A\n"
        relay.lose()
        assert answer(one, b"commit") == b""
    with connected(relay) as later:
        assert answer(later, b"b") == b"B\n"
    assert server.asked == [b"a\n", b"commit\n", b"b\n"]


@pytest.mark.parametrize("deed", [Relay.cut, Relay.lose])
def test_where_nothing_is_open_the_next_one_is_meant(relay: Relay, deed: object) -> None:
    assert callable(deed)
    deed(relay)
    with connected(relay) as one:
        assert answer(one, b"a") == b""
    with connected(relay) as later:
        assert answer(later, b"b") == b"B\n"


def test_a_server_that_is_away_looks_away(relay: Relay, server: Server) -> None:
    server.listening.shutdown(socket.SHUT_RDWR)
    server.listening.close()
    with connected(relay) as one:
        assert answer(one, b"a") == b""
