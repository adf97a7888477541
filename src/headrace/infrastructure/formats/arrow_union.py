"""Joins files that are read into Arrow by the names of their columns, for all formats that come that way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING

from headrace.business.ports import ArrowFileScan, InputFile
from headrace.errors import NonRetryableError
from headrace.infrastructure.foreign_types import arrow_columns, notes_of, schema_of

if TYPE_CHECKING:
    import pyarrow as pa


def needs_pyarrow(what: str, extra: str = "arrow", also: str | None = None) -> None:
    """Say how to install what a format needs."""
    missing = [module for module in ("pyarrow", also) if module and find_spec(module) is None]
    if missing:
        raise NonRetryableError(f"reading {what} needs {missing[0]}", hint=f'pip install "headrace[{extra}]"')


def union_scan(
    files: Sequence[InputFile],
    schema: Callable[[InputFile], pa.Schema],
    batches: Callable[[InputFile], Iterator[pa.RecordBatch]],
) -> ArrowFileScan:
    """A scan of files whose batches are brought to one schema: a column that a file lacks is null, numbers are widened."""
    import pyarrow as pa

    schemas = [schema(file).remove_metadata() for file in files]
    try:
        union = pa.unify_schemas(schemas, promote_options="permissive")
    except pa.ArrowException as error:
        _name_the_clash(files, schemas)
        raise NonRetryableError(
            f"the files have columns of types that cannot be joined: {error}", hint="read them as two sources"
        ) from error
    columns = arrow_columns(union, f"`{files[0].path}`")

    def opened(file: InputFile) -> Iterator[pa.RecordBatch]:
        for batch in batches(file):
            yield _fitted(batch, union, file.path)

    return ArrowFileScan(schema_of(columns), tuple(files), open=opened, notes=notes_of(columns))


def _name_the_clash(files: Sequence[InputFile], schemas: Sequence[pa.Schema]) -> None:
    """Say which column of which files has the types that cannot be joined."""
    import pyarrow as pa

    seen: dict[str, tuple[pa.Field, str]] = {}
    for file, schema in zip(files, schemas, strict=True):
        for field in schema:
            before, path = seen.setdefault(field.name, (field, file.path))
            try:
                pa.unify_schemas([pa.schema([before]), pa.schema([field])], promote_options="permissive")
            except pa.ArrowException as error:
                raise NonRetryableError(
                    f"`{field.name}` is {before.type} in `{path}` and {field.type} in `{file.path}`",
                    hint="read them as two sources, and cast one before they are united",
                ) from error


def _fitted(batch: pa.RecordBatch, schema: pa.Schema, path: str) -> pa.RecordBatch:
    import pyarrow as pa

    if batch.schema.equals(schema):
        return batch
    arrays = []
    for field in schema:
        index = batch.schema.get_field_index(field.name)
        array = batch.column(index) if index >= 0 else pa.nulls(batch.num_rows, field.type)
        try:
            arrays.append(array if array.type == field.type else array.cast(field.type))
        except pa.ArrowException as error:
            raise NonRetryableError(
                f"`{field.name}` in `{path}` does not fit {field.type}: {error}", hint="read the files as two sources"
            ) from error
    return pa.RecordBatch.from_arrays(arrays, schema=schema)
