"""The protocol of RabbitMQ's streams over one connection: ask, subscribe, give credit. Not how messages are written in chunks.

Written here because the client for Python that there is, rstream, hides lost connections behind an event loop of its own. See
docs/adr/0037.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from headrace.errors import NonRetryableError, RetryableError, RunError
from headrace.infrastructure.brokers.wire import Wire, read_until

SUBSCRIBE, DELIVER, CREDIT, STORE_OFFSET, UNSUBSCRIBE = 7, 8, 9, 10, 12
_METADATA, _METADATA_UPDATE, _PEER_PROPERTIES, _SASL_HANDSHAKE, _SASL_AUTHENTICATE, _TUNE, _OPEN, _CLOSE, _HEARTBEAT = range(
    15, 24
)
_ANSWER = 0x8000
_OK, _NOT_AVAILABLE = 1, 6
FIRST, LAST, NEXT, OFFSET, TIMESTAMP = 1, 2, 3, 4, 5

#: What the server answers, what to do, and whether it passes.
_CODES = {
    2: ("there is no such stream", "see that it is spelt right and in this virtual host, or declare it", False),
    6: ("the stream is not available", "try again; see whether the servers of its replicas run", True),
    8: ("the user or the password is wrong", "see that both are right, and known there", False),
    9: ("the user or the password is wrong", "see that both are right, and known there", False),
    12: ("access to the virtual host is refused", "see that it is spelt right, and the user may use it", False),
    13: ("the server does not know what it is asked", "see that it is RabbitMQ 3.9 or newer", False),
    16: ("access is refused", "grant the user the right to it: `rabbitmqctl set_permissions`", False),
}  # fmt: skip


class StreamProtocol:
    """One connection, authenticated and open."""

    def __init__(self, wire: Wire, shown: str, seconds: float) -> None:
        self._wire, self._shown, self._seconds = wire, shown, seconds
        self._rest = b""
        self._asked = 0
        self._answers: dict[int, tuple[int, bytes]] = {}
        self._chunks: list[tuple[int, bytes]] = []
        self._tuned = False
        self.server = ""

    def begin(self, user: str, password: str, virtual_host: str) -> None:
        """Say who we are. Raises what the server has against it."""
        told = self.ask(
            _PEER_PROPERTIES,
            struct.pack(">I", 2) + text("product") + text("headrace") + text("connection_name") + text("headrace"),
        )
        self.server = _properties(told).get("version", "?")
        self.ask(_SASL_HANDSHAKE)
        secret = f"\0{user}\0{password}".encode()
        self.ask(_SASL_AUTHENTICATE, text("PLAIN") + struct.pack(">I", len(secret)) + secret)
        self._until(lambda: self._tuned)
        self.ask(_OPEN, text(virtual_host))

    def ask(self, what: int, question: bytes = b"") -> bytes:
        """What is behind the code of an answer that is good. Raises our errors for one that is not."""
        self._asked += 1
        self.tell(what, struct.pack(">I", self._asked) + question)
        self._until(lambda: self._asked in self._answers)
        code, rest = self._answers.pop(self._asked)
        if what != _METADATA and code != _OK:
            raise refused(self._shown, code)
        return rest

    def tell(self, what: int, content: bytes) -> None:
        """Something that is not answered."""
        self._wire.send(struct.pack(">IHH", len(content) + 4, what, 1) + content)

    def served_at(self, stream: str) -> list[tuple[str, int]]:
        """The servers that have the stream, by the names that they go by among themselves, its leader first."""
        told = self.ask(_METADATA, struct.pack(">I", 1) + text(stream))
        brokers, at = {}, 4
        for _ in range(int.from_bytes(told[:4], "big")):
            reference = int.from_bytes(told[at : at + 2], "big")
            host, at = read_text(told, at + 2)
            brokers[reference] = (host, int.from_bytes(told[at : at + 4], "big"))
            at += 4
        _, at = read_text(told, at + 4)
        code, leader, count = struct.unpack_from(">HHI", told, at)
        if code != _OK:
            raise refused(self._shown, code)
        having = (leader, *struct.unpack_from(f">{count}H", told, at + 8))
        return [brokers[reference] for reference in dict.fromkeys(having) if reference in brokers]

    def chunks(self, wait_seconds: float) -> list[tuple[int, bytes]]:
        """What was delivered, each with the number of its subscription, as soon as there is something."""
        if not self._chunks:
            self._read(wait_seconds)
        came, self._chunks = self._chunks, []
        return came

    def close(self) -> None:
        self._wire.close()

    def _until(self, done: Callable[[], bool]) -> None:
        read_until(done, self._read, self._seconds, self._shown)

    def _read(self, wait_seconds: float) -> None:
        data = self._rest + self._wire.receive(wait_seconds)
        at = 0
        while len(data) - at >= 4:
            stop = at + 4 + int.from_bytes(data[at : at + 4], "big")
            if stop > len(data):
                break
            self._heard(int.from_bytes(data[at + 4 : at + 6], "big"), data[at + 8 : stop])
            at = stop
        self._rest = data[at:]

    def _heard(self, what: int, content: bytes) -> None:
        match what:
            case 8:  # DELIVER
                self._chunks.append((content[0], content[1:]))
            case 20:  # TUNE: we take what the server proposes, and no heartbeats, which we could not send while we are busy
                frame, _ = struct.unpack(">II", content)
                self.tell(_TUNE, struct.pack(">II", frame, 0))
                self._tuned = True
            case 16:  # METADATA_UPDATE
                raise refused(self._shown, int.from_bytes(content[:2], "big") or _NOT_AVAILABLE)
            case 22:  # CLOSE, by the server
                reason, _ = read_text(content, 6)
                raise RetryableError(f"{self._shown}: the server closes the connection: {reason}", hint="it is opened again")
            case 23:  # HEARTBEAT
                self.tell(_HEARTBEAT, b"")
            case answer if answer == _ANSWER | CREDIT:
                raise refused(self._shown, int.from_bytes(content[:2], "big"))
            case answer if answer == _ANSWER | _METADATA:
                self._answers[int.from_bytes(content[:4], "big")] = (_OK, content[4:])
            case answer if answer & _ANSWER:
                self._answers[int.from_bytes(content[:4], "big")] = (int.from_bytes(content[4:6], "big"), content[6:])


def refused(shown: str, code: int) -> RunError:
    said, hint, passing = _CODES.get(code, (f"the server refuses it (code {code})", "see the log of the server", True))
    return (RetryableError if passing else NonRetryableError)(f"{shown}: {said}", hint=hint)


def text(value: str) -> bytes:
    encoded = value.encode()
    return struct.pack(">H", len(encoded)) + encoded


def read_text(data: bytes, at: int) -> tuple[str, int]:
    """A text, and what is behind it."""
    length = int.from_bytes(data[at : at + 2], "big")
    return data[at + 2 : at + 2 + length].decode(), at + 2 + length


def _properties(data: bytes) -> dict[str, Any]:
    found, at = {}, 4
    for _ in range(int.from_bytes(data[:4], "big")):
        name, at = read_text(data, at)
        found[name], at = read_text(data, at)
    return found
