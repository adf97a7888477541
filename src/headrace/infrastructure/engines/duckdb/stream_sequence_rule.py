"""Finds rows behind a gap in the numbers of their partition. Not what is missing, and not the order: a number may come late."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headrace.business.model.schema import Column, Schema
from headrace.business.processing.steps.projection import ref
from headrace.business.streams.copies import NUMBER
from headrace.business.streams.slots import SLOT, SLOT_TYPE
from headrace.business.validation.compiled import SequenceRule
from headrace.infrastructure.engines.duckdb.literals import identifier
from headrace.infrastructure.engines.duckdb.stream_copy_rule import PARTITION
from headrace.infrastructure.engines.duckdb.stream_numbers import numbers, typed
from headrace.infrastructure.engines.duckdb.stream_seeking import Seeker
from headrace.infrastructure.engines.duckdb.stream_statements import Inlet, Statements, slot_sql
from headrace.infrastructure.engines.duckdb.stream_table import StateTable

if TYPE_CHECKING:
    import pyarrow as pa

_VALUE, _BEFORE = map(identifier, ("#:value", "#:before"))


class SequenceJudge:
    """See `ArrivalJudge`. It remembers the greatest number of each key, as long as the stream lasts."""

    def __init__(self, statements: Statements, name: str, schema: Schema, rule: SequenceRule, came: Inlet) -> None:
        self.statements, self.value = statements, identifier(rule.columns[0])
        self.keys = (PARTITION, *rule.columns[1:])
        kept = schema.select((*self.keys, rule.columns[0]))
        keys = tuple(ref(schema[name]) for name in self.keys)
        self.table = StateTable(statements, f"rule {name}", Schema((*kept, Column(SLOT, SLOT_TYPE))), keys)
        self.table.compact_by(self._greatest)
        sought = numbers(typed(came, schema), keys)
        self._find = Seeker(statements, self.table, sought, lambda there: self._broken(came.sql, there))
        self._make = statements.prepare(self._greatest(came.sql))

    def broken(self, came: pa.Table) -> Any:
        self.table.settle()
        found = self._find.rows(len(came))[NUMBER]
        self.table.add(self.statements.rows(self._make))
        return found

    def forget(self, partition: str, watermark: int) -> None:
        """A sequence goes on, however long it paused."""

    def _broken(self, came: str, there: str) -> str:
        number, keys = identifier(NUMBER), self._keys
        same = " AND ".join(f"k.{identifier(key)} IS NOT DISTINCT FROM c.{identifier(key)}" for key in self.keys)
        new = f"SELECT {keys}, CAST({self.value} AS HUGEINT) AS {_VALUE}, {number} FROM {came} WHERE {self.value} IS NOT NULL"
        old = f"SELECT {keys}, {self.value}, -1 FROM {there} AS k SEMI JOIN {came} AS c ON {same}"
        before = f"max({_VALUE}) OVER (PARTITION BY {keys} ORDER BY {number} ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)"
        both = f"SELECT *, {before} AS {_BEFORE} FROM ({new} UNION ALL {old})"
        return f"SELECT {number} FROM ({both}) WHERE {number} >= 0 AND {_VALUE} - {_BEFORE} > 1 ORDER BY {number}"

    def _greatest(self, rows: str) -> str:
        greatest = f"max({self.value}) AS {self.value}, {slot_sql([self._keys])} AS {identifier(SLOT)}"
        return f"SELECT {self._keys}, {greatest} FROM {rows} WHERE {self.value} IS NOT NULL GROUP BY {self._keys}"

    @property
    def _keys(self) -> str:
        return ", ".join(map(identifier, self.keys))
