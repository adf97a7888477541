"""Which columns the rows of a text format have: all text, named by the contract and by the options. Not their types, which the
contract says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from headrace.business.model.schema import Column, Schema
from headrace.business.model.types import String
from headrace.business.streams.messages import MessageScan
from headrace.errors import NonRetryableError

if TYPE_CHECKING:
    import pyarrow as pa


def text_scan(kind: str, declared: Schema, further: Sequence[str]) -> MessageScan:
    """The columns that the contract declares, then further ones. Raises `NonRetryableError` when there are none."""
    names = tuple(dict.fromkeys((*declared.names, *further)))
    if not names:
        raise NonRetryableError(
            f"nothing says which columns messages in {kind} have",
            hint="declare them in the contract of the source, or name them with the option `columns` of the format",
        )
    return MessageScan(Schema(tuple(Column(name, String()) for name in names)), origin=f"messages in {kind}")


def text_schema(schema: Schema) -> pa.Schema:
    import pyarrow as pa

    return pa.schema([pa.field(name, pa.string()) for name in schema.names])


def text_rows(schema: Schema, columns: Sequence[pa.Array]) -> pa.RecordBatch:
    import pyarrow as pa

    return pa.RecordBatch.from_arrays(columns, schema=text_schema(schema))
