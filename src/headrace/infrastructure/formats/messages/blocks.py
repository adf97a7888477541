"""Messages that are blocks of rows with types of their own: what all such formats have in common. Not how one block is written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING

from headrace.business.streams.messages import Decoded, Unreadable
from headrace.infrastructure.formats.messages.typed_columns import Unfit, fitted, no_rows

if TYPE_CHECKING:
    import pyarrow as pa


class BlockReader:
    """Reads the rows of blocks one behind the other, in the columns of a schema. A row that does not fit becomes a letter, as a block
    of its own."""

    def __init__(
        self,
        invalid: str,
        schema: pa.Schema,
        rows_of: Callable[[pa.Buffer], pa.RecordBatch],
        written: Callable[[pa.RecordBatch], pa.Buffer],
    ) -> None:
        self._invalid, self._schema, self._rows_of, self._written = invalid, schema, rows_of, written

    def __call__(self, bodies: pa.Array) -> Decoded:
        import pyarrow as pa

        blocks: list[pa.RecordBatch] = []
        letters: list[Unreadable] = []
        for number, body in enumerate(bodies):
            rows, bad = self._block(number, body.as_buffer())
            blocks.append(rows)
            letters += bad
        rows = blocks[0] if len(blocks) == 1 else pa.concat_batches(blocks) if blocks else no_rows(self._schema)
        return Decoded(rows, _origins([block.num_rows for block in blocks]), letters)

    def _block(self, number: int, body: pa.Buffer) -> tuple[pa.RecordBatch, Sequence[Unreadable]]:
        import pyarrow as pa

        try:
            given = self._rows_of(body)
            rows, misfits = fitted(given, self._schema)
        except Unfit as error:
            return no_rows(self._schema), [Unreadable(number, "types.unfit", str(error))]
        except (pa.ArrowException, OSError, EOFError, UnicodeDecodeError) as error:  # names may be no text
            return no_rows(self._schema), [Unreadable(number, self._invalid, str(error).partition("\n")[0])]
        return rows, [
            Unreadable(number, "types.unfit", f"row {bad.row + 1}: {bad.detail}", bytes(self._written(given.slice(bad.row, 1))))
            for bad in misfits
        ]


def _origins(counts: Sequence[int]) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    ends = pa.array([0, *accumulate(counts)], pa.int32())
    rows = pa.nulls(sum(counts), pa.null())
    return pc.list_parent_indices(pa.ListArray.from_arrays(ends, rows)).cast("int32")


class BlockWriter:
    """Writes rows into blocks of at most so many."""

    def __init__(self, schema: pa.Schema, most: int, written: Callable[[pa.RecordBatch], pa.Buffer]) -> None:
        self._schema, self._most, self._written = schema, most, written

    def write(self, rows: pa.RecordBatch) -> pa.Array:
        import pyarrow as pa

        rows, _ = fitted(rows, self._schema)
        return pa.array(
            [bytes(self._written(rows.slice(at, self._most))) for at in range(0, rows.num_rows, self._most)], pa.binary()
        )
