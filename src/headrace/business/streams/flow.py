"""A plan as a stream sees it: what stands still, what flows row by row, where rows are kept, and where they go. Pure; no engine yet.

A dataset flows when rows of a source without end reach it. Rows come out of *springs*: such sources, and steps that keep rows and give
out what becomes of them. From a spring they flow row by row to sinks, and to the next steps that keep them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from headrace.business.model.schema import Schema
from headrace.business.processing.event_time import passed_on, times_of_windows
from headrace.business.processing.expressions.ir import Expr
from headrace.business.processing.plan import Plan, PlannedCheck, PlannedSource, PlannedStep
from headrace.business.processing.relation import Dataset, Function, Relation
from headrace.business.processing.stateful import Copies, Groups, LateRows, Pairs, Sequences, Stateful
from headrace.business.streams import checking
from headrace.business.streams.carrying import NotRowByRow, carried, flows
from headrace.business.streams.copies import KeptCopies
from headrace.business.streams.groups import KeptGroups
from headrace.business.streams.pairs import KeptPairs
from headrace.business.streams.sequences import KeptSequences
from headrace.errors import Path, Problem
from headrace.records import record

#: Of the columns of a dataset that are event times: how much later than its time a row may come, in microseconds of the horizon.
Times = Mapping[str, int]


Kept = KeptGroups | KeptCopies | KeptPairs | KeptSequences


@record
class Keeping:
    """A step that keeps rows, and the rows that it is given: `""` where they come from one side alone."""

    step: str
    rows: Mapping[str, Relation]
    kept: Kept


@record
class Called:
    """A step that is a function of Python, and the rows that it is given, a micro-batch at a time."""

    step: str
    rows: Relation
    function: Function


@dataclass
class Flow:
    """The parts of a plan that is a stream."""

    plan: Plan
    steps: dict[str, Relation] = field(default_factory=dict)
    """Row by row: the relation of each step, with the watermark beside each row."""
    keeping: dict[str, Keeping] = field(default_factory=dict)
    """The steps that keep rows, each behind those that it is fed by."""
    called: dict[str, Called] = field(default_factory=dict)
    """The steps that are functions of Python."""
    checks: dict[str, PlannedCheck] = field(default_factory=dict)
    """Those of `keeping` that measure for a check, which no step is."""
    late: dict[str, LateRows] = field(default_factory=dict)
    """The datasets of late rows, and what these were too late for."""
    problems: list[Problem] = field(default_factory=list)

    @cached_property
    def sources(self) -> tuple[PlannedSource, ...]:
        return tuple(source for source in self.plan.sources if not source.scan.bounded)

    @property
    def flowing(self) -> frozenset[str]:
        return frozenset((*(source.name for source in self.sources), *self.steps, *self.called, *self.keeping, *self.late))

    @property
    def springs(self) -> tuple[str, ...]:
        return (*(source.name for source in self.sources), *self.called, *self.keeping, *self.late)

    @cached_property
    def still(self) -> tuple[str, ...]:
        """The datasets that stand still and are looked up: those that something that flows reads."""
        read = [name for relation in self.relations() for name in relation.datasets()]
        read += [rule.dataset for source in self.sources for rule in source.contract.references]
        return tuple(dict.fromkeys(name for name in read if name not in self.flowing))

    @cached_property
    def published(self) -> tuple[str, ...]:
        """The datasets that are given out: to sinks, and to checks."""
        return tuple(dict.fromkeys((*(sink.dataset for sink in self.plan.sinks), *self.checks)))

    def schema(self, dataset: str) -> Schema:
        return self.keeping[dataset].kept.of if dataset in self.checks else self.plan.schema(dataset)

    def relations(self) -> Iterator[Relation]:
        yield from self.steps.values()
        yield from (called.rows for called in self.called.values())
        yield from (rows for keeping in self.keeping.values() for rows in keeping.rows.values())

    def reached(self, spring: str) -> frozenset[str]:
        """The datasets that rows of a spring reach row by row, itself among them."""
        found = {spring}
        for name, relation in self.steps.items():
            if any(below in found for below in relation.datasets()):
                found.add(name)
        return frozenset(found)

    @classmethod
    def of(cls, plan: Plan) -> Flow:
        """The flow of a plan; what cannot flow is in `problems`."""
        found = cls(plan)
        places = {step.name: ("steps", i, step.plugin.kind) for i, step in enumerate(plan.definition.steps)}
        times = _Times(found)
        for source in found.sources:
            found.problems += found._about_rules(source)
        for step in plan.steps:
            if flows(step.relation, found.flowing):
                try:
                    found._add(step, times)
                except NotRowByRow as error:
                    found.steps[step.name] = step.relation
                    found.problems.append(Problem(error.message, places.get(step.name, ("steps",)), error.hint))
        for check in plan.checks:
            found._check(check, times)
        for i, sink in enumerate(plan.sinks):
            if sink.dataset not in found.flowing:
                hint = "publish what comes of the stream, or write this one in a batch pipeline of its own"
                problem = f"`{sink.dataset}` has nothing to do with the stream, so it would be written again and again"
                found.problems.append(Problem(problem, ("sinks", i, sink.kind), hint))
        return found

    def _about_rules(self, source: PlannedSource) -> Iterator[Problem]:
        """A key cannot be judged over all time, nor what may come later: rows go by and are gone."""
        contract: Path = ("sources", source.name, "contract")
        for key in source.contract.keys:
            columns = ", ".join(key.columns)
            hint = (
                f"hold copies back for a time by a rule, `once: {{unique: [{columns}], within: 10 minutes}}`; leave them out with "
                f"`dedupe: {{key: [{columns}], within: 10 minutes}}`; or let the target merge by it"
            )
            place = ("key",) if key.name == "key.unique" else ("columns", key.columns[0], "unique")
            yield Problem("a stream does not remember all keys that it has ever seen", (*contract, *place), hint, on_key=True)
        streams = {other.name for other in self.sources}
        for rule in source.contract.references:
            if rule.dataset in streams:
                hint = "refer to a dataset that is no stream, or join the two"
                yield Problem(f"the rows of `{rule.dataset}` that these refer to may come later", contract, hint)

    def _add(self, step: PlannedStep, times: _Times) -> None:
        relation = step.relation
        if isinstance(relation, Function):
            self.called[step.name] = self._called(step.name, relation)
            return
        if not isinstance(relation, Stateful):
            self.steps[step.name] = carried(relation, self.flowing)
            return
        meaning = relation.meaning
        if isinstance(meaning, LateRows):
            self.late[step.name] = meaning
            return
        if isinstance(meaning, Pairs) and meaning.option is None and not self._both_flow(meaning):
            self.steps[step.name] = carried(relation.input, self.flowing)
            return
        for rows in (meaning.left, meaning.right) if isinstance(meaning, Pairs) else (meaning.rows,):
            times.demand_final(rows)
        match meaning:
            case Groups():
                self.keeping[step.name] = self._groups(step, meaning, times)
            case Copies():
                self.keeping[step.name] = self._copies(step, meaning, times)
            case Pairs():
                self.keeping[step.name] = self._pairs(step, meaning, times)
            case Sequences():
                self.keeping[step.name] = self._sequences(step, meaning, times)

    def _called(self, step: str, function: Function) -> Called:
        if len(function.parts) > 1:
            hint = "leave `with` out, and look up what it needs in a step before, with `lookup`"
            raise NotRowByRow("a function of a stream is given rows of the stream alone", hint=hint)
        rows = function.parts[0]
        carried(rows, self.flowing)  # refuses what cannot flow
        return Called(step, rows, function)

    def _groups(self, step: PlannedStep, groups: Groups, times: _Times) -> Keeping:
        behind = times.behind(groups.rows, _column(groups.window.time)) if groups.window is not None else 0
        if groups.window is None and groups.emit != "change":
            raise NotRowByRow("groups of a stream have no end", hint="say `emit: change`, or give it a `window`")
        if groups.window is not None and groups.window.kind == "moment" and step.schema[groups.window.end].nullable:
            hint = "say `required: true` in the contract that it comes from, or `emit: change`"
            raise NotRowByRow(f"`{groups.window.end}` may be null, and a group without a time is never over", hint=hint)
        kept = KeptGroups(groups, step.schema, behind)
        _demand_sense(kept)
        return Keeping(step.name, {"": carried(groups.rows, self.flowing)}, kept)

    def _copies(self, step: PlannedStep, copies: Copies, times: _Times) -> Keeping:
        kept = KeptCopies(copies, step.schema, times.behind(copies.rows, copies.time))
        return Keeping(step.name, {"": carried(copies.rows, self.flowing)}, kept)

    def _pairs(self, step: PlannedStep, pairs: Pairs, times: _Times) -> Keeping:
        sides = {"left": pairs.left, "right": pairs.right}
        if pairs.left.name == pairs.right.name:
            raise NotRowByRow(
                "a stream is not joined with itself", hint="let a step of its own name one of the two: `derive: {}`"
            )
        for side in sides.values():
            if not flows(side, self.flowing):
                problem = f"`{side.name}` is no stream, so `{pairs.option}` means nothing for it"
                raise NotRowByRow(problem, hint=f"leave `{pairs.option}` out")
        if pairs.alone is not None and (pairs.reach is None or pairs.reach[0].beyond is None):
            hint = "say `how: inner`, or how far apart in time partners may be with `within`"
            raise NotRowByRow("nothing says how long a row waits until it is known to have no partner", hint=hint)
        reach = zip(sides.values(), pairs.reach or (), strict=False)
        behind = max((times.behind(side, of.time) for side, of in reach), default=0)
        columns = {name: self.columns(side.name) for name, side in sides.items()}
        rows = {name: carried(side, self.flowing) for name, side in sides.items()}
        return Keeping(step.name, rows, KeptPairs(pairs, step.schema, columns, behind))

    def _sequences(self, step: PlannedStep, sequences: Sequences, times: _Times) -> Keeping:
        if sequences.rows.schema[sequences.time].nullable:
            hint = "say `required: true` in the contract that it comes from"
            raise NotRowByRow(f"`{sequences.time}` may be null, and a row without a time has no place in the order", hint=hint)
        behind = times.behind(sequences.rows, sequences.time)
        kept = KeptSequences(sequences, step.schema, behind)
        return Keeping(step.name, {"": carried(sequences.rows, self.flowing)}, kept)

    def _check(self, check: PlannedCheck, times: _Times) -> None:
        """Keep what a check measures, where it judges windows."""
        length = checking.length_of(check.check)
        if length is None:
            return
        rows = Dataset(self.plan.schema(check.dataset), check.dataset)
        place: Path = ("checks", [c.name for c in self.plan.definition.checks].index(check.name), check.kind)
        if check.dataset not in self.flowing:
            hint = "check it in a batch pipeline, or `on:` a dataset of the stream"
            self.problems.append(Problem(f"`{check.dataset}` stands still, so it has no windows", place, hint, on_key=True))
            return
        known = times.of(rows)
        if not known:
            hint = "give the source a `watermark`, and pass its column on as it is"
            self.problems.append(Problem(f"nothing says when the rows of `{check.dataset}` happened", place, hint, on_key=True))
            return
        time, behind = next(iter(known.items()))
        groups, of = checking.measured(check, rows, time, length)
        name = checking.windows_of(check.name)
        self.keeping[name] = Keeping(name, {"": carried(rows, self.flowing)}, KeptGroups(groups, of, behind))
        self.checks[name] = check

    def _both_flow(self, pairs: Pairs) -> bool:
        return flows(pairs.left, self.flowing) and flows(pairs.right, self.flowing)

    def columns(self, dataset: str) -> tuple[str, ...]:
        """The columns of a dataset that are there: of a source those that anything needs."""
        source = next((source for source in self.sources if source.name == dataset), None)
        names = self.plan.schema(dataset).names
        return names if source is None else tuple(name for name in names if name in source.needed)


class _Times:
    """The event times of the datasets of a flow, as they are found."""

    def __init__(self, flow: Flow) -> None:
        self.flow = flow

    def behind(self, rows: Relation, name: str) -> int:
        """How much later than the time in this column rows come to a step. Raises `NotRowByRow` when nothing says so."""
        times = passed_on(rows, self.of)
        if name in times:
            return times[name]
        hint = (
            f"take a time of which that is known, such as `{next(iter(times))}`"
            if times
            else "give the source a `watermark`, and pass its column on as it is"
        )
        raise NotRowByRow(f"nothing says how late rows may come by `{name}`", hint=hint)

    def demand_final(self, rows: Relation) -> None:
        """Raises `NotRowByRow` when rows below are given out that others replace later."""
        for name in self._springs_below(rows):
            kept = self.flow.keeping[name].kept
            if isinstance(kept, KeptGroups) and kept.groups.emit != "close":
                hint = f"let `{name}` say `emit: close`"
                raise NotRowByRow(f"`{name}` gives out rows that are not final, and these would count several times", hint=hint)

    def _springs_below(self, rows: Relation) -> Iterator[str]:
        for name in rows.datasets():
            if name in self.flow.steps:
                yield from self._springs_below(self.flow.steps[name])
            elif name in self.flow.called:
                yield from self._springs_below(self.flow.called[name].rows)
            elif name in self.flow.keeping:
                yield name

    def of(self, dataset: Dataset) -> Times:
        """The event times of a dataset that flows."""
        name = dataset.name
        for source in self.flow.sources:
            if source.name == name:
                watermark = self.flow.plan.definition.sources[name].watermark
                return {} if watermark is None else {watermark.column: 0}
        if name in self.flow.steps:
            return passed_on(self.flow.steps[name], self.of)
        if name in self.flow.late or name not in self.flow.keeping:
            return {}
        kept = self.flow.keeping[name].kept
        return _of_windows(kept) if isinstance(kept, KeptGroups) else self._of_rows(kept)

    def _of_rows(self, kept: KeptCopies | KeptPairs | KeptSequences) -> Times:
        """Rows are given out at once, or when a partner comes, or when none can come any more."""
        if isinstance(kept, KeptCopies):
            return passed_on(kept.copies.rows, self.of)
        if isinstance(kept, KeptSequences):
            return passed_on(kept.sequences.whole, lambda _: {kept.sequences.time: kept.behind})
        known = kept.times
        return passed_on(kept.pairs.whole, lambda side: known["left" if side.name == kept.pairs.left.name else "right"])


def _of_windows(kept: KeptGroups) -> Times:
    """A row is given out when its window closes. How long ago a session began, nobody knows before."""
    span = kept.groups.window
    if span is None:
        return {}
    late = {span.end: kept.delay + (span.length if span.kind == "moment" else kept.pause), span.start: kept.delay + span.length}
    return {name: late[name] for name in times_of_windows(span)}


def _column(time: Expr) -> str:
    """The column of which a time is made."""
    return next(iter(time.columns()), "")


def _demand_sense(kept: KeptGroups) -> None:
    groups: Groups = kept.groups
    whole = ", ".join(f"`{name}`" for name in kept.parts.whole)
    if whole and groups.window is None:
        hint = "give it a `window`, or use aggregates that merge, such as `count`, `avg`, `stddev`, `max` and `arg_max`"
        raise NotRowByRow(f"{whole} needs all rows at once, and without a window they would be kept for ever", hint=hint)
