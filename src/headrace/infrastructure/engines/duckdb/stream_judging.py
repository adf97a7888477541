"""Judges the rows of one source as they come, by the very expressions that judge a batch. Not what becomes of good rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from headrace.business.model.contract import OnViolation
from headrace.business.model.schema import Column, Schema
from headrace.business.model.stream import Watermark
from headrace.business.model.types import Integer
from headrace.business.processing.plan import PlannedSource
from headrace.business.streams.engine import Arrived, Judged
from headrace.business.streams.groups import WATERMARK
from headrace.business.streams.references import judged_by_row
from headrace.infrastructure.engines.duckdb.checked import Checked
from headrace.infrastructure.engines.duckdb.literals import identifier
from headrace.infrastructure.engines.duckdb.stream_arrivals import Arrivals
from headrace.infrastructure.engines.duckdb.stream_statements import Inlet, Prepared, Statements, query
from headrace.infrastructure.engines.sql.tally import BITS, rule_counts, tally
from headrace.records import record

if TYPE_CHECKING:
    import pyarrow as pa

_HELD: tuple[OnViolation, ...] = ("fail", "quarantine", "drop")
#: So many rows are left out of others without moving these.
_FEW = 32
_ACTIONS: tuple[OnViolation, ...] = (*_HELD, "warn")


@record
class _Ready:
    """What is prepared for rows of one Arrow schema."""

    arrived: Inlet
    judge: Prepared
    raw: Prepared
    """The cells as they came, of all of them."""


class Judging:
    """The judgement of one source."""

    def __init__(
        self, statements: Statements, source: PlannedSource, watermark: Watermark | None, tables: Mapping[str, str]
    ) -> None:
        self.statements, self.watermark = statements, watermark
        self.source = replace(source, contract=judged_by_row(source.contract))
        self.arrivals = Arrivals(statements, source) if source.contract.arrivals else None
        self.checked = Checked(self.source, lambda relation: query({}, relation, tables))
        self.delay = round(watermark.delay.total_seconds() * 1_000_000) if watermark else 0
        self._ready: dict[Any, _Ready] = {}
        self._held: tuple[Inlet, Prepared] | None = None

    @property
    def good_schema(self) -> Schema:
        """The columns of good rows, the watermark behind them."""
        return Schema((*self.source.schema.select(self.checked.kept), Column(WATERMARK, Integer(64))))

    def judge(self, arrived: Arrived) -> tuple[Judged, pa.Table]:
        """What became of the rows, and the good ones, each with the watermark just before it."""
        ready = self._for(arrived.rows.schema)
        ready.arrived.hold(arrived.rows)
        judged = self.statements.rows(ready.judge)
        ready.arrived.hold(None)
        sound = self._sound(judged)
        times = self._times(sound)
        good = self._marked(sound, times, arrived)
        if self.arrivals is not None:
            judged, good = self._as_they_came(self.arrivals, judged, good, times, arrived)
        if self._some_broken(judged):
            verdict = self._verdict(judged, arrived)
        else:
            verdict = Judged(len(judged), len(good), 0, 0, rules=rule_counts(self.source, [0] * len(self.checked.rules), {}, 0))
        return replace(verdict, highest=_highest(times)), good

    @property
    def _masks(self) -> list[str]:
        return [mask.strip('"') for mask in self.checked.masks]

    def _for(self, schema: pa.Schema) -> _Ready:
        if schema not in self._ready:
            number = len(self._ready)
            inlet = self.statements.inlet_like(f"arrived {number} {self.source.name}", schema.empty_table())
            columns = [identifier(name) for name in self.checked.kept]
            raw = f"SELECT {self.checked.as_it_came(str)} AS raw FROM {inlet.sql}"
            judge = self.statements.prepare(self.checked.judged(inlet.sql, columns))
            self._ready[schema] = _Ready(inlet, judge, self.statements.prepare(raw))
        return self._ready[schema]

    def _sound(self, judged: pa.Table) -> pa.Table:
        """The rows that no rule of their own holds back."""
        import pyarrow.compute as pc

        rows = judged.select(self.checked.kept)
        return _without(rows, pc.indices_nonzero(self._held_back(judged))) if self._some_broken(judged) else rows

    # Rows that came wrongly ------------------------------------------------------------------------------------------

    def _as_they_came(
        self, arrivals: Arrivals, judged: pa.Table, sound: pa.Table, times: Any, arrived: Arrived
    ) -> tuple[pa.Table, pa.Table]:
        """The verdicts with those of how rows came, and the rows that are good by these, too."""
        import pyarrow.compute as pc

        found = arrivals.judge(arrived.partition, sound, times, self._running(times, arrived.watermark))
        if not any(map(len, found)):
            return judged, sound
        places = pc.indices_nonzero(pc.invert(self._held_back(judged)))
        first = len(self.checked.rules) - len(found)
        for i, numbers in enumerate(found):
            judged = self._with_bit(judged, first + i, places.take(numbers))
        judged = self._with_raw(judged, arrived.rows)
        return judged, sound.filter(pc.invert(self._held_back(judged).take(places)))

    def _with_bit(self, judged: pa.Table, rule: int, places: Any) -> pa.Table:
        """The verdicts, after which the rows at these places broke the rule."""
        import pyarrow as pa

        number, bit = divmod(rule, BITS)
        column = judged.schema.get_field_index(self._masks[number])
        mask = judged.column(column).to_numpy().copy()
        mask[places.to_numpy()] |= mask.dtype.type(1 << bit)
        return judged.set_column(column, judged.schema.field(column), pa.array(mask))

    def _with_raw(self, judged: pa.Table, rows: pa.RecordBatch) -> pa.Table:
        """The verdicts with the cells as they came for all rows that broke something."""
        import pyarrow.compute as pc

        broke = self._broke(judged).combine_chunks()
        ready = self._ready[rows.schema]
        ready.arrived.hold(rows.filter(broke))
        raw = self.statements.rows(ready.raw)["raw"]
        ready.arrived.hold(None)
        column = judged.schema.get_field_index("#raw")
        cells = pc.replace_with_mask(judged.column(column).combine_chunks(), broke, raw.combine_chunks())
        return judged.set_column(column, judged.schema.field(column), cells)

    # Rows that broke something ---------------------------------------------------------------------------------------

    def _some_broken(self, judged: pa.Table) -> bool:
        return any(_some_bit(judged[mask]) for mask in self._masks)

    def _broke(self, judged: pa.Table) -> Any:
        """Of each row, whether it broke any rule."""
        import pyarrow.compute as pc

        return _any([pc.not_equal(judged[mask], 0) for mask in self._masks])

    def _verdict(self, judged: pa.Table, arrived: Arrived) -> Judged:
        import pyarrow.compute as pc

        numbers = pc.indices_nonzero(self._broke(judged))
        broke = judged.select([*self._masks, "#raw"]).take(numbers)
        broke = broke.append_column("#position", arrived.positions.take(numbers))
        counts = broke.group_by(self._masks).aggregate([([], "count_all")])
        masks = [counts[mask].to_pylist() for mask in self._masks]
        groups = [(*bits, 0, 0, 0, 0, n) for *bits, n in zip(*masks, counts["count_all"].to_pylist(), strict=True)]
        groups.append((*[0] * len(self._masks), 0, 0, 0, 0, len(judged) - len(broke)))
        found = tally(self.checked.rules, len(self._masks), groups)
        verdicts = self._verdicts(broke)
        quarantined = found.fates["quarantine"] + found.fates["fail"]
        rules = rule_counts(self.source, found.rules, {}, 0)
        return Judged(found.rows, found.good, quarantined, found.fates["drop"], rules=rules, held=verdicts)

    def _verdicts(self, broke: pa.Table) -> pa.Table:
        """Of the rows that broke rules: position, reasons, action, and the cells as they came."""
        if self._held is None or self._held[0].schema != broke.schema:
            inlet = self.statements.inlet_like(f"broke {self.source.name}", broke.schema.empty_table())
            action = " ".join(f"WHEN {self.checked.breaks([a])} THEN '{a}'" for a in _ACTIONS)
            select = f'SELECT CAST("#position" AS VARCHAR) AS position, {self.checked.reasons()} AS reasons, CASE {action} END AS action'
            self._held = inlet, self.statements.prepare(f'{select}, "#raw" AS raw FROM {inlet.sql}')
        inlet, statement = self._held
        inlet.hold(broke)
        verdicts = self.statements.rows(statement)
        inlet.hold(None)
        return verdicts

    def _held_back(self, judged: pa.Table) -> Any:
        import pyarrow as pa
        import pyarrow.compute as pc

        found = []
        for number, name in enumerate(self._masks):
            bits = self.checked.bits(number, _HELD)
            kind = judged.schema.field(name).type
            found.append(pc.not_equal(pc.bit_wise_and(judged[name], pa.scalar(bits, kind)), pa.scalar(0, kind)))
        return _any(found)

    # Time ------------------------------------------------------------------------------------------------------------

    def _times(self, good: pa.Table) -> Any:
        """When the rows happened, in microseconds since 1970; None where nothing says so."""
        import pyarrow as pa

        if self.watermark is None:
            return None
        column = good[self.watermark.column]
        if pa.types.is_date(column.type):
            column = column.cast(pa.timestamp("us"))
        return column.combine_chunks().cast(pa.timestamp("us", column.type.tz)).cast(pa.int64())

    def _marked(self, good: pa.Table, times: Any, arrived: Arrived) -> pa.Table:
        """The rows with the watermark of their partition. It counts a row itself in, which is never late by its own time."""
        import pyarrow as pa

        if times is None:
            return good.append_column(WATERMARK, pa.nulls(len(good), pa.int64()))
        floor = max((known for known in (arrived.watermark, arrived.horizon) if known is not None), default=None)
        return good.append_column(WATERMARK, self._running(times, floor))

    def _running(self, times: Any, floor: int | None) -> Any:
        """The watermark at each row; None where nothing says it."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if times is None:
            return None
        running = pc.subtract(pc.cumulative_max(times, skip_nulls=True), self.delay)
        return running if floor is None else pc.max_element_wise(running, pa.scalar(floor, pa.int64()))


def _without(rows: pa.Table, numbers: pa.Array) -> pa.Table:
    """The rows but these. Where they are few the others are not moved."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if len(numbers) > _FEW:
        return rows.filter(pc.invert(pc.is_in(pa.array(range(len(rows)), numbers.type), value_set=numbers)))
    ends = [*numbers.to_pylist(), len(rows)]
    begins = [0, *(end + 1 for end in ends)]
    return pa.concat_tables([rows.slice(begin, end - begin) for begin, end in zip(begins, ends, strict=False)])


def _some_bit(mask: Any) -> bool:
    import pyarrow.compute as pc

    return bool(pc.max(mask).as_py())


def _any(conditions: list[Any]) -> Any:
    import pyarrow.compute as pc

    found = conditions[0]
    for condition in conditions[1:]:
        found = pc.or_(found, condition)
    return found


def _highest(times: Any) -> int | None:
    import pyarrow.compute as pc

    return None if times is None else pc.max(times).as_py()
