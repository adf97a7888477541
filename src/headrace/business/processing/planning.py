"""Builds a plan from a definition and what its sources look like, and finds all its mistakes at once. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from headrace.business.model.contract import Contract
from headrace.business.model.definition import Definition, Incremental, SourceDefinition, StepDefinition
from headrace.business.model.schema import Schema, did_you_mean
from headrace.business.model.types import DataType, Date, Decimal, Float, Integer, String, Timestamp
from headrace.business.ports import Check, Comparing, Step
from headrace.business.processing.event_time import event_time, event_times
from headrace.business.processing.increments import Newest
from headrace.business.processing.late_rows import late_rows
from headrace.business.processing.plan import Plan, PlannedCheck, PlannedSink, PlannedSource, PlannedStep, Resolved
from headrace.business.processing.pruning import needed_columns
from headrace.business.processing.relation import Dataset, Relation
from headrace.business.target import Target
from headrace.business.validation.comparing import compared_with
from headrace.business.validation.compiled import Cell, CompiledContract
from headrace.business.validation.contracts import compile_contract
from headrace.errors import DefinitionError, Path, Problem
from headrace.records import record


def build_plan(definition: Definition, resolved: Mapping[str, Resolved]) -> Plan:
    """The plan of a definition. Raises `DefinitionError` with every problem in contracts, steps, checks and sinks."""
    draft = draft_plan(definition, resolved)
    if draft.plan is None or not draft.whole:
        raise DefinitionError(draft.problems)
    return draft.plan


@record
class Draft:
    """As much of a plan as could be made, if all sources are known, and everything that is wrong in contracts, steps, checks and sinks."""

    plan: Plan | None
    problems: tuple[Problem, ...]
    whole: bool
    """Whether nothing is missing."""


def draft_plan(definition: Definition, resolved: Mapping[str, Resolved]) -> Draft:
    """The plan of a definition, and all its problems; what rests on something wrong is left out."""
    planner = _Planner(definition, resolved)
    planner.contracts()
    planner.steps()
    planner.checks()
    planner.sinks()
    if len(resolved) < len(definition.sources):
        return Draft(None, tuple(planner.problems), whole=False)
    try:
        plan = planner.plan()
    except DefinitionError as error:
        return Draft(None, (*planner.problems, *error.problems), whole=False)
    return Draft(plan, tuple(planner.problems), whole=not planner.problems and not planner.unknown)


class _Planner:
    def __init__(self, definition: Definition, resolved: Mapping[str, Resolved]) -> None:
        self.definition, self.resolved = definition, resolved
        self.problems: list[Problem] = []
        self.compiled: dict[str, CompiledContract] = {}
        self.schemas: dict[str, Schema] = {}
        self.unknown: set[str] = set()
        """Datasets whose schema could not be found out, so that what rests on them is not blamed."""
        self.times: dict[str, tuple[str | None, tuple[str, ...]]] = {}
        """Of each dataset the column that says when its rows happened, and all those by which they can be told to be over."""
        self.latest: dict[str, str] = {}
        """Under the name of a source, the last of the unnamed steps that worked on it: they change the dataset, not name a new one."""
        self.planned_steps: list[PlannedStep] = []
        self.late: dict[str, tuple[str, PlannedStep]] = {}
        """The datasets of rows that come too late, each with the step that they are too late for; planned when something reads them."""
        self.planned_checks: list[PlannedCheck] = []
        self.planned_sinks: list[PlannedSink] = []

    def contracts(self) -> None:
        alone = {n: self._compile(n, _without_references(source), {})[0].schema for n, source in self._known_sources()}
        for name, source in self._known_sources():
            self.compiled[name], problems = self._compile(name, source.contract or Contract(), alone)
            self._add(problems, ("sources", name, "contract"))
            self.schemas[name] = self.compiled[name].schema
            time = source.watermark.column if source.watermark is not None else None
            self.times[name] = time, () if time is None else (time,)
            self._cursor(name, source)
        self.unknown |= set(self.definition.sources) - set(self.resolved)

    def _known_sources(self) -> list[tuple[str, SourceDefinition]]:
        return [(name, source) for name, source in self.definition.sources.items() if name in self.resolved]

    def _compile(self, name: str, contract: Contract, others: Mapping[str, Schema]) -> tuple[CompiledContract, list[Problem]]:
        found = self.resolved[name]
        return compile_contract(contract, found.scan.schema, found.inferred, others)

    def _cursor(self, name: str, source: SourceDefinition) -> None:
        incremental = source.incremental
        if getattr(source.plugin, "since", None) is not None and (incremental is None or incremental.cursor is None):
            hint = f"write `incremental: {{by: cursor, cursor: ...}}` beside `{source.plugin.kind}`"
            message = "`since` is given how far earlier runs have read, and this source does not say by which column"
            self.problems.append(Problem(message, ("sources", name, source.plugin.kind, "since"), hint, on_key=True))
        if incremental is None:
            return
        path: Path = ("sources", name, "incremental")
        if incremental.by == "source":
            self._demand_memory(name, incremental, path)
        elif incremental.by == "cursor" and incremental.cursor is None:
            self.problems.append(Problem("`by: cursor` needs `cursor: <column>`", path))
        elif incremental.cursor is not None and incremental.cursor not in self.schemas[name]:
            hint = did_you_mean(incremental.cursor, self.schemas[name].names)
            self.problems.append(Problem(f"there is no column `{incremental.cursor}`", (*path, "cursor"), hint))
        elif incremental.cursor is not None:
            self._comparable(name, incremental, path)

    def _demand_memory(self, name: str, incremental: Incremental, path: Path) -> None:
        kind = self.definition.sources[name].plugin.kind
        if self.resolved[name].scan.own_position is None:
            hint = "say `by: cursor` and a column, or `by: file` for files"
            self.problems.append(Problem(f"`{kind}` does not remember how far it was read", (*path, "by"), hint))
        elif incremental.cursor is not None or incremental.lag is not None:
            hint = "leave `cursor` and `lag` out, or say `by: cursor`"
            self.problems.append(Problem("with `by: source` the source goes by what it remembers itself", path, hint))

    def _comparable(self, name: str, incremental: Incremental, path: Path) -> None:
        kind, cell = self._type(name, incremental.cursor), self._cell(name, incremental.cursor)
        if cell.source in self.resolved[name].scan.disordered and isinstance(kind, String):
            hint = f"give it a type in the contract: `columns: {{{incremental.cursor}: {{type: ...}}}}`"
            message = f"`{incremental.cursor}` comes as text that does not sort as its values do, so it cannot be a cursor"
            self.problems.append(Problem(message, (*path, "cursor"), hint))
        elif not isinstance(kind, Integer | Decimal | Float | Date | Timestamp | String):
            hint = "choose a number, a date, a timestamp or a text"
            self.problems.append(Problem(f"a cursor cannot be {kind}", (*path, "cursor"), hint))
        elif isinstance(incremental.lag, timedelta) and incremental.lag and not isinstance(kind, Date | Timestamp):
            self.problems.append(
                Problem(f"a lag in time needs a cursor that is a date or a timestamp, not {kind}", (*path, "lag"))
            )
        elif isinstance(incremental.lag, int) and incremental.lag and not isinstance(kind, Integer | Decimal | Float):
            self.problems.append(
                Problem(f"a lag in numbers needs a cursor that is a number, not {kind}", (*path, "lag"), "such as `2 hours`")
            )

    def _cell(self, dataset: str, column: str | None) -> Cell:
        return next(cell for cell in self.compiled[dataset].cells if cell.column.name == column)

    def _type(self, dataset: str, column: str | None) -> DataType | None:
        return self.schemas[dataset][column].type if column is not None else None

    def steps(self) -> None:
        previous = next(iter(self.definition.sources), None)
        for i, step in enumerate(self.definition.steps):
            source = self._meant(step.from_ or previous)
            previous = step.name
            self._step(step, source, ("steps", i))

    def _meant(self, name: str | None) -> str | None:
        return self.latest.get(name, name) if name is not None else None

    def _step(self, step: StepDefinition, source: str | None, path: Path) -> None:
        plugin: Any = step.plugin
        relation = None
        if source in self.schemas:
            relation = self._apply(plugin, str(source), (*path, plugin.kind))
        elif source not in self.unknown:
            hint = did_you_mean(str(source), self.schemas)
            self.problems.append(Problem(f"there is no dataset `{source}` before this step", (*path, "from"), hint))
        if relation is None:
            self._go_on_without(step, source)
            return
        self.planned_steps.append(PlannedStep(step.name, plugin.kind, relation))
        self.schemas[step.name] = relation.schema
        self.times[step.name] = event_time(relation), event_times(relation)
        for late in late_rows(step.name, relation):
            self.late[late.name] = step.name, late
            self.schemas[late.name] = late.schema
        if re.fullmatch(rf"{re.escape(plugin.kind)}(_\d+)?", step.name):
            changed = next((name for name, last in self.latest.items() if last == source), source)
            self.latest[str(changed)] = step.name

    def _go_on_without(self, step: StepDefinition, source: str | None) -> None:
        """Behind a step that is wrong the columns are unknown, unless the step could not have changed them."""
        if source in self.schemas and step.plugin.keeps_columns:
            self.schemas[step.name] = self.schemas[str(source)]
        else:
            self.unknown.add(step.name)

    def _apply(self, step: Step, source: str, path: Path) -> Relation | None:
        inputs: dict[str, Relation] = {}
        for name in self.schemas:
            latest = self.latest.get(name, name)
            inputs[name] = self._dataset(latest)
        inputs["input"] = self._dataset(source)
        try:
            return step.apply(inputs)
        except DefinitionError as error:
            if not (self.unknown and all(self._about_unknown(p) for p in error.problems)):
                self._add(error.problems, path)
            return None

    def _dataset(self, name: str) -> Dataset:
        return Dataset(self.schemas[name], name, *self.times.get(name, (None, ())))

    def _about_unknown(self, problem: Problem) -> bool:
        return any(f"`{name}`" in problem.message for name in self.unknown)

    def checks(self) -> None:
        for i, definition in enumerate(self.definition.checks):
            check: Any = definition.plugin
            dataset = self._meant(definition.on) or self._last()
            if dataset is None or dataset in self.unknown:
                continue
            path: Path = ("checks", i)
            if dataset not in self.schemas:
                self.problems.append(
                    Problem(f"there is no dataset `{dataset}`", (*path, "on"), did_you_mean(dataset, self.schemas))
                )
                continue
            planned = self._measures(definition.name, check, dataset, (*path, check.kind))
            if planned is not None:
                self.planned_checks.append(planned)

    def _measures(self, name: str, check: Check, dataset: str, path: Path) -> PlannedCheck | None:
        try:
            measures = check.measures(self.schemas[dataset])
            planned = PlannedCheck(name, check.kind, dataset, check, measures)  # type: ignore[attr-defined]
            if not isinstance(check, Comparing):
                return planned
            other, target = compared_with(check, self._sink_datasets(), self.schemas)
            if other in self.unknown:
                return None
            return replace(planned, other=other, target=target, other_measures=check.other_measures(self.schemas[other]))
        except DefinitionError as error:
            self._add(error.problems, path)
            return None

    def _sink_datasets(self) -> dict[str, tuple[Any, str | None]]:
        """Each sink by its name, with the dataset that it publishes."""
        last = self.definition.last
        return {s.name: (s.plugin, self._meant(s.from_) or last) for s in self.definition.sinks}

    def sinks(self) -> None:
        for i, definition in enumerate(self.definition.sinks):
            sink: Any = definition.plugin
            publisher: Any = sink
            kind = sink.kind
            dataset = self._meant(definition.from_) or self._last()
            path: Path = ("sinks", i)
            if dataset is None or dataset in self.unknown:
                continue
            if dataset not in self.schemas:
                self.problems.append(
                    Problem(f"there is no dataset `{dataset}`", (*path, "from"), did_you_mean(dataset, self.schemas))
                )
                continue
            if not isinstance(sink, Target):
                self.problems.append(Problem(f"`{kind}` cannot publish a staged result", (*path, kind)))
                continue
            for column in self.schemas[dataset]:
                if column.type in (Integer(128), Integer(128, signed=False)):
                    hint = "cast it to decimal(38, 0)"
                    self.problems.append(
                        Problem(f"`{column.name}` is {column.type}, which files cannot hold", (*path, kind), hint)
                    )
            for message in sink.problems(self.schemas[dataset]):
                self.problems.append(Problem(message, (*path, kind)))
            closing = getattr(sink, "deleted", "keep") == "close"
            self._mode(getattr(sink, "mode", "replace"), (*path, kind, "mode"), closing=closing)
            self.planned_sinks.append(PlannedSink(definition.name, kind, dataset, publisher))

    def _mode(self, mode: str, path: Path, *, closing: bool) -> None:
        """A target that is built anew, or that takes what is missing for deleted, cannot be fed by increments; and one that is added to
        cannot be fed by runs that read the same ones."""
        for name, source in self.definition.sources.items():
            if source.incremental is None:
                continue
            if mode == "replace":
                hint = "say `mode: append` or `mode: merge`, or read the source whole"
                message = f"`{name}` is read in increments, so replacing would throw away what came before"
                self.problems.append(Problem(message, path, hint))
            elif mode == "append" and self.definition.concurrency > 1 and not self.definition.params:
                hint = "say `mode: merge` with a key, or leave `concurrency` at 1"
                message = f"runs beside each other would read the same increments of `{name}`, and appending would double them"
                self.problems.append(Problem(message, path, hint))
            elif closing:
                hint = "say `deleted: keep`, or read the source whole"
                message = f"`{name}` is read in increments, so every row that did not change would pass for deleted"
                self.problems.append(Problem(message, (*path[:-1], "deleted"), hint))

    def _last(self) -> str | None:
        last = self.definition.last
        if last is None:
            self.problems.append(
                Problem(
                    "several sources and no step: say which dataset is meant with `from:` or `on:`", ("sources",), on_key=True
                )
            )
        return last

    def _add(self, problems: Any, path: Path) -> None:
        self.problems += [Problem(p.message, (*path, *p.path), p.hint, p.offset, p.on_key, p.location) for p in problems]

    def plan(self) -> Plan:
        self._plan_late_rows()
        last = self.definition.last if self.definition.last in self.schemas else None
        needed = needed_columns(self.planned_steps, self.planned_checks, self.planned_sinks, last, self.schemas)
        sources = tuple(
            PlannedSource(
                name,
                self.definition.sources[name].plugin.kind,
                self.resolved[name].origin,
                self.resolved[name].scan,
                self.compiled[name],
                frozenset(needed.get(name, frozenset())) | self._referred(name),
                *_incremental(self.definition.sources[name]),
                self._identity(name),
                remembers=self._remembers(name),
            )
            for name in self._reading_order()
        )
        notes = [f"{name}: {note}" for name, found in self.resolved.items() for note in found.notes]
        notes += self._appended_anew()
        return Plan(
            self.definition,
            sources,
            tuple(self.planned_steps),
            tuple(self.planned_checks),
            tuple(self.planned_sinks),
            tuple(notes),
        )

    def _plan_late_rows(self) -> None:
        """Put those that are read behind the steps that they were late for."""
        read = {name for step in self.planned_steps for name in step.relation.datasets()}
        read |= {check.dataset for check in self.planned_checks} | {sink.dataset for sink in self.planned_sinks}
        for name, (late_for, late) in self.late.items():
            if name in read:
                of = next(i for i, step in enumerate(self.planned_steps) if step.name == late_for)
                self.planned_steps.insert(of + 1, late)

    def _remembers(self, name: str) -> bool:
        incremental = self.definition.sources[name].incremental
        return incremental is not None and incremental.by == "source"

    def _appended_anew(self) -> Iterator[str]:
        """Rows of a source whose state cannot be told from an earlier one are new to an appending target each time."""
        appending = [sink.name for sink in self.planned_sinks if getattr(sink.publisher, "mode", "replace") == "append"]
        for name, source in self.definition.sources.items():
            scan = self.resolved[name].scan
            if appending and source.incremental is None and scan.bounded and not getattr(scan, "files", ()):
                yield f"{name}: each run appends its rows to {', '.join(appending)} again; say `incremental:` with a cursor, or merge"

    def _referred(self, name: str) -> frozenset[str]:
        """The columns of a dataset by which other datasets, or its own late rules, look it up."""
        own = {column for rule in (*self.compiled[name].late, *self.compiled[name].arrivals) for column in rule.columns}
        foreign = {
            c
            for contract in self.compiled.values()
            for rule in contract.references
            if rule.dataset == name
            for c in rule.parents
        }
        cursor = _incremental(self.definition.sources[name])[0]
        by_cursor = {cursor, *(self._identity(name) or self.schemas[name].names)} if cursor else set()
        time = {column for column in self.times[name][1] if column in self.schemas[name]}
        return frozenset(own | foreign | by_cursor | time)

    def _identity(self, name: str) -> tuple[str, ...]:
        """What tells the rows of a source that is read by cursor apart: its key, with the cursor, which a change moves."""
        cursor, keys = _incremental(self.definition.sources[name])[0], self.compiled[name].keys
        whole = next((key for key in keys if key.name == "key.unique" and key.action != "warn"), None)
        return tuple(dict.fromkeys((*whole.columns, cursor))) if whole and cursor is not None else ()

    def _reading_order(self) -> list[str]:
        """Those that others refer to first. Raises `DefinitionError` when they refer to each other in a circle."""
        waiting = {name: {r.dataset for r in c.references} - {name} for name, c in self.compiled.items()}
        order: list[str] = []
        while waiting:
            ready = [name for name, parents in waiting.items() if not parents & set(waiting)]
            if not ready:
                circle = " -> ".join(waiting)
                raise DefinitionError(
                    [
                        Problem(
                            f"the references of these datasets go in a circle: {circle}",
                            ("sources", next(iter(waiting))),
                            on_key=True,
                        )
                    ]
                )
            order += ready
            waiting = {name: parents for name, parents in waiting.items() if name not in ready}
        return order


def _incremental(source: SourceDefinition) -> tuple[str | None, timedelta | int, Newest]:
    written = source.incremental
    return (None, timedelta(), "take") if written is None else (written.cursor, written.lag or timedelta(), written.newest)


def _without_references(source: SourceDefinition) -> Contract:
    """The contract by which a dataset's schema is known before those it refers to."""
    contract = source.contract or Contract()
    return Contract(
        columns={n: c.model_copy(update={"references": None}) for n, c in contract.columns.items()},
        key=contract.key,
        on_drift=contract.on_drift,
    )
