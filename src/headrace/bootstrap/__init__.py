"""The one room that knows every room: it composes the system from settings. It decides nothing about pipelines."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headrace.bootstrap.cleaning import clean
from headrace.bootstrap.connecting import connection, connections
from headrace.bootstrap.log import (
    cloud_events,
    deliveries,
    outbox,
    prune,
    read_side,
    replay_subscription,
    subscriptions,
)
from headrace.bootstrap.parts import (
    build,
    catalog,
    database,
    engine,
    event_store,
    held,
    kept,
    load,
    load_kept,
    missing_library,
    prepare,
    settings,
    site,
    state_folder,
    state_home,
    this_worker,
)
from headrace.bootstrap.standing import (
    backfills,
    dead_letters,
    definitions,
    in_service,
    pauses,
    user,
    verify_log,
)
from headrace.bootstrap.stream_states import remove as remove_stream
from headrace.bootstrap.stream_states import stores as stream_states
from headrace.errors import DefinitionError, HeadraceError, Problem

if TYPE_CHECKING:
    from headrace.application.orchestrator.chaos import Proof, Trial, Wanted
    from headrace.application.orchestrator.crew import Crew
    from headrace.application.orchestrator.rehearsal import Rehearsed
    from headrace.application.orchestrator.site import Busy
    from headrace.application.queries.quarantine import Held
    from headrace.application.queries.runs import RunView
    from headrace.bootstrap.serving import Serving
    from headrace.bus.store import Envelope
    from headrace.business.engine import Statement
    from headrace.business.model.definition import Loaded
    from headrace.business.processing.plan import Plan

Listener = Callable[["Envelope"], None]

__all__ = [
    "alone",
    "backfills",
    "build",
    "bury_the_dead",
    "catalog",
    "chaos",
    "check",
    "clean",
    "cloud_events",
    "connection",
    "connections",
    "contract_as_standard",
    "contract_from_standard",
    "crew",
    "database",
    "dead_letters",
    "definitions",
    "deliveries",
    "engine",
    "event_store",
    "held",
    "in_service",
    "kept",
    "load",
    "load_kept",
    "missing_library",
    "outbox",
    "pauses",
    "plan",
    "prepare",
    "propose_contract",
    "prune",
    "read_side",
    "remove_stream",
    "replay",
    "replay_subscription",
    "report",
    "run",
    "schema",
    "serve",
    "settings",
    "site",
    "state_folder",
    "state_home",
    "statements",
    "stream_states",
    "subscriptions",
    "test",
    "this_worker",
    "user",
    "verify_log",
    "worker",
]


def plan(loaded: Loaded) -> Plan:
    """What a run would do."""
    return prepare(loaded).plan


def check(loaded: Loaded) -> list[Problem]:
    """What is wrong with a definition, beyond what loading found: an empty list when it can be run."""
    from headrace.application.orchestrator.sources import SourceAway

    try:
        prepare(loaded)
    except DefinitionError as error:
        return list(error.problems)
    except SourceAway as error:
        return [error.problem]
    return []


def statements(loaded: Loaded, planned: Plan) -> Sequence[Statement]:
    """What the engine will run, for people to read."""
    home = state_home(loaded.project)
    return engine(settings(home), planned.definition.engine, home).statements(planned)


def run(
    loaded: Loaded,
    *,
    params: Mapping[str, Any] | None = None,
    full_refresh: bool = False,
    force: bool = False,
    priority: int | None = None,
    start: str | None = None,
    busy: Busy | None = None,
    listen: Listener | None = None,
    watch: Callable[[Any], None] | None = None,
) -> RunView:
    """Run a pipeline to its end, and give what became of it. Raises what ended it."""
    from headrace.application.orchestrator.batch import Wish, run_all
    from headrace.bootstrap.gathering import recruits_of

    where = site(loaded.project, busy, listen, watch=watch, recruit=recruits_of(loaded.project))
    wish = Wish({**(params or {}), **loaded.params}, kept(loaded), force, full_refresh, priority, user(), start)
    try:
        return run_all(where, loaded.definition, partial(prepare, loaded, where), wish)
    except HeadraceError as error:
        if error.path and error.location is None and loaded.places is not None:
            error.location = loaded.places.of(error.path)
        raise


@contextmanager
def alone() -> Iterator[None]:
    """Within this, the process is there for one run: whatever that starts is ended with it, also what leaves its session."""
    from headrace.infrastructure.descendants import adopt_orphans, children_of, end_descendants

    adopt_orphans()
    before = children_of(os.getpid())
    try:
        yield
    finally:
        end_descendants(os.getpid(), spared=before)


def serve(project: Path, parallel: int, told: Callable[[str], None]) -> Serving:
    """Everything in one process: runs, schedules, triggers, the folder of definitions."""
    from headrace.bootstrap.serving import serve as compose

    return compose(project, parallel, told)


def crew(project: Path, parallel: int) -> Crew:
    """A worker for some runs of a command's own."""
    from headrace.bootstrap.serving import crew as compose

    return compose(project, parallel)


