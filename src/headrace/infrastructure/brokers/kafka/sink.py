"""The sink `kafka`: the output of a stream as messages of a topic, each checkpoint acknowledged by the brokers before it counts."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from headrace.business.model.schema import Schema, did_you_mean
from headrace.business.ports import Fence, Publication
from headrace.business.streams.messages import MessageFormat, MessageWriter
from headrace.business.streams.state import Outlet
from headrace.errors import NonRetryableError, RetryableError
from headrace.infrastructure.brokers.kafka.connection import ReachedKafka, reasons
from headrace.infrastructure.brokers.kafka.faults import explained, kafka_faults
from headrace.infrastructure.brokers.message_sink import MessageSink
from headrace.infrastructure.brokers.outgoing import outgoing

if TYPE_CHECKING:
    import pyarrow as pa
    from confluent_kafka import KafkaError, Message, Producer

#: How long a client tries to get a message to its broker.
_DELIVERY_SECONDS = 60
#: How often what was delivered is heard of while messages are handed over.
_SERVE_EVERY = 10_000


class KafkaSink(ReachedKafka, MessageSink):
    """A topic of Kafka, or of what speaks its protocol."""

    kind: ClassVar[str] = "kafka"
    shorthand: ClassVar[str | None] = "topic"

    topic: str = Field(min_length=1, description="The topic; it has to be there")
    key: str | None = Field(
        None, description="The column whose text is the key of the message: messages of one key keep their order"
    )
    compression: Literal["none", "gzip", "snappy", "lz4", "zstd"] = Field(
        "none", description="How messages are packed on the way"
    )

    def target(self, project: Path) -> str:  # noqa: ARG002 - brokers are where they are
        return f"{self.reached.shown()} ({self.topic})"

    def problems(self, schema: Schema) -> Iterable[str]:
        if self.key is not None and self.key not in schema:
            yield f"there is no column `{self.key}` for the key; {did_you_mean(self.key, schema.names)}"

    def stream_guarantee(self) -> str:
        return "at least once: brokers acknowledge a checkpoint before it counts, and the messages of one that was interrupted come again"

    def outlet(self, project: Path, stream: str, schema: Schema) -> Outlet:  # noqa: ARG002 - a topic knows no streams of ours
        from confluent_kafka import Producer

        told: list[KafkaError] = []
        settings = {
            **self.reached.settings(self.home, told),
            "acks": "all", "enable.idempotence": True, "compression.type": self.compression, "linger.ms": 5,
            "delivery.timeout.ms": _DELIVERY_SECONDS * 1000, "message.max.bytes": 1 << 28,
        }  # fmt: skip
        format_: MessageFormat = self.format  # type: ignore[assignment]
        return KafkaOutlet(Producer(settings), told, self, self.target(project), schema, format_.writer(schema, project))


class KafkaOutlet:
    """A topic that takes the output of a stream. See `Outlet`."""

    def __init__(
        self, producer: Producer, told: list[KafkaError], sink: KafkaSink, shown: str, schema: Schema, writer: MessageWriter
    ) -> None:
        self._producer, self._told, self._sink, self._shown = producer, told, sink, shown
        self._schema, self._writer = schema, writer
        self._failed: list[KafkaError] = []

    def committed(self, fence: Fence) -> None:  # noqa: ARG002 - a topic knows no tokens
        """None: a topic keeps no number beside its messages."""
        with kafka_faults(self._shown, self._told):
            # To ask for the topic by its name would create it where the brokers let anybody do that.
            found = self._producer.list_topics(timeout=self._sink.reached.connect_seconds).topics
        if self._sink.topic not in found:
            hint = did_you_mean(self._sink.topic, found)
            raise NonRetryableError(
                f"{self._shown}: there is no such topic", hint=f"{hint}; or create it with its partitions first"
            )
        if (error := found[self._sink.topic].error) is not None:
            raise explained(self._shown, error)

    def commit(self, epoch: int, rows: pa.Table) -> Publication:  # noqa: ARG002 - a topic keeps no number
        messages = outgoing(rows, self._schema, self._writer, self._sink.key)
        self._failed.clear()
        keys: Any = messages.keys or [None] * len(messages.payloads)
        with kafka_faults(self._shown, self._told):
            for number, (payload, key) in enumerate(zip(messages.payloads, keys, strict=True)):
                self._hand_over(payload, key)
                if number % _SERVE_EVERY == 0:
                    self._producer.poll(0)
            left = self._producer.flush(_DELIVERY_SECONDS + 1)
        told = reasons(self._told)
        if self._failed:
            raise explained(self._shown, self._failed[0], told)
        if left:
            self._producer.purge()  # they come again with the whole checkpoint
            raise RetryableError(
                f"{self._shown}: {left} messages were not acknowledged in time", hint="see that the brokers run"
            )
        return Publication(self._shown, inserted=rows.num_rows)

    def close(self) -> None:
        self._producer.purge()
        self._producer.flush(1)

    def _hand_over(self, payload: bytes, key: bytes | None) -> None:
        """Give a message to the client; while it is full, wait for brokers to take some."""
        while True:
            try:
                self._producer.produce(self._sink.topic, payload, key, on_delivery=self._delivered)
            except BufferError:
                self._producer.poll(0.1)
                if self._failed:
                    return
            else:
                return

    def _delivered(self, error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            self._failed.append(error)
            del self._failed[1:]
