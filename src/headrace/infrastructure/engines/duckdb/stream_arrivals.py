"""Judges how the rows of a source come behind those before them, and remembers what that takes. Not what becomes of the rows.

Rows are judged in the order in which they came, by rows that broke no rule of their own, and by what is true of their partition alone.
So it does not matter how they were cut into batches, nor when what is over was forgotten.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from headrace.business.model.schema import Column, Schema
from headrace.business.model.types import String
from headrace.business.processing.plan import PlannedSource
from headrace.business.processing.steps.event_windows import TIME, WHOLE
from headrace.business.streams.copies import NUMBER
from headrace.business.streams.groups import WATERMARK
from headrace.business.validation.compiled import ArrivalRule, CopyRule, LatenessRule, SequenceRule
from headrace.infrastructure.engines.duckdb.stream_copy_rule import PARTITION, CopyJudge
from headrace.infrastructure.engines.duckdb.stream_sequence_rule import SequenceJudge
from headrace.infrastructure.engines.duckdb.stream_statements import Inlet, Statements
from headrace.infrastructure.engines.duckdb.stream_table import StateTable

if TYPE_CHECKING:
    import pyarrow as pa


class ArrivalJudge(Protocol):
    """The judge of one rule. The rows that came are in an inlet while it is asked."""

    @property
    def table(self) -> StateTable | None:
        """What it remembers; None when that is nothing."""
        ...

    def broken(self, came: pa.Table) -> Any:
        """The numbers of the rows that break the rule; from now on all of them have come."""
        ...

    def forget(self, partition: str, watermark: int) -> None:
        """Let go of what no row of the partition needs whose watermark is here or behind."""
        ...


class Arrivals:
    """The judgement of one source. Each rule is asked about the same rows."""

    def __init__(self, statements: Statements, source: PlannedSource) -> None:
        self.rules = source.contract.arrivals
        self.columns = tuple(dict.fromkeys(name for rule in self.rules for name in rule.columns))
        beside = (Column(PARTITION, String()), Column(TIME, WHOLE), Column(WATERMARK, WHOLE), Column(NUMBER, WHOLE))
        schema = Schema((*(source.schema[name] for name in self.columns), *beside))
        self._came = statements.inlet(f"coming {source.name}", schema)
        self._judges = {rule.name: _judge(statements, source.name, schema, rule, self._came) for rule in self.rules}

    @property
    def tables(self) -> Mapping[str, StateTable]:
        """What is remembered, by rule."""
        return {name: judge.table for name, judge in self._judges.items() if judge.table is not None}

    def judge(self, partition: str, rows: pa.Table, times: Any, watermarks: Any) -> Sequence[Any]:
        """For each rule the numbers of the rows that break it. `times` and `watermarks`, those of the partition just before each row or by
        it, are microseconds since 1970, or None where nothing says them."""
        import pyarrow as pa
        import pyarrow.compute as pc

        unknown = pa.nulls(len(rows), pa.int64())
        came = rows.select(self.columns)
        came = came.append_column(PARTITION, pa.repeat(partition, len(rows)))
        came = came.append_column(TIME, unknown if times is None else times)
        came = came.append_column(WATERMARK, unknown if watermarks is None else watermarks)
        came = came.append_column(NUMBER, pa.array(range(len(rows)), pa.int64()))
        self._came.hold(came)
        found = [judge.broken(came) for judge in self._judges.values()]
        self._came.hold(None)
        if watermarks is not None and len(rows):
            for judge in self._judges.values():
                judge.forget(partition, pc.max(watermarks).as_py())
        return found


class LatenessJudge:
    """See `ArrivalJudge`. It remembers nothing: the watermark comes with the rows."""

    table = None

    def __init__(self, rule: LatenessRule) -> None:
        self.rule = rule

    def broken(self, came: pa.Table) -> Any:
        import pyarrow.compute as pc

        behind = pc.subtract(came[WATERMARK], came[TIME])
        return pc.indices_nonzero(pc.fill_null(pc.greater(behind, self.rule.most), False))

    def forget(self, partition: str, watermark: int) -> None:
        """Nothing is remembered."""


def _judge(statements: Statements, source: str, schema: Schema, rule: ArrivalRule, came: Inlet) -> ArrivalJudge:
    match rule:
        case LatenessRule():
            return LatenessJudge(rule)
        case CopyRule():
            return CopyJudge(statements, f"{source} {rule.name}", schema, rule, came)
        case SequenceRule():
            return SequenceJudge(statements, f"{source} {rule.name}", schema, rule, came)
