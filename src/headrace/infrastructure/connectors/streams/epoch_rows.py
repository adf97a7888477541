"""The rows of an epoch on their way to a target: in the types of their schema, and of each key the last. Not how they get there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from headrace.business.model.schema import Schema
from headrace.errors import NonRetryableError
from headrace.infrastructure.foreign_types import arrow_type

if TYPE_CHECKING:
    import pyarrow as pa

_NUMBER = "number of the row"


def conformed(rows: pa.Table, schema: Schema) -> pa.Table:
    """With the columns of the schema, in its order and types."""
    import pyarrow as pa

    wanted = pa.schema([(column.name, arrow_type(column.type)) for column in schema])
    chosen = rows.select(schema.names)
    return chosen if chosen.schema == wanted else chosen.cast(wanted)


def latest(rows: pa.Table, key: Sequence[str]) -> pa.Table:
    """The last row of each key, in order. Where an epoch ends is chance, so a key that comes twice in one is what it is in two: a row
    and its successor. Raises `NonRetryableError` when part of a key is null."""
    import pyarrow as pa
    import pyarrow.compute as pc

    for name in key:
        if without := rows[name].null_count:
            raise NonRetryableError(
                f"{without:,} rows have a null in their key ({', '.join(key)}), so it cannot be told which row they replace",
                hint="let the contract require these columns, or filter such rows",
            )
    if rows.num_rows < 2:
        return rows
    numbered = rows.select(key).append_column(_NUMBER, pa.array(range(rows.num_rows), pa.int64()))
    last = numbered.group_by(list(key)).aggregate([(_NUMBER, "max")])[f"{_NUMBER}_max"]
    return rows if len(last) == rows.num_rows else rows.take(last.combine_chunks().take(pc.sort_indices(last)))
