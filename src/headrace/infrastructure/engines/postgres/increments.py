"""What is new of a source that is read by cursor, in PostgreSQL's SQL. Not what makes a row new."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from headrace.business.model.types import Date, Float, Interval, String, Timestamp
from headrace.business.processing.expressions.ir import Cast, ColumnRef
from headrace.business.processing.increments import ReadUpTo
from headrace.business.processing.plan import PlannedSource
from headrace.infrastructure.engines.postgres.checked import Checked
from headrace.infrastructure.engines.postgres.connection import Connection
from headrace.infrastructure.engines.postgres.dialect import DIALECT
from headrace.infrastructure.engines.postgres.intake import ROW
from headrace.infrastructure.engines.sql.increments import ReadByCursor

_identifier = DIALECT.identifier


class Increment(ReadByCursor):
    """See `ReadByCursor`. It is looked at once it is made; what earlier runs have read has then broken nothing."""

    row = ROW

    def __init__(
        self, connection: Connection, source: PlannedSource, cursor: str, checked: Checked, before: ReadUpTo, rows: str
    ) -> None:
        super().__init__(source, cursor, before, rows)
        self.connection, self.table = connection, checked.table
        self.column = DIALECT.ordered(_identifier(cursor), self.kind)
        values = (self._as_text(_identifier(n), n) for n in source.identity or tuple(checked.kept))
        cells = ", ".join(f"coalesce(to_json({value})::text, 'null')" for value in values)
        self.digest = f"md5('[' || concat_ws(',', {cells}) || ']')"
        self.run(f"CREATE UNLOGGED TABLE {rows} (r bigint)")
        self.look()
        if self.left != "false" and checked.masks:
            zero = ", ".join(f"{mask} = 0" for mask in checked.masks)
            self.run(f"UPDATE {checked.table} SET {zero} WHERE ({checked.any_bit()}) AND {self.left}")

    def run(self, statement: str) -> object:
        return self.connection.run(statement)

    def found(self, query: str) -> Sequence[Sequence[Any]]:
        return self.connection.rows(query)

    def text(self, value: str) -> str:
        return self._as_text(value, self.cursor)

    def value(self, text: str) -> str:
        value = f"CAST({DIALECT.literal(text, String())} AS {DIALECT.type_name(self.kind)})"
        return DIALECT.ordered(value, self.kind)

    def lowered(self, value: str, lag: timedelta | int) -> str:
        back = DIALECT.literal(lag, Interval()) if isinstance(lag, timedelta) else str(int(lag))
        return f"CAST({value} - {back} AS {DIALECT.type_name(self.kind)})"

    def without_place(self) -> str:
        name = _identifier(self.cursor)
        if isinstance(self.kind, Float):
            return f"{name} IS NULL OR {name} IN ('NaN', 'Infinity', '-Infinity')"
        return f"{name} IS NULL OR NOT isfinite({name})" if isinstance(self.kind, Date | Timestamp) else f"{name} IS NULL"

    def known(self, counts: Mapping[str, int]) -> str:
        pairs = ", ".join(f"({DIALECT.literal(digest, String())}, {count:d})" for digest, count in counts.items())
        return f"(VALUES {pairs})"

    def _as_text(self, value: str, column: str) -> str:
        kind = self.source.schema[column].type
        return value if isinstance(kind, String) else DIALECT.cast(Cast(String(), ColumnRef(kind, column)), value)
