"""The sink `nats`: rows become messages of a subject that a stream of JetStream takes, and a repeat is known by its id."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field

from headrace.business.model.schema import Schema
from headrace.business.streams.messages import MessageFormat
from headrace.errors import HeadraceError, NonRetryableError, RetryableError
from headrace.infrastructure.brokers.message_sink import MessageOutlet, MessageSink
from headrace.infrastructure.brokers.nats.connection import NatsConnection, ReachedNats
from headrace.infrastructure.brokers.nats.deliveries import Deliveries
from headrace.infrastructure.brokers.nats.protocol import NatsProtocol, published
from headrace.infrastructure.brokers.wire import wire_faults

#: How many messages are underway until the first of them has to be acknowledged.
_UNDERWAY = 2000


class NatsSink(ReachedNats, MessageSink):
    """A subject of NATS JetStream."""

    kind: ClassVar[str] = "nats"
    shorthand: ClassVar[str | None] = "subject"

    subject: str = Field(pattern=r"^[^\s*>]+$", description="The subject to publish to; a stream has to take it")
    ack_seconds: Annotated[float, Field(gt=0)] = Field(
        30.0, description="How long to wait until the stream has taken a message"
    )

    def target(self, project: Path) -> str:  # noqa: ARG002 - a server is where it is
        return f"{self.reached.shown()} ({self.subject})"

    def stream_guarantee(self) -> str:
        return (
            "at least once: an epoch that was interrupted is sent again, and what comes again within the duplicate window of the stream "
            "(two minutes unless told otherwise), NATS drops"
        )

    def outlet(self, project: Path, stream: str, schema: Schema) -> MessageOutlet:
        format_: MessageFormat = self.format  # type: ignore[assignment]
        sender = NatsSender(self.reached, self.home, self.subject, stream, self.ack_seconds)
        return MessageOutlet(sender, schema, format_.writer(schema, project), self.target(project))


class NatsSender:
    """Publishes, many messages at once, and waits for what the stream says of each."""

    def __init__(self, connection: NatsConnection, home: Path, subject: str, stream: str, ack_seconds: float) -> None:
        self._connection, self._home, self._subject, self._stream = connection, home, subject, stream
        self._ack_seconds = ack_seconds
        self._shown = f"{connection.shown()}, subject `{subject}`"
        self._protocol: NatsProtocol | None = None
        self._sid, self._inbox = b"", ""

    def send(self, epoch: int, payloads: Sequence[bytes]) -> int:
        repeated = 0
        with self._connected() as protocol:
            for begin in range(0, len(payloads), _UNDERWAY):
                some = payloads[begin : begin + _UNDERWAY]
                protocol.send(b"".join(self._message(epoch, begin + n, payload) for n, payload in enumerate(some)))
                repeated += self._taken(protocol, len(some))
        return repeated

    def close(self) -> None:
        if self._protocol is not None:
            self._protocol.close()
            self._protocol = None

    def _message(self, epoch: int, number: int, payload: bytes) -> bytes:
        """The id says what the message is as well as where it stands, so that no other row is ever taken for a repeat."""
        digest = blake2b(payload, digest_size=8).hexdigest()
        headers = f"NATS/1.0\r\nNats-Msg-Id: {self._stream}/{epoch}/{number}/{digest}\r\n\r\n".encode()
        return published(self._subject, payload, self._inbox, headers)

    def _taken(self, protocol: NatsProtocol, count: int) -> int:
        """Wait until the stream has taken so many; how many of them it knew."""
        left, repeated, deadline = count, 0, time.monotonic() + self._ack_seconds
        while left:
            came = protocol.receive(max(0.0, deadline - time.monotonic()))
            if not came and time.monotonic() >= deadline:
                raise RetryableError(
                    f"{self._shown}: {left} messages were not acknowledged in time", hint="they are sent again"
                )
            acknowledged = came.get(self._sid, Deliveries())
            if acknowledged.statuses():
                raise NonRetryableError(
                    f"{self._shown}: no stream takes this subject",
                    hint="make one that does: `nats stream add NAME --subjects ...`",
                )
            for payload in acknowledged.payloads:
                if b'"error"' in payload:
                    self._refused(payload)
                repeated += b'"duplicate"' in payload
            left -= len(acknowledged)
        return repeated

    def _refused(self, payload: bytes) -> None:
        error = json.loads(payload)["error"]
        said = f"{self._shown}: {error.get('description', 'the stream refuses a message')}"
        raise (RetryableError if error.get("code", 500) >= 500 else NonRetryableError)(
            said, hint="see the limits of the stream"
        )

    @contextmanager
    def _connected(self) -> Iterator[NatsProtocol]:
        try:
            with wire_faults(self._shown):
                if self._protocol is None:
                    self._protocol = self._connection.connect(self._home)
                    self._sid, self._inbox = self._protocol.subscribe()
                yield self._protocol
        except HeadraceError:
            self.close()
            raise