def worker(project: Path, parallel: int, told: Callable[[str], None]) -> Serving:
    """A process that carries out runs."""
    from headrace.bootstrap.serving import worker as compose

    return compose(project, parallel, told)


def bury_the_dead(project: Path) -> None:
    """Close the books of runs whose process died, so that none of them stays `running`."""
    site(project).bury_the_dead()


def replay(loaded: Loaded, wanted: Held, mended: Path | None, *, params: Mapping[str, Any] | None = None) -> RunView:
    """Let rows that were held back through the pipeline again, and publish those that now pass, once."""
    from headrace.application.orchestrator.batch import Wish
    from headrace.application.orchestrator.replaying import replay as replay_rows

    where = site(loaded.project)
    return replay_rows(where, prepare(loaded, where), wanted, mended, Wish({**(params or {}), **loaded.params}))


def test(loaded: Loaded) -> Sequence[Rehearsed]:
    """Run the tests that stand in a definition, in a folder that is gone afterwards."""
    import tempfile

    from headrace.application.orchestrator.rehearsal import rehearse

    where = site(loaded.project)
    prepared = prepare(loaded, where)
    with tempfile.TemporaryDirectory(prefix="headrace-test-") as folder:
        return list(
            rehearse(
                loaded.definition,
                prepared.resolved,
                where.engine(loaded.definition.engine),
                loaded.project,
                Path(folder),
                where.write_texts,
            )
        )


def chaos(loaded: Loaded, params: Mapping[str, str], wanted: Wanted, told: Callable[[Trial], None]) -> Proof:
    """Run copies of a pipeline while its processes are killed and its connections cut, and compare what comes out."""
    from headrace.bootstrap.proving import chaos as prove

    return prove(loaded, params, wanted, told)


def schema() -> Mapping[str, Any]:
    """The JSON Schema of definitions, with every plugin that is installed."""
    from headrace.infrastructure.loader import definition_schema

    return definition_schema(catalog())


def report(run: RunView, form: str) -> str:
    """A run's graph as an SVG picture or an HTML page."""
    from headrace.presentation.report.page import page
    from headrace.presentation.report.picture import picture

    return picture(run) if form == "svg" else page(run)


def propose_contract(file: Path) -> str:
    """A contract that the data in a file suggest, as YAML with remarks."""
    from headrace.application.orchestrator.proposing import propose_contract as propose
    from headrace.infrastructure.contract_text import to_yaml

    plugin = catalog().source("file").model_validate({"path": str(file.resolve())})
    proposal = propose(site(file.parent), plugin)
    return to_yaml(proposal.contract, proposal.seen, proposal.about)


def contract_as_standard(loaded: Loaded, dataset: str) -> str:
    """The contract of a source, and the checks on it, as an Open Data Contract Standard document."""
    from headrace.application.orchestrator.proposing import with_types
    from headrace.infrastructure.odcs.writing import to_odcs

    definition = loaded.definition
    contract = with_types(site(loaded.project), definition, dataset)
    checks = [
        {c.plugin.kind: c.plugin.model_dump(mode="json", exclude_defaults=True, by_alias=True)}
        for c in definition.checks
        if c.on == dataset
    ]
    return to_odcs(contract, dataset, identifier=f"{definition.pipeline}.{dataset}", checks=checks)


def contract_from_standard(file: Path) -> tuple[str, Sequence[str]]:
    """An Open Data Contract Standard document as a contract of ours, and what of it could only be told."""
    from headrace.infrastructure.contract_text import to_yaml
    from headrace.infrastructure.odcs.reading import load_odcs

    found = load_odcs(file.read_text(encoding="utf-8"), str(file))
    return to_yaml(found.contract, about=f"dataset {found.dataset}, from {file.name}", checks=found.checks), found.notes
