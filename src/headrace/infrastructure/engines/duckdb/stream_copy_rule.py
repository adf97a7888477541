"""Finds rows whose values came before, near enough in time, in the same partition. Not the step `dedupe` (see `stream_copies`).

What is remembered may be forgotten at any time behind the moment when no row needs it: rows that come further behind the watermark than
`within` are not compared, so nothing is found out by chance.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headrace.business.model.schema import Column, Schema
from headrace.business.processing.steps.event_windows import TIME
from headrace.business.processing.steps.projection import ref
from headrace.business.streams.copies import NUMBER
from headrace.business.streams.groups import KEPT, WATERMARK
from headrace.business.streams.slots import SLOT, SLOT_TYPE
from headrace.business.validation.compiled import CopyRule
from headrace.infrastructure.engines.duckdb.literals import identifier
from headrace.infrastructure.engines.duckdb.stream_numbers import numbers, typed
from headrace.infrastructure.engines.duckdb.stream_seeking import Seeker
from headrace.infrastructure.engines.duckdb.stream_statements import Inlet, Statements, slot_sql
from headrace.infrastructure.engines.duckdb.stream_table import Gone, StateTable

if TYPE_CHECKING:
    import pyarrow as pa


#: The partition of a row.
PARTITION = "#:partition"


class CopyJudge:
    """See `ArrivalJudge`."""

    def __init__(self, statements: Statements, name: str, schema: Schema, rule: CopyRule, came: Inlet) -> None:
        self.statements, self.rule = statements, rule
        self.names = (PARTITION, *rule.columns)
        kept = schema.select((*self.names, TIME))
        keys = tuple(ref(schema[name]) for name in self.names)
        self.table = StateTable(statements, f"rule {name}", Schema((*kept, Column(SLOT, SLOT_TYPE))), keys)
        self._passed = statements.inlet(f"passed {name}", schema.select((PARTITION, WATERMARK)))
        sought = numbers(typed(came, schema), keys)
        self._find = Seeker(statements, self.table, sought, lambda there: self._broken(came.sql, there))
        self._make = statements.prepare(
            f"SELECT *, {slot_sql([self._keys])} AS {identifier(SLOT)} FROM "
            f"(SELECT DISTINCT {self._keys}, {_TIME} FROM {came.sql} WHERE {self._complete} AND {self._compared})"
        )
        self._let_go = Gone(
            self.table,
            lambda there: (
                f"SELECT k.{_KEPT} FROM {there} AS k JOIN {self._passed.sql} AS p USING ({_PARTITION}) "
                f"WHERE k.{_TIME} + {2 * rule.within} <= p.{_WATERMARK}"
            ),
        )
        self._forgot: dict[str, int] = {}

    def broken(self, came: pa.Table) -> Any:
        self.table.settle()
        found = self._find.rows(len(came))[NUMBER]
        self.table.add(self.statements.rows(self._make))
        return found

    def forget(self, partition: str, watermark: int) -> None:
        """Many at a time: it does not matter when."""
        import pyarrow as pa

        if watermark < self._forgot.setdefault(partition, watermark) + 2 * self.rule.within:
            return
        self._forgot[partition] = watermark
        self.table.settle()
        self._passed.hold(pa.table([[partition], [watermark]], names=[PARTITION, WATERMARK]))
        self._let_go.run()
        self._passed.hold(None)

    def _broken(self, came: str, there: str) -> str:
        """The numbers of the rows behind which, within reach, another stands that came before; what is remembered came before all."""
        near = self.rule.within - 1
        new = f"SELECT {self._keys}, {_TIME}, {_NUMBER}, {_WATERMARK} FROM {came} WHERE {self._complete}"
        old = f"SELECT {self._keys}, {_TIME}, -1, NULL FROM {there} SEMI JOIN {came} USING ({self._keys})"
        first = f"min({_NUMBER}) OVER (PARTITION BY {self._keys} ORDER BY {_TIME} RANGE BETWEEN {near} PRECEDING AND {near} FOLLOWING)"
        both = f"SELECT *, {first} AS {_FIRST} FROM ({new} UNION ALL {old})"
        return f"SELECT {_NUMBER} FROM ({both}) WHERE {_NUMBER} >= 0 AND {_FIRST} < {_NUMBER} AND {self._compared} ORDER BY {_NUMBER}"

    @property
    def _keys(self) -> str:
        return ", ".join(map(identifier, self.names))

    @property
    def _complete(self) -> str:
        return " AND ".join(f"{identifier(name)} IS NOT NULL" for name in self.rule.columns)

    @property
    def _compared(self) -> str:
        return f"{_TIME} >= {_WATERMARK} - {self.rule.within}"


_PARTITION, _TIME, _NUMBER, _WATERMARK, _FIRST, _KEPT = map(identifier, (PARTITION, TIME, NUMBER, WATERMARK, "#:first", KEPT))
