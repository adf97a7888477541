"""What sinks to brokers have in common: the format, and an outlet that sends the rows of an epoch as messages. Not how a broker is sent to.

No broker here keeps rows and the number of an epoch together, so an epoch that was interrupted comes again: at least once.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar, Protocol

from pydantic import Field

from headrace.business.model.plugin import Plugin
from headrace.business.model.schema import Schema
from headrace.business.ports import Fence, Publication
from headrace.business.streams.messages import MessageWriter
from headrace.infrastructure.brokers.outgoing import outgoing
from headrace.infrastructure.formats.message_formats import MessageFormatOption

if TYPE_CHECKING:
    import pyarrow as pa


class MessageSink(Plugin):
    """The options that all sinks to brokers have."""

    shorthand: ClassVar[str | None] = None

    format: MessageFormatOption = Field(
        "json",
        validate_default=True,
        description="How rows are written in a message: json, ndjson, csv, avro, arrow, parquet or bytes, or one of them with options",
    )

    def problems(self, schema: Schema) -> Iterable[str]:  # noqa: ARG002 - what a format cannot write, it says itself
        return ()

    @abstractmethod
    def stream_guarantee(self) -> str: ...


class Sender(Protocol):
    """An open connection for sending. Raises `RetryableError` when the broker is away; to send again reconnects."""

    def send(self, epoch: int, payloads: Sequence[bytes]) -> int:
        """Come back when the broker has taken all of them for good; how many of them it had already."""
        ...

    def close(self) -> None: ...


class MessageOutlet:
    """Sends the rows of each epoch, and remembers none."""

    def __init__(self, sender: Sender, schema: Schema, writer: MessageWriter, target: str) -> None:
        self._sender, self._schema, self._writer, self._target = sender, schema, writer, target

    def committed(self, fence: Fence) -> int | None:  # noqa: ARG002 - a broker keeps no tokens
        return None

    def commit(self, epoch: int, rows: pa.Table) -> Publication:
        payloads = outgoing(rows, self._schema, self._writer).payloads
        repeated = self._sender.send(epoch, payloads) if payloads else 0
        return Publication(self._target, inserted=len(payloads) - repeated, unchanged=repeated)

    def close(self) -> None:
        self._sender.close()
