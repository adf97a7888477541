"""The client protocol of NATS over one connection: publish, subscribe, ask. Not JetStream, and not reconnecting.

Written here because none that can be installed serves: nats-py reads a quarter as many messages per CPU second, and natsrpy cannot
be told a CA. See docs/adr/0037.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from headrace.errors import NonRetryableError, RetryableError, RunError
from headrace.infrastructure.brokers.wire import Wire

_NO_RESPONDERS = 503


class Received(NamedTuple):
    """A message as it came."""

    sid: bytes
    """Of the subscription that it came by."""
    subject: bytes
    reply: bytes
    headers: bytes | None
    payload: bytes

    @property
    def status(self) -> int | None:
        """What the server says by headers alone: 404 and 408 end a pull, 503 that nobody answers. None for a message of people."""
        if self.headers is None or self.payload or not self.headers.startswith(b"NATS/1.0 "):
            return None
        return int(self.headers[9:12])

    @property
    def said(self) -> str:
        """The words behind the status."""
        return (self.headers or b"")[12:].split(b"\r\n", 1)[0].decode().strip()


class NatsProtocol:
    """One connection, from the greeting on."""

    def __init__(self, wire: Wire, shown: str, info: dict[str, Any], rest: bytes, seconds: float) -> None:
        self.info, self._wire, self._shown, self._rest, self._seconds = info, wire, shown, rest, seconds
        self._inbox = f"_INBOX.{uuid.uuid4().hex}"
        self._asked, self._subscribed = 0, 1
        self._pending: list[Received] = []
        self._alive = False

    def begin(self, credentials: dict[str, Any]) -> None:
        """Say who we are. Raises what the server has against it."""
        hello = {
            "verbose": False, "pedantic": False, "lang": "python", "version": "1", "name": "headrace", "protocol": 1, "headers": True,
            "no_responders": True, "tls_required": self._wire.encryption is not None, **credentials,
        }  # fmt: skip
        self._wire.send(b"CONNECT %b\r\nSUB %b.> 1\r\n" % (json.dumps(hello).encode(), self._inbox.encode()))
        self.ping()

    def ping(self) -> None:
        """Come back when the server has seen all that was sent."""
        self._alive = False
        self._wire.send(b"PING\r\n")
        self._until(lambda: self._alive)

    @property
    def encryption(self) -> str | None:
        return self._wire.encryption

    def subscribe(self) -> tuple[bytes, str]:
        """A subscription to a subject of its own: what its messages are known by, and the subject."""
        self._subscribed += 1
        inbox = f"{self._inbox}-{self._subscribed}"
        sid = str(self._subscribed).encode()
        self._wire.send(b"SUB %b %b\r\n" % (inbox.encode(), sid))
        return sid, inbox

    def unsubscribe(self, sid: bytes) -> Sequence[Received]:
        """End a subscription. What came by it in the end."""
        self._wire.send(b"UNSUB %b\r\n" % sid)
        self.ping()
        return self.receive(0)

    def send(self, data: bytes) -> None:
        self._wire.send(data)

    def ask(self, subject: str, question: Any = b"") -> Any:
        """The answer of the server to a question, both in JSON. Messages that come meanwhile are kept for `receive`."""
        self._asked += 1
        inbox = f"{self._inbox}.{self._asked}"
        self._wire.send(published(subject, question if isinstance(question, bytes) else json.dumps(question).encode(), inbox))
        wanted, found = inbox.encode(), []

        def came() -> bool:
            found.extend(one for one in self._pending if one.subject == wanted)
            return bool(found)

        self._until(came)
        self._pending = [one for one in self._pending if one.subject != wanted]
        if found[0].status == _NO_RESPONDERS:
            raise NonRetryableError(
                f"{self._shown}: the server has no JetStream, or none for this user",
                hint="start it with `-js`, or turn JetStream on for the account of the user",
            )
        return json.loads(found[0].payload or b"null")

    def receive(self, wait_seconds: float) -> Sequence[Received]:
        """What has come, as soon as there is something."""
        if not self._pending:
            self._read(wait_seconds)
        came, self._pending = self._pending, []
        return came

    def close(self) -> None:
        self._wire.close()

    def _until(self, done: Any) -> None:
        deadline = time.monotonic() + self._seconds
        while not done():
            left = deadline - time.monotonic()
            if left <= 0:
                raise RetryableError(f"{self._shown}: the server did not answer in time", hint="see what the server is doing")
            self._read(left)

    def _read(self, wait_seconds: float) -> None:
        data = self._wire.receive(wait_seconds)
        if data:
            self._rest = self._taken(self._rest + data if self._rest else data)

    def _taken(self, data: bytes) -> bytes:
        """Take in all that is whole; what is left of the data."""
        at, find, keep = 0, data.find, self._pending.append
        while (end := find(b"\r\n", at)) >= 0:
            words = data[at:end].split()
            match words[0] if words else b"":
                case b"MSG":
                    head, size = 0, int(words[-1])
                case b"HMSG":
                    head, size = int(words[-2]), int(words[-1])
                case _:
                    self._spoken_to(data[at:end])
                    at = end + 2
                    continue
            start = end + 2
            stop = start + size
            if stop + 2 > len(data):
                break
            reply = words[3] if len(words) > (5 if head else 4) else b""
            headers = data[start : start + head] if head else None
            keep(Received(words[2], words[1], reply, headers, data[start + head : stop]))
            at = stop + 2
        return data[at:]

    def _spoken_to(self, line: bytes) -> None:
        """A line of the server that is no message."""
        word = line[:4].upper()
        if word == b"PING":
            self._wire.send(b"PONG\r\n")
        elif word == b"PONG":
            self._alive = True
        elif word == b"INFO":
            self.info = json.loads(line[5:])
        elif word == b"-ERR":
            raise refused(self._shown, line[5:].decode().strip(" '"))


def greeted(wire: Wire, seconds: float) -> tuple[dict[str, Any], bytes]:
    """What the server says of itself first, and what came behind it."""
    data, deadline = b"", time.monotonic() + seconds
    while b"\r\n" not in data:
        if (left := deadline - time.monotonic()) <= 0:
            raise TimeoutError("the server says nothing: timed out")
        data += wire.receive(left)
    line, _, rest = data.partition(b"\r\n")
    if not line.startswith(b"INFO "):
        raise ConnectionError("what answers there is no NATS server")
    return json.loads(line[5:]), rest


def published(subject: str, payload: bytes, reply: str = "", headers: bytes | None = None) -> bytes:
    """What to send for a message."""
    to = f"{subject} {reply}".encode() if reply else subject.encode()
    if headers is None:
        return b"PUB %b %d\r\n%b\r\n" % (to, len(payload), payload)
    return b"HPUB %b %d %d\r\n%b%b\r\n" % (to, len(headers), len(headers) + len(payload), headers, payload)


def header_lines(headers: bytes) -> Iterator[tuple[str, bytes]]:
    """Names and values, in order."""
    for line in headers.split(b"\r\n")[1:]:
        name, colon, value = line.partition(b":")
        if colon:
            yield name.decode("utf-8", "replace"), value.strip()


def refused(shown: str, said: str) -> RunError:
    """What the server said before it closed the connection."""
    lower = said.lower()
    if "authorization" in lower or "authentication" in lower:
        return NonRetryableError(
            f"{shown}: {said}", hint="see that user and password, token or credentials are right, and known to this server"
        )
    if "permissions violation" in lower:
        return NonRetryableError(f"{shown}: {said}", hint="grant the user the right to this subject")
    if "maximum" in lower and "connections" not in lower:
        return NonRetryableError(f"{shown}: {said}", hint="see the limits of the server")
    return RetryableError(f"{shown}: {said}", hint="try again; if it stays so, see what the server is doing")
