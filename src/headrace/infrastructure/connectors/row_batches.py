"""Makes Arrow batches of one schema of whatever Python code gives as rows. Not who runs the code."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from headrace.business.model.schema import did_you_mean
from headrace.errors import NonRetryableError

if TYPE_CHECKING:
    import pyarrow as pa

_BATCH_ROWS = 10_000


def batches_of(things: Iterable[Any], schema: pa.Schema | None, origin: str) -> Iterator[pa.RecordBatch]:
    """Batches of `schema`, or of the first batch's, made of tables, batches, data frames, lists of mappings, and mappings."""
    rows: list[Mapping[str, Any]] = []
    for thing in things:
        if isinstance(thing, Mapping):
            rows.append(thing)
            if len(rows) < _BATCH_ROWS:
                continue
            found, rows = [_of_rows(rows, schema, origin)], []
        else:
            found = [_of_rows(rows, schema, origin)] if rows else []
            found, rows = [*found, *_of_thing(thing, schema, origin)], []
        for batch in found:
            schema = schema or batch.schema
            yield _fitted(batch, schema, origin)
    if rows:
        batch = _of_rows(rows, schema, origin)
        yield _fitted(batch, schema or batch.schema, origin)


def _of_thing(thing: Any, schema: pa.Schema | None, origin: str) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    if hasattr(thing, "__arrow_c_array__") and not hasattr(thing, "__arrow_c_stream__"):
        yield pa.record_batch(thing)
    elif hasattr(thing, "__arrow_c_stream__"):
        for batch in pa.RecordBatchReader.from_stream(thing):
            yield batch.select([n for n in batch.schema.names if not n.startswith("__index_level_")])
    elif isinstance(thing, Sequence) and not isinstance(thing, str | bytes):
        for start in range(0, len(thing), _BATCH_ROWS):
            yield _of_rows(thing[start : start + _BATCH_ROWS], schema, origin)
    else:
        raise NonRetryableError(
            f"`{origin}` gave a {type(thing).__name__}",
            hint="let it give Arrow tables or batches, data frames, or mappings of names to values",
        )


def _of_rows(rows: Sequence[Any], schema: pa.Schema | None, origin: str) -> pa.RecordBatch:
    import pyarrow as pa

    for row in rows:
        if not isinstance(row, Mapping):
            raise NonRetryableError(
                f"`{origin}` gave a {type(row).__name__} as a row", hint="a row is a mapping of names to values"
            )
    names = schema.names if schema else list(dict.fromkeys(name for row in rows for name in row))
    _demand_known(rows, names, origin)
    arrays = []
    for name in names:
        try:
            arrays.append(pa.array([row.get(name) for row in rows], schema.field(name).type if schema else None))
        except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
            raise NonRetryableError(
                f"`{name}` of `{origin}` holds values of different types: {error}", hint="declare its type with `schema`"
            ) from error
    return pa.RecordBatch.from_arrays(arrays, schema=schema) if schema else pa.RecordBatch.from_arrays(arrays, names=names)


def _demand_known(rows: Sequence[Mapping[str, Any]], names: Sequence[str], origin: str) -> None:
    known = set(names)
    for row in rows:
        if unknown := [name for name in row if name not in known]:
            raise NonRetryableError(
                f"`{origin}` gave the column `{unknown[0]}` that is not in its schema",
                hint=f"declare it with `schema`; {did_you_mean(unknown[0], names)}",
            )


def _fitted(batch: pa.RecordBatch, schema: pa.Schema, origin: str) -> pa.RecordBatch:
    """The batch in the schema: columns in its order, cast where nothing is lost."""
    import pyarrow as pa

    if batch.schema.equals(schema):
        return batch
    if unknown := [name for name in batch.schema.names if name not in schema.names]:
        raise NonRetryableError(
            f"`{origin}` gave the column `{unknown[0]}` that is not in its schema",
            hint=f"declare it with `schema`; {did_you_mean(unknown[0], schema.names)}",
        )
    arrays = []
    for field in schema:
        index = batch.schema.get_field_index(field.name)
        array = batch.column(index) if index >= 0 else pa.nulls(batch.num_rows, field.type)
        try:
            arrays.append(array if array.type == field.type else array.cast(field.type))
        except pa.ArrowException as error:
            raise NonRetryableError(
                f"`{field.name}` of `{origin}` does not fit {field.type}: {error}", hint="declare its type with `schema`"
            ) from error
    return pa.RecordBatch.from_arrays(arrays, schema=schema)
