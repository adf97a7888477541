"""Runs the tests that stand in a definition: rows go in, and what becomes of them is compared. Nothing is published or kept.

A source that a test does not name is empty, and references to it are out of the test; so is every rule on a column that the
test's rows leave out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from headrace.application.orchestrator.audit import audit
from headrace.application.orchestrator.targets import NoTargets
from headrace.business.engine import Engine, QuarantineTarget, Session
from headrace.business.model.definition import Definition, TestDefinition
from headrace.business.model.schema import Column, Schema
from headrace.business.model.types import String
from headrace.business.ports import ParquetScan
from headrace.business.processing.plan import Plan, PlannedSource, Resolved
from headrace.business.processing.planning import build_plan
from headrace.business.validation.compiled import CompiledContract
from headrace.errors import HeadraceError


class WriteTexts(Protocol):
    """Writes rows of texts as a scan, in a folder."""

    def __call__(
        self, folder: Path, name: str, columns: Sequence[str], rows: Sequence[Sequence[str | None]]
    ) -> ParquetScan: ...


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """A test's outcome: `differences` say what was expected and what came; empty when it passed."""

    name: str
    differences: tuple[str, ...]

    @property
    def passed(self) -> bool:
        return not self.differences


def rehearse(
    definition: Definition, resolved: Mapping[str, Resolved], engine: Engine, project: Path, folder: Path, write: WriteTexts
) -> Iterator[Rehearsed]:
    """The tests of a definition, one after the other, in a folder that is theirs."""
    for number, test in enumerate(definition.tests):
        place = folder / str(number)
        stand_ins = {name: _stand_in(name, found, definition, test, place, write) for name, found in resolved.items()}
        try:
            yield Rehearsed(test.name, tuple(_differences(definition, test, stand_ins, engine, project, place)))
        except HeadraceError as error:
            yield Rehearsed(test.name, (f"the run failed: {error.message}",))


def _differences(
    definition: Definition, test: TestDefinition, stand_ins: Mapping[str, Resolved], engine: Engine, project: Path, folder: Path
) -> Iterator[str]:
    plan = build_plan(definition, stand_ins)
    plan = replace(plan, sources=tuple(_narrowed(s, test) for s in plan.sources))
    session = engine.session(plan, folder / "work", project)
    try:
        for source in plan.sources:
            target = QuarantineTarget(folder / f"{source.name}.held.parquet", definition.pipeline, "test")
            session.ingest(source, target, after=None, progress=lambda _share: None)
        session.prepare(lambda _share: None)
        yield from _compared(plan, test, session)
    finally:
        session.close()


def _stand_in(
    name: str, found: Resolved, definition: Definition, test: TestDefinition, folder: Path, write: WriteTexts
) -> Resolved:
    """The test's rows instead of the source's, as texts; with the source's own columns and types."""
    rows = test.rows.get(name, ())
    contract = definition.sources[name].contract
    renamed = {n: c.source or n for n, c in contract.columns.items()} if contract else {}
    columns = list(found.scan.schema.names)
    columns += [key for row in rows for given in row if (key := renamed.get(given, given)) not in columns]
    texts = [[_text(_given(row, column, renamed)) for column in columns] for row in rows]
    inferred = {c.name: found.inferred.get(c.name, c.type) for c in found.scan.schema}
    scan = write(folder, name, list(dict.fromkeys(columns)), texts)
    return Resolved(replace(scan, schema=Schema(tuple(Column(c, String()) for c in dict.fromkeys(columns)))), inferred, name)


def _given(row: Mapping[str, Any], column: str, renamed: Mapping[str, str]) -> Any:
    return next((value for key, value in row.items() if renamed.get(key, key) == column), None)


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return str(value).lower() if isinstance(value, bool) else str(value)


def _narrowed(source: PlannedSource, test: TestDefinition) -> PlannedSource:
    """The source with the rules that the test's rows can say something about."""
    given = {key for row in test.rows.get(source.name, ()) for key in row}
    contract = source.contract
    kept: CompiledContract = replace(
        contract,
        rules=tuple(r for r in contract.rules if set(r.columns) <= given),
        keys=tuple(k for k in contract.keys if set(k.columns) <= given),
        references=tuple(r for r in contract.references if set(r.columns) <= given and r.dataset in test.rows),
    )
    return replace(source, contract=kept)


def _compared(plan: Plan, test: TestDefinition, session: Session) -> Iterator[str]:
    expected = test.expect
    if expected.quarantined is not None:
        held = [row for s in plan.sources for row in session.held(s.name) if row["action"] in ("quarantine", "fail")]
        yield from _rows("quarantined", [dict(row) for row in expected.quarantined], [{**r["cells"], **r} for r in held])
    for name, rows in (expected.rows or {}).items():
        if name not in (known := [part.name for part in plan.parts]):
            yield f"there is no dataset `{name}`; there are {', '.join(known)}"
            continue
        yield from _rows(name, [dict(row) for row in rows], session.rows(name, 10_000))
    for name, count in (expected.count or {}).items():
        found = session.count([name])[name]
        if found != count:
            yield f"{name}: {count} rows expected, {found} came"
    if expected.checks:
        outcomes = {
            c.check: c.outcome for c in audit("test", plan, session, NoTargets(plan, session).measure, {}, datetime.now(UTC))
        }
        for check, outcome in expected.checks.items():
            if outcomes.get(check) != outcome:
                yield f"check {check}: {outcome} expected, {outcomes.get(check, 'no such check')} came"


def _rows(what: str, expected: list[dict[str, Any]], found: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Each expected row must match one that came, by the values it names, and none may be left over."""
    rest = list(found)
    for wanted in expected:
        match = next((row for row in rest if _matches(wanted, row)), None)
        if match is None:
            shown = [{key: row.get(key) for key in wanted} for row in rest[:3]]
            yield f"{what}: no row like {wanted}; came {shown if rest else 'nothing'}"
        else:
            rest.remove(match)
    if rest:
        yield f"{what}: {len(rest)} more rows than expected, first {dict(rest[0])}"


def _matches(wanted: Mapping[str, Any], row: Mapping[str, Any]) -> bool:
    return all(_same(value, row.get(key)) for key, value in wanted.items())


def _same(wanted: Any, found: Any) -> bool:
    if isinstance(wanted, list | tuple):
        return isinstance(found, list | tuple) and sorted(map(str, wanted)) == sorted(map(str, found))
    if isinstance(wanted, float) and isinstance(found, int | float):
        return abs(wanted - found) <= 1e-9 * max(1.0, abs(wanted))
    return bool(wanted == found) or (wanted is not None and found is not None and str(wanted) == str(found))
