"""Looks at the sources of a definition before anything is planned: how each is read, and what its columns seem to be."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

from headrace.application.orchestrator.breakers import system_of
from headrace.application.orchestrator.increments import inside
from headrace.business.engine import Engine
from headrace.business.model.contract import Contract
from headrace.business.model.definition import Definition, SourceDefinition
from headrace.business.ports import ArrowScan, Scan, Scannable, Source
from headrace.business.processing.plan import Resolved
from headrace.business.streams.messages import MessageSource
from headrace.business.streams.scanning import message_scan
from headrace.errors import DefinitionError, HeadraceError, NonRetryableError, Problem, RetryableError
from headrace.records import record
from headrace.resilience.backoff import RetryPolicy

T = TypeVar("T")

#: What engines plan in minutes and not in hours.
MOST_COLUMNS = 10_000


class Attempted(Protocol):
    """How something is done that may fail in a way that passes: once, or with retries and under the circuit breaker of `system`."""

    def __call__(self, step: str, operation: Callable[[], T], system: str | None, policy: RetryPolicy, /) -> T: ...


class SourceAway(RetryableError):
    """A source could not be looked at for a reason that may pass. `problem` says so at its place in the definition."""

    def __init__(self, error: RetryableError, problem: Problem) -> None:
        super().__init__(error.message, hint=error.hint, retry_after=error.retry_after)
        self.problem, self.attempts = problem, error.attempts


@record
class Looked:
    """The sources that could be looked at; what is wrong with others; and those of which that cannot be said, because they are away."""

    resolved: Mapping[str, Resolved]
    problems: Sequence[Problem]
    away: Sequence[SourceAway]


def once(_step: str, operation: Callable[[], T], _system: str | None, _policy: RetryPolicy, /) -> T:
    """One try: for people who wait for an answer."""
    return operation()


def look_at_sources(definition: Definition, project: Path, engine: Engine, attempted: Attempted = once) -> Looked:
    """Look at every source, also behind one that is wrong or away."""
    resolved: dict[str, Resolved] = {}
    problems: list[Problem] = []
    away: list[SourceAway] = []
    for name, source in definition.sources.items():
        plugin: Any = source.plugin
        look = partial(_look, name, source, project, engine)
        try:
            resolved[name] = attempted(f"looking at {name}", look, system_of(plugin), definition.retry.policy)
        except RetryableError as error:
            away.append(SourceAway(error, Problem(error.message, ("sources", name, plugin.kind), error.hint)))
        except DefinitionError as error:
            problems += [
                Problem(p.message, ("sources", name, plugin.kind, *p.path), p.hint, p.offset, p.on_key) for p in error.problems
            ]
        except HeadraceError as error:
            problems.append(Problem(error.message, ("sources", name, plugin.kind), error.hint))
    return Looked(resolved, problems, away)


def _look(name: str, source: SourceDefinition, project: Path, engine: Engine) -> Resolved:
    plugin: Any = source.plugin
    if isinstance(plugin, MessageSource):
        return Resolved(message_scan(plugin, source.contract or Contract(), name, project), {}, name)
    scan = plugin.scan(project) if isinstance(plugin, Scannable) else _batches(plugin, project)
    if len(scan.schema) > MOST_COLUMNS:
        raise NonRetryableError(
            f"the data have {len(scan.schema):,} columns, and at most {MOST_COLUMNS:,} can be judged",
            hint="is the delimiter right, and is it no table on its side? `unpivot` it before it comes here, or split it",
        )
    return Resolved(scan, _guesses(scan, source, engine), _origin(scan, name, project), scan.notes)


def _origin(scan: Scan, name: str, project: Path) -> str:
    """Where the rows come from, in words."""
    files = getattr(scan, "files", ())
    if not files:
        return str(getattr(scan, "origin", "") or getattr(scan, "path", "") or name)
    first = inside(files[0].name, project)
    return first if len(files) == 1 else f"{first} and {len(files) - 1} more"


def _guesses(scan: Scan, source: SourceDefinition, engine: Engine) -> dict[str, Any]:
    """The types of the text columns that the contract does not give a type, guessed from a sample."""
    if not (scan.text or getattr(scan, "all_text", False)):
        return {}
    declared = (
        {column.source or name for name, column in source.contract.columns.items() if column.type} if source.contract else set()
    )
    unknown = [column.name for column in scan.schema if column.name not in declared]
    folders = getattr(scan, "folders", None)
    known = {c.name: c.type for c in folders.columns if c.name in unknown} if folders else {}
    known |= {name: kind for name, kind in getattr(scan, "hints", {}).items() if name in unknown}
    unknown = [name for name in unknown if name not in known]
    return {**(engine.infer(scan, unknown) if unknown else {}), **known}


def _batches(source: Source, project: Path) -> ArrowScan:
    """A plugin that only yields batches, as something an engine can scan."""

    def read() -> Iterator[Any]:
        for partition in source.partitions(project):
            for batch in source.read(project, partition, None):
                yield batch.rows

    return ArrowScan(source.schema_of(project), open=read, origin=type(source).__name__)
