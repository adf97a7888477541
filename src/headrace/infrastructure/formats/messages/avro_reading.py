"""Reads Avro records of one writer's schema into the columns of a reader: at once where the schema is flat, one by one where it is not.

Schemas are resolved as Avro's specification says: fields by name or alias, missing ones by their default, numbers widened.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from headrace.business.streams.messages import Decoded, Unreadable
from headrace.errors import NonRetryableError
from headrace.infrastructure.formats import avro
from headrace.infrastructure.formats.messages.avro_columns import NotFlat, decoded, fields_of
from headrace.infrastructure.formats.messages.bodies import in_order
from headrace.infrastructure.formats.messages.typed_columns import Unfit, fitted, no_rows

if TYPE_CHECKING:
    import pyarrow as pa

#: What fastavro raises for bytes that are no record, and for values that Arrow does not take.
_FAILURES = (ValueError, EOFError, IndexError, KeyError, TypeError, OverflowError, RecursionError, StopIteration, MemoryError)


def parsed(schema: Any, origin: str, references: Sequence[Any] = ()) -> dict[str, Any]:
    """A schema as fastavro has it: of a record, with names in full, and with what it refers to in its place. Raises `NonRetryableError`."""
    import fastavro

    named: dict[str, Any] = {}
    try:
        for reference in references:
            fastavro.parse_schema(reference, named)
        found = fastavro.parse_schema(schema, named, expand=bool(references))
    except (fastavro.schema.SchemaParseException, fastavro.schema.UnknownType, *_FAILURES) as error:
        raise NonRetryableError(
            f"{origin} is no Avro schema: {error}", hint="see https://avro.apache.org/docs/current/specification"
        ) from error
    if not isinstance(found, dict) or found.get("type") != "record":
        raise NonRetryableError(
            f"{origin} is no schema of a record", hint="its top level has to be a record, whose fields are the columns"
        )
    return found


class AvroRecords:
    """Reads bodies that are a record of `writer` each. Raises `NonRetryableError` when these schemas cannot be resolved."""

    def __init__(self, writer: dict[str, Any], reader: dict[str, Any] | None, schema: pa.Schema) -> None:
        self._writer, self._reader, self._schema = writer, reader, schema
        self._result = avro.arrow_schema(reader or writer, "the schema")
        self._sources = _sources(writer, reader)
        try:
            self._fields = fields_of(writer) if self._plain() else None
        except NotFlat:
            self._fields = None

    def _plain(self) -> bool:
        """Whether what the reader makes of the writer's fields is a matter of their names and of casts alone."""
        import pyarrow.types as t

        return (
            self._reader is None or self._reader == self._writer or not any(t.is_nested(field.type) for field in self._result)
        )

    def __call__(self, bodies: pa.Array) -> Decoded:
        columns, faults = self._columns(bodies) if self._fields is not None else self._one_by_one(bodies)
        import pyarrow as pa

        numbers = pa.array([number for number in range(len(bodies)) if number not in faults], pa.int32())
        letters = [Unreadable(number, "avro.invalid", why) for number, why in faults.items()]
        rows = columns.take(numbers) if faults and self._fields is not None else columns
        try:
            rows, misfits = fitted(rows, self._schema)
        except Unfit as error:
            letters += [Unreadable(number, "types.unfit", str(error)) for number in numbers.to_pylist()]
            return Decoded(no_rows(self._schema), numbers.slice(0, 0), in_order(letters))
        letters += [Unreadable(numbers[bad.row].as_py(), "types.unfit", bad.detail) for bad in misfits]
        if not letters:
            return Decoded(rows)
        unfit = {bad.row for bad in misfits}
        kept = [number for row, number in enumerate(numbers.to_pylist()) if row not in unfit]
        return Decoded(rows, pa.array(kept, pa.int32()), in_order(letters))

    def _columns(self, bodies: pa.Array) -> tuple[pa.RecordBatch, Mapping[int, str]]:
        import pyarrow as pa

        found, faults = decoded(bodies, self._fields or ())
        arrays, names = [], []
        for name, (source, default) in self._sources.items():
            names.append(name)
            arrays.append(
                found[source] if source is not None else _repeated(default, len(bodies), self._result.field(name).type)
            )
        return pa.RecordBatch.from_arrays(arrays, names=names), faults

    def _one_by_one(self, bodies: pa.Array) -> tuple[pa.RecordBatch, Mapping[int, str]]:
        import fastavro
        import pyarrow as pa

        rows, faults = [], {}
        for number, body in enumerate(bodies.to_pylist()):
            stream = io.BytesIO(body)
            try:
                row = fastavro.schemaless_reader(stream, self._writer, self._reader)
                pa.RecordBatch.from_pylist([row], schema=self._result)
            except (*_FAILURES, pa.ArrowException) as error:
                faults[number] = str(error) or type(error).__name__
                continue
            if stream.tell() < len(body):
                faults[number] = "bytes follow the record"
            else:
                rows.append(row)
        return pa.RecordBatch.from_pylist(rows, schema=self._result), faults


def _sources(writer: Mapping[str, Any], reader: Mapping[str, Any] | None) -> Mapping[str, tuple[str | None, Any]]:
    """For each column the writer's field that it is read from, or None and its default."""
    given = [field["name"] for field in writer["fields"]]
    if reader is None:
        return {name: (name, None) for name in given}
    found: dict[str, tuple[str | None, Any]] = {}
    for field in reader["fields"]:
        names = [name for name in (field["name"], *field.get("aliases", ())) if name in given]
        if not names and "default" not in field:
            raise NonRetryableError(
                f"the schema of the messages has no field `{field['name']}`, and ours gives it no default",
                hint="give it one: then messages without it can be read",
            )
        found[field["name"]] = (names[0], None) if names else (None, field.get("default"))
    return found


def _repeated(value: Any, count: int, kind: pa.DataType) -> pa.Array:
    import pyarrow as pa

    if isinstance(value, str) and (pa.types.is_binary(kind) or pa.types.is_fixed_size_binary(kind)):
        value = value.encode("latin-1")  # so the specification has bytes in JSON
    numeric = isinstance(value, int) and pa.types.is_temporal(kind)
    scalar = (
        pa.scalar(value, pa.int64()).cast(pa.int32() if kind == pa.date32() else pa.int64()).cast(kind)
        if numeric
        else pa.scalar(value, kind)
    )
    return pa.repeat(scalar, count)
