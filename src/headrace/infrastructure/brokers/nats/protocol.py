"""The client protocol of NATS over one connection: publish, subscribe, ask. Not JetStream, and not reconnecting.

Written here because none that can be installed serves: nats-py reads a quarter as many messages per CPU second, and natsrpy cannot
be told a CA. See docs/adr/0037.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from headrace.errors import NonRetryableError, RetryableError, RunError
from headrace.infrastructure.brokers.nats.deliveries import Deliveries
from headrace.infrastructure.brokers.wire import Wire, read_until

_NO_RESPONDERS = b"503"
_ANSWERS = b"1"
_NOTHING = Deliveries()


class NatsProtocol:
    """One connection, from the greeting on."""

    def __init__(self, wire: Wire, shown: str, info: dict[str, Any], rest: bytes, seconds: float) -> None:
        self.info, self._wire, self._shown, self._rest, self._seconds = info, wire, shown, rest, seconds
        self._inbox = f"_INBOX.{uuid.uuid4().hex}"
        self._asked, self._subscribed = 0, 1
        self._came: dict[bytes, Deliveries] = {}
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

    def unsubscribe(self, sid: bytes) -> Deliveries:
        """End a subscription. What came by it in the end."""
        self._wire.send(b"UNSUB %b\r\n" % sid)
        self.ping()
        return self._came.pop(sid, Deliveries())

    def send(self, data: bytes) -> None:
        self._wire.send(data)

    def ask(self, subject: str, question: Any = b"") -> Any:
        """The answer of the server to a question, both in JSON. Messages that come meanwhile are kept for `receive`."""
        self._asked += 1
        inbox = f"{self._inbox}.{self._asked}"
        self._wire.send(published(subject, question if isinstance(question, bytes) else json.dumps(question).encode(), inbox))
        wanted = inbox.encode()
        self._until(lambda: wanted in self._came.get(_ANSWERS, _NOTHING).subjects)
        answer = self._came.pop(_ANSWERS)
        number = answer.subjects.index(wanted)
        if answer.statuses().get(number, b"").startswith(_NO_RESPONDERS):
            raise NonRetryableError(
                f"{self._shown}: the server has no JetStream, or none for this user",
                hint="start it with `-js`, or turn JetStream on for the account of the user",
            )
        return json.loads(answer.payloads[number] or b"null")

    def receive(self, wait_seconds: float) -> Mapping[bytes, Deliveries]:
        """What has come by subscriptions, as soon as there is something."""
        if not self._came:
            self._read(wait_seconds)
        came, self._came = self._came, {}
        return came

    def close(self) -> None:
        self._wire.close()

    def _until(self, done: Callable[[], bool]) -> None:
        read_until(done, self._read, self._seconds, self._shown)

    def _read(self, wait_seconds: float) -> None:
        data = self._wire.receive(wait_seconds)
        if data:
            self._rest = self._taken(self._rest + data if self._rest else data)

    def _taken(self, data: bytes) -> bytes:
        """Take in all that is whole; what is left of the data."""
        at, find, length = 0, data.find, len(data)
        sid, came = b"", Deliveries()
        while (end := find(b"\r\n", at)) >= 0:
            words, start = data[at:end].split(), end + 2
            match words[0] if words else b"":
                case b"MSG":
                    head, count = start, 5
                case b"HMSG":
                    head, count = start + int(words[-2]), 6
                case _:
                    self._spoken_to(data[at:end])
                    at = start
                    continue
            stop = start + int(words[-1])
            if stop + 2 > length:
                break
            if words[2] != sid:  # most come by one subscription
                sid = words[2]
                came = self._came.setdefault(sid, Deliveries())
            came.subjects.append(words[1])
            came.replies.append(words[3] if len(words) == count else b"")
            came.headers.append(data[start:head] if head > start else None)
            came.payloads.append(data[head:stop])
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
