"""What is new of a source that is read by cursor, in DuckDB's SQL, and what its scan can leave where it is. Not what makes a row new."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Protocol

from headrace.business.model.types import Date, Float, String, Timestamp
from headrace.business.ports import Scan
from headrace.business.processing.expressions.ir import ColumnRef
from headrace.business.processing.increments import ReadUpTo
from headrace.business.processing.plan import PlannedSource
from headrace.infrastructure.duckdb_connection import Connection
from headrace.infrastructure.engines.duckdb.literals import identifier, literal
from headrace.infrastructure.engines.duckdb.types import duckdb_type
from headrace.infrastructure.engines.sql.increments import ReadByCursor


class Judged(Protocol):
    """The judged rows of a source, as DuckDB sees them."""

    @property
    def table(self) -> str: ...
    @property
    def row(self) -> str:
        """What the number of a row is called there."""
        ...

    @property
    def kept(self) -> Sequence[str]: ...

    def stored(self, name: str) -> str:
        """A column of the source, as it is called there."""
        ...


class Increment(ReadByCursor):
    """See `ReadByCursor`. It is looked at once it is made."""

    def __init__(self, con: Connection, source: PlannedSource, cursor: str, judged: Judged, before: ReadUpTo) -> None:
        super().__init__(source, cursor, before, identifier(f"left {source.name}"))
        self.con = con
        self.row, self.table, self.column = judged.row, judged.table, judged.stored(cursor)
        values = ", ".join(self.text(judged.stored(name)) for name in source.identity or tuple(judged.kept))
        self.digest = f"md5(CAST(to_json([{values}]) AS VARCHAR))"
        self.run(f"CREATE TEMP TABLE {self.rows} (r BIGINT)")
        self.look()

    def run(self, statement: str) -> object:
        return self.con.execute(statement)

    def found(self, query: str) -> Sequence[Sequence[Any]]:
        return self.con.execute(query).fetchall()

    def text(self, value: str) -> str:
        return f"CAST({value} AS VARCHAR)"

    def value(self, text: str) -> str:
        return f"CAST({literal(text, String())} AS {duckdb_type(self.kind)})"

    def lowered(self, value: str, lag: timedelta | int) -> str:
        back = f"to_microseconds({lag // timedelta(microseconds=1)})" if isinstance(lag, timedelta) else str(int(lag))
        return f"CAST({value} - {back} AS {duckdb_type(self.kind)})"

    def without_place(self) -> str:
        missing = f"{self.column} IS NULL"
        return f"{missing} OR NOT isfinite({self.column})" if isinstance(self.kind, Float | Date | Timestamp) else missing

    def known(self, counts: Mapping[str, int]) -> str:
        table = identifier(f"known of {self.source.name}")
        pairs = [[digest, str(count)] for digest, count in counts.items()]
        self.con.execute(
            f"CREATE OR REPLACE TEMP TABLE {table} AS SELECT p[1] AS d, CAST(p[2] AS BIGINT) AS n FROM (SELECT unnest(?) AS p)",
            [pairs],
        )
        return table


def narrowed(source: PlannedSource, before: ReadUpTo) -> Scan:
    """The scan of no more than a run has to look at, where the source can leave the rest where it is. It can where its values are
    compared there as they are here: what a contract casts or tidies is not."""
    scan = source.scan
    if source.cursor is None or scan.by_cursor is None:
        return scan
    cell = next(c for c in source.contract.cells if c.column.name == source.cursor)
    as_it_comes = isinstance(cell.value, ColumnRef) and cell.tidied is None
    return (scan.by_cursor(cell.source, before.floor) if as_it_comes else None) or scan
