"""The sink `kafka`: the output of a stream as messages of a topic, each checkpoint acknowledged by the brokers before it counts."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from headrace.business.model.schema import Schema, did_you_mean
from headrace.business.ports import Fence, Publication
from headrace.business.streams.messages import MessageFormat, MessageWriter
from headrace.business.streams.state import Outlet
from headrace.errors import NonRetryableError, RetryableError
from headrace.infrastructure.brokers.kafka.connection import ReachedKafka, reasons, remember
from headrace.infrastructure.brokers.kafka.faults import explained, kafka_faults
from headrace.infrastructure.brokers.message_sink import MessageSink
from headrace.infrastructure.brokers.outgoing import outgoing

if TYPE_CHECKING:
    import pyarrow as pa
    from confluent_kafka import KafkaError, Producer

#: How long a client tries to get a message to its broker.
_DELIVERY_SECONDS = 60


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
        failed: list[KafkaError] = []
        settings = {
            **self.reached.settings(self.home, told),
            "acks": "all", "enable.idempotence": True, "compression.type": self.compression, "linger.ms": 5,
            "delivery.timeout.ms": _DELIVERY_SECONDS * 1000, "message.max.bytes": 1 << 28, "delivery.report.only.error": True,
            "on_delivery": lambda error, _message: remember(failed, error),
        }  # fmt: skip
        format_: MessageFormat = self.format  # type: ignore[assignment]
        return KafkaOutlet(
            Producer(settings), told, failed, self, self.target(project), schema, format_.writer(schema, project)
        )


class KafkaOutlet:
    """A topic that takes the output of a stream. See `Outlet`."""

    def __init__(
        self,
        producer: Producer,
        told: list[KafkaError],
        failed: list[KafkaError],
        sink: KafkaSink,
        shown: str,
        schema: Schema,
        writer: MessageWriter,
    ) -> None:
        self._producer, self._told, self._failed, self._sink, self._shown = producer, told, failed, sink, shown
        self._schema, self._writer = schema, writer

    def committed(self, fence: Fence) -> None:  # noqa: ARG002 - a topic knows no tokens
        """None: a topic keeps no number beside its messages."""
        # To ask for the topic by its name would create it where the brokers let anybody do that.
        found = self._sink.reached.asked_for_topics(self._producer, self._told).topics
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
        keys: Iterable[bytes | None] = repeat(None) if messages.keys is None else messages.keys
        with kafka_faults(self._shown, self._told):
            for payload, key in zip(messages.payloads, keys, strict=False):
                try:
                    self._producer.produce(self._sink.topic, payload, key)
                except BufferError:
                    self._produce_patiently(payload, key)
            left = self._producer.flush(_DELIVERY_SECONDS + 1)
        told = reasons(self._told)
        if self._failed:
            raise explained(self._shown, self._failed[0], told)
        if left:
            self.close()  # what is left comes again with the whole checkpoint
            raise RetryableError(
                f"{self._shown}: {left} messages were not acknowledged in time", hint="see that the brokers run"
            )
        return Publication(self._shown, inserted=rows.num_rows)

    def close(self) -> None:
        """Let go of what was not delivered."""
        self._producer.purge()
        self._producer.flush(1)

    def _produce_patiently(self, payload: bytes, key: bytes | None) -> None:
        """While the client is full, wait until the brokers have taken some, or say that they do not."""
        while not self._failed:
            self._producer.poll(0.05)
            with suppress(BufferError):
                self._producer.produce(self._sink.topic, payload, key)
                return
