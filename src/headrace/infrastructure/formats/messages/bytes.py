"""The format `bytes`: a message is one value, whatever is in it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from headrace.business.model.schema import Column, Schema
from headrace.business.model.types import Binary, String
from headrace.business.streams.messages import Decoded, MessageReader, MessageScan, MessageWriter
from headrace.errors import NonRetryableError
from headrace.infrastructure.formats.messages.bodies import BodyReader, MessageFormatOptions, texts_of

if TYPE_CHECKING:
    import pyarrow as pa


class BytesMessages(MessageFormatOptions):
    """One column, which holds the message as it is: as binary, or as text, in UTF-8."""

    kind: ClassVar[str] = "bytes"
    shorthand: ClassVar[str | None] = "column"

    column: str = Field("body", description="What the column is called")
    type: Literal["binary", "string"] = Field("binary", description="What the message is taken for")

    def scan(self, declared: Schema, project: Path) -> MessageScan:  # noqa: ARG002 - nothing is read from anywhere
        odd = next((name for name in declared.names if name != self.column), None)
        if odd is not None:
            raise NonRetryableError(
                f"messages of bytes have one column, `{self.column}`, and the contract declares `{odd}`",
                hint="name it with the option `column` of the format, or choose a format that has columns",
            )
        kind = Binary() if self.type == "binary" else String()
        return MessageScan(Schema((Column(self.column, kind),)), origin="messages of bytes")

    def reader(self, schema: Schema, project: Path) -> MessageReader:  # noqa: ARG002
        return BodyReader(_Values(self.column, text=self.type == "string"), self.tombstones)

    def writer(self, schema: Schema, project: Path) -> MessageWriter:  # noqa: ARG002
        fits = len(schema) == 1 and isinstance(schema.columns[0].type, Binary | String)
        if not fits:
            raise NonRetryableError(
                "the format `bytes` writes one column, of binary or text",
                hint="choose one with a step, or choose another format",
            )
        return _Writer()


class _Values:
    def __init__(self, column: str, *, text: bool) -> None:
        self._column, self._text = column, text

    def __call__(self, bodies: pa.Array) -> Decoded:
        import pyarrow as pa

        values, numbers, letters = texts_of(bodies) if self._text else (bodies.cast(pa.binary()), None, ())
        return Decoded(pa.RecordBatch.from_arrays([values], names=[self._column]), numbers, letters)


class _Writer:
    def write(self, rows: pa.RecordBatch) -> pa.Array:
        import pyarrow as pa

        return rows.column(0).cast(pa.binary())
