"""Brings columns that come with types to the types that the contract declares, without loss or not at all. Not how they are read.

A row with a value that does not fit is cut out and told of; its neighbours stay.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from headrace.business.model.schema import Schema
from headrace.business.streams.messages import MessageScan
from headrace.errors import NonRetryableError
from headrace.infrastructure.foreign_types import arrow_type
from headrace.infrastructure.formats.messages.exact_casts import exactly, same_kind
from headrace.records import record

if TYPE_CHECKING:
    import pyarrow as pa


def typed_scan(kind: str, declared: Schema) -> MessageScan:
    """The columns that the contract declares, in its types. Raises `NonRetryableError` when there are none."""
    if not len(declared):
        raise NonRetryableError(
            f"nothing says which columns messages in {kind} have", hint="declare them in the contract of the source"
        )
    return MessageScan(declared, origin=f"messages in {kind}")


def arrow_schema(schema: Schema) -> pa.Schema:
    import pyarrow as pa

    return pa.schema([pa.field(column.name, arrow_type(column.type)) for column in schema])


def no_rows(schema: pa.Schema) -> pa.RecordBatch:
    import pyarrow as pa

    return pa.RecordBatch.from_arrays([pa.nulls(0, field.type) for field in schema], schema=schema)


class Unfit(Exception):
    """No value of a column can be of the type that is declared."""


@record
class Misfit:
    """A row with a value that its type cannot hold: its number, and the value's column and type."""

    row: int
    detail: str


def fitted(rows: pa.RecordBatch, schema: pa.Schema) -> tuple[pa.RecordBatch, Sequence[Misfit]]:
    """The rows in these columns, less those that do not fit. Columns are found by name; one that is missing is null, others are left
    out. Raises `Unfit`."""
    if rows.schema.equals(schema):
        return rows, ()
    casts = [_cast(rows.schema, field) for field in schema]
    misfits: dict[int, Misfit] = {}
    for name, cast in zip(schema.names, casts, strict=True):
        _find_misfits(rows, 0, rows.num_rows, cast, name, misfits)
    if misfits:
        import pyarrow as pa

        rows = rows.take(pa.array([i for i in range(rows.num_rows) if i not in misfits], pa.int64()))
    return _assembled(rows, casts, schema), [misfits[i] for i in sorted(misfits)]


_Cast = Callable[["pa.RecordBatch"], "pa.Array"]


def _assembled(rows: pa.RecordBatch, casts: Sequence[_Cast], schema: pa.Schema) -> pa.RecordBatch:
    import pyarrow as pa

    return pa.RecordBatch.from_arrays([cast(rows) for cast in casts], schema=schema)


def _find_misfits(rows: pa.RecordBatch, start: int, count: int, cast: _Cast, name: str, found: dict[int, Misfit]) -> None:
    """By halves, so that a few among many are found in few casts."""
    import pyarrow as pa

    try:
        cast(rows.slice(start, count))
    except pa.ArrowNotImplementedError as error:
        raise Unfit(f"`{name}`: {error}") from error
    except pa.ArrowInvalid as error:
        if count == 1:
            found.setdefault(start, Misfit(start, f"`{name}`: {error}"))
            return
        half = count // 2
        _find_misfits(rows, start, half, cast, name, found)
        _find_misfits(rows, start + half, count - half, cast, name, found)


def _cast(schema: pa.Schema, field: pa.Field) -> _Cast:
    """What makes the column of a field. Raises `Unfit` when its type is of another kind."""
    import pyarrow as pa

    at = schema.get_all_field_indices(field.name)
    if not at:
        return lambda rows: pa.nulls(rows.num_rows, field.type)
    if len(at) > 1:
        raise Unfit(f"there is more than one column `{field.name}`")
    given, index = schema.field(at[0]).type, at[0]
    if given.equals(field.type):
        return lambda rows: rows.column(index)
    if not same_kind(given, field.type):
        raise Unfit(f"`{field.name}` is {given}, where {field.type} is declared")
    return lambda rows: exactly(rows.column(index), field.type)
