"""Rows that leave a table by their key, and rows that come: what a merge found out, in the two forms in which tables can take it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from headrace.business.model.schema import Schema
from headrace.infrastructure.connectors.duckdb_types import duckdb_type
from headrace.infrastructure.connectors.file_merge import LEAVING, Changes, FileMerge
from headrace.infrastructure.duckdb_connection import Connection
from headrace.infrastructure.sql_text import quoted, quoted_list
from headrace.records import record

if TYPE_CHECKING:
    import pyarrow as pa

#: The column that says in which file of the table a row lies, where the table knows.
FILE = "_headrace_file"

BATCH_ROWS = 50_000
_ARRIVING = "arriving"


def stream(con: Connection, query: str) -> pa.RecordBatchReader:
    """The rows of a query, a batch at a time. Until it is read to its end, the connection can do nothing else."""
    import pyarrow as pa

    return pa.RecordBatchReader.from_batches(*con.arrow_batches(query, BATCH_ROWS))


@record
class Exchange:
    """See above. `schema` is the table's, as it will be."""

    con: Connection
    merge: FileMerge
    changes: Changes

    @property
    def schema(self) -> Schema:
        return self.merge.schema

    @property
    def key(self) -> Sequence[str]:
        return self.merge.options.key

    @property
    def in_force(self) -> str | None:
        """Where this names a column, only rows leave in which it is true."""
        return self.merge.options.is_current if self.merge.options.history else None

    @property
    def files(self) -> frozenset[str]:
        """The files in which rows that leave lie."""
        return frozenset(self.changes.leaving)

    @property
    def leaving(self) -> Sequence[str]:
        """The columns of `both` that hold the keys of rows that leave, in the order of the key."""
        return [f"_headrace_key_{n}" for n in range(len(self.key))]

    def both(self) -> pa.RecordBatchReader:
        """The rows that come, in the columns of the schema, and those that leave, of which there is but the key, in columns of its own."""
        keys = ", ".join(f"{quoted(k)} AS {quoted(name)}" for k, name in zip(self.key, self.leaving, strict=True))
        nothing = ", ".join(f"CAST(NULL AS {duckdb_type(c.type)}) AS {quoted(c.name)}" for c in self.schema)
        no_key = ", ".join(f"CAST(NULL AS {duckdb_type(self.schema[k].type)})" for k in self.key)
        gone = f"SELECT DISTINCT {quoted_list(self.key)} FROM {LEAVING}"
        return stream(
            self.con,
            f"SELECT {nothing}, {keys} FROM ({gone}) UNION ALL "
            f"SELECT {quoted_list(self.schema.names)}, {no_key} FROM ({self.changes.added})",
        )

    def coming(self) -> pa.RecordBatchReader:
        return stream(self.con, self.changes.added)

    def staying(self, rows: pa.RecordBatchReader) -> pa.RecordBatchReader:
        """Of rows of the table those that do not leave, in the columns of the schema."""
        self.con.register(_ARRIVING, rows)
        there = f"SELECT {cells(self.schema, rows.schema.names)} FROM {_ARRIVING}"
        return stream(self.con, self.merge.remaining(f"({there})"))


def cells(schema: Schema, there: Sequence[str]) -> str:
    """The columns of a schema, of a relation that has some of them; null where it lacks one."""
    return ", ".join(
        f"CAST({quoted(c.name) if c.name in there else 'NULL'} AS {duckdb_type(c.type)}) AS {quoted(c.name)}" for c in schema
    )
