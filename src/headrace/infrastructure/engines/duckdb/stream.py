"""A stream on DuckDB: judges rows, lets them flow to where they are kept or given out, closes windows. Not when any of this happens."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headrace.business.engine import Limits
from headrace.business.model.schema import Schema
from headrace.business.processing.plan import Plan
from headrace.business.processing.relation import Dataset, Relation
from headrace.business.processing.stateful import LateRows
from headrace.business.processing.steps.event_windows import grouped_by
from headrace.business.processing.steps.projection import as_they_are, project
from headrace.business.streams.carrying import carried
from headrace.business.streams.copies import KeptCopies
from headrace.business.streams.engine import Arrived, Changes, Fed, Worked
from headrace.business.streams.flow import Called, Flow, Kept
from headrace.business.streams.groups import LATE, WATERMARK, KeptGroups
from headrace.business.streams.pairs import KeptPairs
from headrace.business.streams.sequences import KeptSequences
from headrace.business.streams.state import Saved
from headrace.errors import DefinitionError
from headrace.infrastructure.engines.duckdb.connection import connect
from headrace.infrastructure.engines.duckdb.spare import Spare
from headrace.infrastructure.engines.duckdb.stream_calls import Caller
from headrace.infrastructure.engines.duckdb.stream_copies import CopyKeeper
from headrace.infrastructure.engines.duckdb.stream_groups import GroupKeeper
from headrace.infrastructure.engines.duckdb.stream_judging import Judging
from headrace.infrastructure.engines.duckdb.stream_keeping import NEVER, Keeper, some_late
from headrace.infrastructure.engines.duckdb.stream_lookup import Lookup
from headrace.infrastructure.engines.duckdb.stream_pairs import PairKeeper
from headrace.infrastructure.engines.duckdb.stream_saving import fingerprint, part_name, read, written
from headrace.infrastructure.engines.duckdb.stream_sequences import SequenceKeeper
from headrace.infrastructure.engines.duckdb.stream_sketches import add_sketches
from headrace.infrastructure.engines.duckdb.stream_statements import Inlet, Prepared, Statements, query
from headrace.infrastructure.engines.duckdb.stream_table import StateTable
from headrace.records import record

if TYPE_CHECKING:
    import pyarrow as pa


@record
class _Way:
    """Where rows of a spring flow to: what each sink is given of them, and each step that keeps some."""

    inlet: Inlet
    published: Mapping[str, Prepared]
    fed: Sequence[_Feed]
    called: Sequence[Caller]


@record
class _Feed:
    """What one side of a step is given of the rows, and which of them came too late for it."""

    step: str
    side: str
    taken: Prepared
    late: Prepared


#: Tables of state grow and shrink all the time, and now and then DuckDB tidies them up: a little at a time, since with a million rows a
#: stream would stand still for half a second otherwise.
_SETTINGS: dict[str, str | int] = {"max_vacuum_tasks": 1, "force_compression": "uncompressed"}


class DuckDBStream:
    """See `StreamSession`."""

    def __init__(self, plan: Plan, workspace: Path, project: Path, limits: Limits, spare: Spare) -> None:
        self.flow = Flow.of(plan)
        if self.flow.problems:
            raise DefinitionError(self.flow.problems)
        self.con = connect(plan, workspace, limits, spare, settings=_SETTINGS)
        self.statements = Statements(self.con)
        if any(isinstance(k.kept, KeptGroups) and k.kept.parts.sketched for k in self.flow.keeping.values()):
            add_sketches(self.con)
        sources = plan.definition.sources
        self._lookup = Lookup(self.statements, self.flow, workspace, project, limits, spare)
        self._tables = self._lookup.tables
        self._judging = {
            s.name: Judging(self.statements, s, sources[s.name].watermark, self._tables) for s in self.flow.sources
        }
        self._kept = {name: _keeper(self.statements, name, k.kept) for name, k in self.flow.keeping.items()}
        self._inlets = {spring: self._inlet(spring) for spring in self.flow.springs}
        self._project = project
        self._ways = {spring: self._way(spring) for spring in self.flow.springs}
        self._nothing = {name: self.statements.nothing(self.flow.schema(name)) for name in self.flow.published}
        self._unmeasured = {name: self._measured(name) for name in self.flow.checks}
        self._output: dict[str, list[pa.Table]] = {name: [] for name in self.flow.published}
        self._horizon = NEVER

    # What is prepared ------------------------------------------------------------------------------------------------

    def _inlet(self, spring: str) -> Inlet:
        judging = self._judging.get(spring)
        schema = judging.good_schema if judging else _marked(self.flow.schema(spring))
        inlet = self.statements.inlet(f"flowing {spring}", schema)
        self._tables[spring] = inlet.sql
        return inlet

    def _way(self, spring: str) -> _Way:
        reached, schema = self.flow.reached(spring), self.flow.schema
        published = {
            name: self._prepared(project(_dataset(schema(name), name), as_they_are(schema(name))))
            for name in self.flow.published
            if name in reached
        }
        fed = tuple(
            self._feed(step, side, rows)
            for step, keeping in self.flow.keeping.items()
            for side, rows in keeping.rows.items()
            if any(below in reached for below in rows.datasets())
        )
        called = tuple(self._caller(c) for c in self.flow.called.values() if any(d in reached for d in c.rows.datasets()))
        return _Way(self._inlets[spring], published, fed, called)

    def _caller(self, step: Called) -> Caller:
        return Caller(self.statements, step, self._prepared(project(step.rows, as_they_are(step.rows.schema))), self._project)

    def _feed(self, step: str, side: str, rows: Relation) -> _Feed:
        kept = self.flow.keeping[step].kept
        wanted = next(
            (self.flow.plan.schema(dataset).names for dataset, of in self.flow.late.items() if of == LateRows(step, side)), ()
        )
        return _Feed(step, side, self._prepared(kept.taken(rows, side)), self._prepared(kept.late(rows, wanted, side)))

    def _measured(self, name: str) -> Prepared:
        """What a check measures of the rows that come, whatever window they are in."""
        return self._prepared(grouped_by(self.flow.keeping[name].rows[""], (), tuple(self.flow.checks[name].measures.items())))

    def _prepared(self, relation: Relation) -> Prepared:
        return self.statements.prepare(query(self.flow.steps, relation, self._tables))

    # Rows that come --------------------------------------------------------------------------------------------------

    def work(self, arrived: Arrived) -> Worked:
        judged, good = self._judging[arrived.source].judge(arrived)
        if not len(good):
            return Worked(judged, {})
        published, fed = self._through(arrived.source, good)
        late = sum(len(of.late) for of in fed if of.late is not None)
        return Worked(replace(judged, late=late), published, fed)

    def take_in(self, worked: Worked) -> None:
        self._take_in(worked.published, worked.fed)

    def _flow(self, spring: str, rows: pa.Table) -> None:
        """Let rows that a step gives out go where they go: nothing they are in has closed before them."""
        if len(rows):
            self._take_in(*self._through(spring, _never_late(rows)))

    def _through(self, spring: str, rows: pa.Table) -> tuple[Mapping[str, pa.Table], list[Fed]]:
        """What sinks and steps are given of the rows of a spring."""
        way = self._ways[spring]
        way.inlet.hold(rows)
        try:
            published = {name: self._published(name, spring, rows) for name in way.published}
            fed = [self._fed(feed) for feed in way.fed]
            made = {caller.step.step: caller.call() for caller in way.called}
        finally:
            way.inlet.hold(None)
        for step, given in made.items():
            if given is not None and len(given):
                more, others = self._through(step, _never_late(given))
                published, fed = _together(published, more), [*fed, *others]
        return published, fed

    def _published(self, dataset: str, spring: str, rows: pa.Table) -> pa.Table:
        """What a sink is given of the rows that its spring holds: as they are, where no step is between."""
        wanted = self._nothing[dataset].schema
        if dataset == spring and (straight := rows.select(wanted.names)).schema == wanted:
            return straight
        return self.statements.rows(self._ways[spring].published[dataset])

    def _fed(self, feed: _Feed) -> Fed:
        taken = self.statements.rows(feed.taken)
        counted = some_late(taken) and feed.step not in self.flow.checks  # a check measures what is in time, and loses no row
        return Fed(feed.step, feed.side, taken, self.statements.rows(feed.late) if counted else None)

    def _take_in(self, published: Mapping[str, pa.Table], fed: Sequence[Fed]) -> None:
        for name, rows in published.items():
            self._give(name, rows)
        given = [(of.step, rows) for of in fed for rows in self._kept[of.step].add(of.side, of.rows)]
        for step, rows in given:
            self._flow(step, rows)
        for dataset, too_late in self.flow.late.items():
            for late in (of.late for of in fed if LateRows(of.step, of.side) == too_late and of.late is not None):
                self._flow(dataset, late.drop_columns([LATE]))

    def _give(self, dataset: str, rows: pa.Table) -> None:
        if len(rows):
            self._output[dataset].append(rows)

    def advance(self, horizon: int) -> None:
        self._horizon = horizon
        if any(kept.due(horizon) for kept in self._kept.values()):
            self._settle()

    def _settle(self) -> None:
        """Work in all that has come, step by step, and close what is over then."""
        for name, kept in self._kept.items():
            for rows in (*kept.settle(), *kept.advance(self._horizon)):
                self._flow(name, rows)

    def drain(self) -> Mapping[str, pa.Table]:
        import pyarrow as pa

        self._settle()
        for name, kept in self._kept.items():
            for rows in (*kept.settle(), *kept.changes()):
                self._flow(name, rows)
        drained = {name: pa.concat_tables(rows) if rows else self._nothing[name] for name, rows in self._output.items()}
        self._output = {name: [] for name in self._output}
        return drained

    def unmeasured(self, dataset: str) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.statements.rows(self._unmeasured[dataset]).to_pylist()[0]
        return found

    def refresh(self) -> None:
        self._lookup.refresh()

    # State -----------------------------------------------------------------------------------------------------------

    def changes(self, *, whole: bool = False) -> Changes:
        self._settle()
        parts = {
            part_name(step, name): written(table.unsaved(whole=whole), self._mark(step, table), kept.horizon)
            for step, kept in self._kept.items()
            for name, table in kept.tables.items()
        } | {
            part_name(rule, ""): written(table.unsaved(whole=whole), _rule_mark(table), NEVER)
            for rule, table in self._remembered()
        }
        tables = [table for kept in self._kept.values() for table in kept.tables.values()]
        tables += [table for _, table in self._remembered()]
        return Changes(parts, max((table.reach for table in tables), default=0))

    def _remembered(self) -> Iterator[tuple[str, StateTable]]:
        """What rules of how rows come remember, by a name that no step has."""
        for source, judging in self._judging.items():
            for rule, table in judging.arrivals.tables.items() if judging.arrivals else ():
                yield f"{source}: {rule}", table

    def restore(self, saved: Sequence[Saved]) -> None:
        for step, kept in self._kept.items():
            new = step in self.flow.checks  # which may be: then it begins with nothing
            since = [epoch for epoch in saved if not new or part_name(step, "") in epoch.parts]
            for name, table in kept.tables.items() if since else ():
                rows, ages, horizon = read(step, name, self._mark(step, table), since)
                table.restore(rows, ages)
            if since:
                kept.restored(horizon)
        for rule, table in self._remembered() if saved else ():
            if part_name(rule, "") in saved[-1].parts:  # else it is new, and begins with nothing
                rows, ages, _ = read(rule, "", _rule_mark(table), saved)
                table.restore(rows, ages)

    def _mark(self, step: str, table: StateTable) -> str:
        return fingerprint(self.flow.keeping[step].kept.meaning, table.schema)

    def state(self) -> Mapping[str, pa.Table]:
        self._settle()
        return {step: kept.now() for step, kept in self._kept.items()} | {rule: t.all() for rule, t in self._remembered()}

    def measures(self) -> Mapping[str, Any]:
        self._settle()
        steps = {step: _summed(table.measure() for table in kept.tables.values()) for step, kept in self._kept.items()}
        return steps | {rule: table.measure() for rule, table in self._remembered()}

    def interrupt(self) -> None:
        self.con.interrupt()

    def close(self) -> None:
        self.con.close()


def _keeper(statements: Statements, step: str, kept: Kept) -> Keeper:
    match kept:
        case KeptGroups():
            return GroupKeeper(statements, step, kept)
        case KeptCopies():
            return CopyKeeper(statements, step, kept)
        case KeptPairs():
            return PairKeeper(statements, step, kept)
        case KeptSequences():
            return SequenceKeeper(statements, step, kept)


def _together(some: Mapping[str, pa.Table], more: Mapping[str, pa.Table]) -> dict[str, pa.Table]:
    """The rows of both, by dataset."""
    import pyarrow as pa

    both = {name: [tables[name] for tables in (some, more) if name in tables] for name in (*some, *more)}
    return {name: pa.concat_tables(tables) for name, tables in both.items()}


def _rule_mark(table: StateTable) -> str:
    """What decides whether what a rule remembers can be gone on with: its columns. How long they count may change."""
    return fingerprint(None, table.schema)


def _summed(measures: Iterable[Mapping[str, int]]) -> Mapping[str, int]:
    found = list(measures)
    return {name: sum(measure[name] for measure in found) for name in ("rows", "bytes")}


def _marked(schema: Schema) -> Schema:
    return carried(Dataset(schema, ""), ()).schema


def _dataset(schema: Schema, name: str) -> Dataset:
    return Dataset(schema, name)


def _never_late(rows: pa.Table) -> pa.Table:
    """Rows that a step gives out: nothing they are in has closed before them."""
    import pyarrow as pa

    return rows.append_column(WATERMARK, pa.nulls(len(rows), pa.int64()))
