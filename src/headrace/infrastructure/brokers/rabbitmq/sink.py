"""The sink `rabbitmq`: rows become messages of a queue, a stream or an exchange, each confirmed by the server before the epoch is done."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

from pydantic import Field, model_validator

from headrace.business.model.schema import Schema
from headrace.business.streams.messages import MessageFormat
from headrace.errors import HeadraceError
from headrace.infrastructure.brokers.message_sink import MessageOutlet, MessageSink
from headrace.infrastructure.brokers.rabbitmq.connection import RabbitMQConnection, ReachedRabbitMQ
from headrace.infrastructure.brokers.rabbitmq.faults import rabbitmq_faults
from headrace.infrastructure.brokers.rabbitmq.publishing import Publishing

if TYPE_CHECKING:
    import pika


class RabbitMQSink(ReachedRabbitMQ, MessageSink):
    """A queue, a stream or an exchange of RabbitMQ."""

    kind: ClassVar[str] = "rabbitmq"
    shorthand: ClassVar[str | None] = "queue"

    queue: str | None = Field(None, min_length=1, description="The queue or stream, which has to be there; or give `exchange`")
    exchange: str | None = Field(None, min_length=1, description="The exchange, which has to be there; or give `queue`")
    routing_key: str = Field("", description="With `exchange`: what it routes by")

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.queue is None) == (self.exchange is None):
            raise ValueError("give either `queue` or `exchange`" + ("" if self.queue is None else ", not both"))
        if self.routing_key and self.exchange is None:
            raise ValueError("`routing_key` is for an `exchange`: a queue gets what is sent to its name")
        return self

    def target(self, project: Path) -> str:  # noqa: ARG002 - a server is where it is
        return f"{self.reached.shown()} ({self.queue or self.exchange})"

    def stream_guarantee(self) -> str:
        return (
            "at least once: the server confirms each message, and an epoch that was interrupted is sent again; a message's `message_id` "
            "tells a repeat"
        )

    def outlet(self, project: Path, stream: str, schema: Schema) -> MessageOutlet:
        format_: MessageFormat = self.format  # type: ignore[assignment]
        shown = self.target(project)
        sender = RabbitMQSender(self.reached, self.home, self.exchange or "", self.queue or self.routing_key, stream, shown)
        return MessageOutlet(sender, schema, format_.writer(schema, project), shown)


class RabbitMQSender:
    """Publishes an epoch over a connection that is made anew when it broke."""

    def __init__(
        self, connection: RabbitMQConnection, home: Path, exchange: str, routing_key: str, stream: str, shown: str
    ) -> None:
        self._connection, self._home, self._shown = connection, home, shown
        self._exchange, self._routing_key, self._stream = exchange, routing_key, stream
        self._publishing: Publishing | None = None

    def send(self, epoch: int, payloads: Sequence[bytes]) -> int:
        with self._open() as publishing:
            publishing.publish(
                self._exchange,
                self._routing_key,
                [(payload, self._properties(f"{self._stream}/{epoch}/{n}")) for n, payload in enumerate(payloads)],
            )
        return 0

    def close(self) -> None:
        if self._publishing is not None:
            with suppress(HeadraceError), rabbitmq_faults(self._shown):
                self._publishing.close()
            self._publishing = None

    def _properties(self, message_id: str) -> pika.BasicProperties:
        import pika

        return pika.BasicProperties(delivery_mode=2, message_id=message_id)

    @contextmanager
    def _open(self) -> Iterator[Publishing]:
        try:
            with rabbitmq_faults(self._shown):
                if self._publishing is None:
                    self._publishing = Publishing(self._connection.parameters(self._home), self._shown)
                yield self._publishing
        except HeadraceError:
            self.close()
            raise
