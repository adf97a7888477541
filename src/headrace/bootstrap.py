"""The one room that knows every room: it composes the system from settings. It decides nothing about pipelines."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headrace.errors import DefinitionError, HeadraceError, Location, Problem

if TYPE_CHECKING:
    from headrace.application.orchestrator.backfills import Backfills
    from headrace.application.orchestrator.carrying import Prepared
    from headrace.application.orchestrator.pauses import Pauses
    from headrace.application.orchestrator.queue import KeptDefinition
    from headrace.application.orchestrator.rehearsal import Rehearsed
    from headrace.application.orchestrator.site import Busy, Site
    from headrace.application.queries.quarantine import Held
    from headrace.application.queries.runs import RunView
    from headrace.bus.chain import Verified
    from headrace.bus.store import Envelope, EventStore
    from headrace.business.engine import Engine, Statement
    from headrace.business.model.definition import Loaded
    from headrace.business.ports import InputFile
    from headrace.business.processing.plan import Plan
    from headrace.infrastructure.catalog import Catalog
    from headrace.infrastructure.storage.database import Database
    from headrace.infrastructure.storage.held_rows import ParquetHeldRows
    from headrace.settings import Settings

Listener = Callable[["Envelope"], None]


# The parts -----------------------------------------------------------------------------------------------------------


def catalog() -> Catalog:
    """Every plugin that is installed."""
    from headrace.infrastructure.catalog import Catalog

    return Catalog()


def build(
    document: Mapping[str, Any],
    calls: Mapping[tuple[str | int, ...], Location],
    project: Path,
    params: Mapping[str, Any] | None = None,
) -> Loaded:
    """The definition that calls have put together as plain data (see `face`). Raises `DefinitionError` with all its problems."""
    from headrace.infrastructure.loader import build as build_definition

    return build_definition(document, calls, project=project, params=params, catalog=catalog())


def missing_library(error: ImportError) -> HeadraceError | None:
    """What to install, when an optional library is what could not be imported."""
    from headrace.infrastructure.catalog import missing_library as explain

    return explain(error)


def settings(project: Path) -> Settings:
    from headrace.settings import load_settings

    return load_settings(project)


def engine(chosen: Settings) -> Engine:
    from headrace.business.engine import Limits
    from headrace.infrastructure.engines.duckdb.engine import DuckDBEngine

    return DuckDBEngine(Limits(chosen.memory_limit, chosen.threads, chosen.temp_directory))


def state_folder(project: Path) -> Path:
    return project / settings(project).state


def database(project: Path) -> Database:
    """Where a project keeps its state."""
    from headrace.infrastructure.storage.sqlite_database import SqliteDatabase

    chosen = settings(project)
    if chosen.database_url is not None:
        from headrace.infrastructure.storage.postgres_database import PostgresDatabase
        from headrace.security.secrets import Secret, Vault

        url = Secret(chosen.database_url, Vault.of(project))
        return PostgresDatabase(url.reveal, str(url))
    return SqliteDatabase(project / chosen.state / "headrace.db")


def event_store(project: Path) -> EventStore:
    """The log of what happened in a project."""
    from headrace.infrastructure.storage.event_log import EventLog

    return EventLog(database(project))


def held() -> ParquetHeldRows:
    """The rows that are held back."""
    from headrace.infrastructure.storage.held_rows import ParquetHeldRows

    return ParquetHeldRows()


def site(project: Path, busy: Busy | None = None, listen: Listener | None = None) -> Site:
    """Where the runs of a project take place."""
    from headrace.application.orchestrator.queue import Worker
    from headrace.application.orchestrator.site import Site, silent
    from headrace.bus.bus import EventBus
    from headrace.infrastructure.storage.breaker_table import DatabaseBreakers
    from headrace.infrastructure.storage.event_log import EventLog
    from headrace.infrastructure.storage.held_rows import ParquetHeldRows, write_texts
    from headrace.infrastructure.storage.processes import this_host, this_process
    from headrace.infrastructure.storage.run_queue import DatabaseRunQueue
    from headrace.infrastructure.storage.worker_registry import DatabaseWorkers
    from headrace.infrastructure.storage.workspaces import Workspaces

    chosen, store = settings(project), database(project)
    bus = EventBus(EventLog(store))
    if listen is not None:
        bus.subscribe((), listen)
    return Site(
        project=project,
        state=project / chosen.state,
        engine=engine(chosen),
        bus=bus,
        queue=DatabaseRunQueue(store, bus.tell),
        worker=Worker(this_process(), this_host(), chosen.slots, chosen.lease_seconds, chosen.attempts),
        workers=DatabaseWorkers(store),
        hash_file=_hash_file,
        held=ParquetHeldRows(),
        write_texts=write_texts,
        workspaces=Workspaces(project / chosen.state / "runs"),
        breakers=DatabaseBreakers(store),
        busy=busy or silent,
    )


def _hash_file(file: InputFile) -> InputFile:
    from headrace.infrastructure.connectors.file_listing import content_hash

    return file if file.sha256 else content_hash(file)


# What can be asked ---------------------------------------------------------------------------------------------------


def load(file: Path, params: Mapping[str, str] | None = None) -> Loaded:
    """Read a definition. Raises `DefinitionError` with all its problems."""
    from headrace.infrastructure.loader import load as load_definition

    return load_definition(file, params=params or {}, catalog=catalog())


def prepare(loaded: Loaded, where: Site | None = None) -> Prepared:
    """Look at the sources and plan. Raises `DefinitionError` with every problem, each at its place in the file."""
    from headrace.application.orchestrator.batch import prepare as prepare_run
    from headrace.infrastructure.loader import locate

    try:
        return prepare_run(where or site(loaded.project), loaded.definition, loaded.file)
    except DefinitionError as error:
        if loaded.places is None:
            raise
        raise DefinitionError(locate(error.problems, loaded.places)) from error


def plan(loaded: Loaded) -> Plan:
    """What a run would do."""
    return prepare(loaded).plan


def check(loaded: Loaded) -> list[Problem]:
    """What is wrong with a definition, beyond what loading found: an empty list when it can be run."""
    try:
        prepare(loaded)
    except DefinitionError as error:
        return list(error.problems)
    return []


def statements(loaded: Loaded, planned: Plan) -> Sequence[Statement]:
    """What the engine will run, for people to read."""
    return engine(settings(loaded.project)).statements(planned)


def run(
    loaded: Loaded,
    *,
    params: Mapping[str, Any] | None = None,
    full_refresh: bool = False,
    force: bool = False,
    priority: int | None = None,
    busy: Busy | None = None,
    listen: Listener | None = None,
) -> RunView:
    """Run a pipeline to its end, and give what became of it. Raises what ended it."""
    from headrace.application.orchestrator.batch import Wish, run_all

    where = site(loaded.project, busy, listen)
    wish = Wish({**(params or {}), **loaded.params}, kept(loaded), force, full_refresh, priority, user())
    return run_all(where, prepare(loaded, where), wish)


def kept(loaded: Loaded) -> KeptDefinition:
    """The text that a run goes by, also when another process goes on with it and the file has changed."""
    import hashlib
    import json

    from headrace.application.orchestrator.queue import KeptDefinition

    text = loaded.file.read_text(encoding="utf-8-sig") if loaded.file else json.dumps(loaded.document, default=str)
    project, file = str(loaded.project.resolve()), str(loaded.file) if loaded.file else None
    fingerprint = hashlib.sha256(json.dumps([text, project, file]).encode()).hexdigest()[:16]
    return KeptDefinition(fingerprint, loaded.definition.pipeline, project, file, text)


def load_kept(definition: KeptDefinition, params: Mapping[str, Any]) -> Loaded:
    """The definition as it was when a run was asked for, whatever became of its file. Raises `DefinitionError`."""
    from headrace.infrastructure.loader import load_text

    file = Path(definition.file) if definition.file else None
    name, project = definition.file or f"pipeline {definition.pipeline}", Path(definition.project)
    return load_text(definition.text, name, file=file, project=project, params=params, catalog=catalog())


def definitions(project: Path) -> Sequence[tuple[Path, Loaded | DefinitionError]]:
    """The definitions in the folder that the settings name, the broken ones too."""
    from headrace.infrastructure.definition_folder import definitions_in

    return list(definitions_in(project / settings(project).definitions, catalog()))


def pauses(project: Path) -> Pauses:
    """What holds schedules up."""
    from headrace.infrastructure.storage.pause_list import DatabasePauses

    return DatabasePauses(database(project))


def backfills(project: Path) -> Backfills:
    """The backfills that were asked for."""
    from headrace.infrastructure.storage.backfill_register import DatabaseBackfills

    return DatabaseBackfills(database(project))


def verify_log(project: Path) -> Verified:
    """Whether the log of what happened is as it was written."""
    from headrace.infrastructure.storage.event_log import EventLog

    return EventLog(database(project)).verify()


def user() -> str:
    """Who asks."""
    from headrace.infrastructure.storage.processes import this_user

    return this_user()


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
            rehearse(loaded.definition, prepared.resolved, where.engine, loaded.project, Path(folder), where.write_texts)
        )


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
    from headrace.business.model.contract import Contract
    from headrace.infrastructure.odcs.writing import to_odcs

    definition = loaded.definition
    contract = definition.sources[dataset].contract
    checks = [
        {c.plugin.kind: c.plugin.model_dump(mode="json", exclude_defaults=True, by_alias=True)}
        for c in definition.checks
        if c.on == dataset
    ]
    return to_odcs(contract or Contract(), dataset, identifier=f"{definition.pipeline}.{dataset}", checks=checks)


def contract_from_standard(file: Path) -> tuple[str, Sequence[str]]:
    """An Open Data Contract Standard document as a contract of ours, and what of it could only be told."""
    from headrace.infrastructure.contract_text import to_yaml
    from headrace.infrastructure.odcs.reading import load_odcs

    found = load_odcs(file.read_text(encoding="utf-8"), str(file))
    return to_yaml(found.contract, about=f"dataset {found.dataset}, from {file.name}", checks=found.checks), found.notes
