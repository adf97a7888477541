"""The parts of the system: catalog, settings, engine, state database, and the site where runs take place. Nothing is run here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headrace.errors import DefinitionError, HeadraceError, Location, UsageError

if TYPE_CHECKING:
    from headrace.application.orchestrator.carrying import Prepared
    from headrace.application.orchestrator.keeping import Keeping
    from headrace.application.orchestrator.order import Order
    from headrace.application.orchestrator.queue import KeptDefinition, Worker
    from headrace.application.orchestrator.recruiting import Recruits
    from headrace.application.orchestrator.site import Busy, Endless, Site
    from headrace.application.orchestrator.sources import Attempted
    from headrace.application.queries.records import Records
    from headrace.bootstrap.streaming import KeptByStreams
    from headrace.bus.bus import EventBus
    from headrace.bus.store import Envelope
    from headrace.business.connections import Profile
    from headrace.business.engine import Engine, Limits
    from headrace.business.model.definition import Loaded
    from headrace.business.ports import InputFile
    from headrace.infrastructure.catalog import Catalog
    from headrace.infrastructure.connectors.postgres_connection import PostgresConnection
    from headrace.infrastructure.storage.database import Database
    from headrace.infrastructure.storage.held_rows import ParquetHeldRows
    from headrace.settings import Settings

Listener = Callable[["Envelope"], None]


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

    return load_settings(state_home(project))


def engine(chosen: Settings, name: str = "duckdb", home: Path = Path()) -> Engine:
    """An engine by its name. Raises `DefinitionError` when its settings are not there."""
    from headrace.business.engine import Limits

    limits = Limits(chosen.memory_limit, chosen.threads, chosen.temp_directory, chosen.temp_limit)
    if name == "postgres":
        return _postgres_engine(chosen, limits, home)
    if name == "snowflake":
        return _snowflake_engine(chosen, limits, home)
    if name == "spark":
        from headrace.infrastructure.engines.spark.engine import SparkEngine

        return SparkEngine(chosen.spark, limits)
    from headrace.infrastructure.engines.duckdb.engine import DuckDBEngine

    return DuckDBEngine(limits)


def _postgres_engine(chosen: Settings, limits: Limits, home: Path) -> Engine:
    from headrace.errors import Problem
    from headrace.infrastructure.detours import led_to
    from headrace.infrastructure.engines.postgres.engine import PostgresEngine
    from headrace.security.secrets import Secret, Vault

    if chosen.postgres is None:
        hint = 'say in headrace.toml: [engines.postgres] with connection = "NAME", or url = "postgresql://user@host/database"'
        raise DefinitionError([Problem("the engine postgres is not told in which database to work", ("engine",), hint)])
    if chosen.postgres.connection is not None:
        named = _postgres_connection(home, chosen.postgres.connection, "`connection` of [engines.postgres]")
        return PostgresEngine(lambda: led_to(named.connection.address(named.home)), chosen.postgres, limits)
    url = Secret(chosen.postgres.url or "", Vault.of(home))
    return PostgresEngine(lambda: led_to(url.reveal()), chosen.postgres, limits)


def _snowflake_engine(chosen: Settings, limits: Limits, home: Path) -> Engine:
    from headrace.errors import Problem
    from headrace.infrastructure.connectors.snowflake_connection import SnowflakeConnection
    from headrace.infrastructure.engines.snowflake.engine import SnowflakeEngine
    from headrace.infrastructure.loading.connections import connections_of

    if chosen.snowflake is None:
        hint = (
            'say in headrace.toml: [engines.snowflake] with connection = "NAME", and [connections.NAME] with kind = "snowflake"'
        )
        raise DefinitionError([Problem("the engine snowflake is not told in which database to work", ("engine",), hint)])
    name = chosen.snowflake.connection
    found = connections_of(home, catalog()).find(name)
    if not isinstance(found.connection, SnowflakeConnection):
        raise UsageError(
            f"`connection` of [engines.snowflake] names `{name}`, which is of kind `{found.connection.kind}`",
            hint="name one of kind `snowflake`",
        )
    return SnowflakeEngine(found.connection.reached(found.home), chosen.snowflake, limits)


def state_folder(project: Path) -> Path:
    return state_home(project) / settings(project).state


def database(project: Path, *, patient: bool = False) -> Database:
    """Where a project keeps its state. Processes that serve are `patient` with a server that is not there yet; commands are not."""
    chosen = settings(project)
    if chosen.database_url is not None:
        from headrace.infrastructure.storage.postgres_database import COMMAND_PATIENCE, PATIENCE, PostgresDatabase

        address, shown = state_address(project, chosen.database_url)
        return PostgresDatabase(address, shown, PATIENCE if patient else COMMAND_PATIENCE, chosen.database_schema)
    from headrace.infrastructure.storage.sqlite_database import SqliteDatabase

    return SqliteDatabase(state_folder(project) / "headrace.db")


def state_address(project: Path, written: str) -> tuple[Callable[[], str], str]:
    """What gives the address of the state database with its secrets, and the same for people."""
    from headrace.security.secrets import Secret, Vault
    from headrace.settings import NAMED

    if written.startswith(NAMED):
        named = state_connection(project, written.removeprefix(NAMED))
        return lambda: named.connection.address(named.home), named.connection.shown()
    url = Secret(written, Vault.of(state_home(project)))
    return url.reveal, str(url)


def state_connection(project: Path, name: str) -> Profile[PostgresConnection]:
    """The connection that the settings name for the state database."""
    return _postgres_connection(project, name, "`database_url`")


def _postgres_connection(project: Path, name: str, where: str) -> Profile[PostgresConnection]:
    from headrace.infrastructure.connectors.postgres_connection import PostgresConnection
    from headrace.infrastructure.loading.connections import connections_of

    found = connections_of(project, catalog()).find(name)
    if not isinstance(found.connection, PostgresConnection):
        raise UsageError(
            f"{where} names `{name}`, which is of kind `{found.connection.kind}`", hint="name one of kind `postgres`"
        )
    return found


def state_home(project: Path) -> Path:
    """The folder that holds the settings and the state of a project: its own, or the next above it with a `headrace.toml`."""
    from headrace.settings import home

    return home(project)


def event_store(project: Path) -> Records:
    """The log of what happened in a project, with its read side."""
    from headrace.infrastructure.storage.event_log import EventLog

    return EventLog(database(project))


def held() -> ParquetHeldRows:
    """The rows that are held back."""
    from headrace.infrastructure.storage.held_rows import ParquetHeldRows

    return ParquetHeldRows()


def site(
    project: Path,
    busy: Busy | None = None,
    listen: Listener | None = None,
    home: Path | None = None,
    bus: EventBus | None = None,
    patient: bool = False,
    watch: Callable[[Any], None] | None = None,
    recruit: Callable[[str], Recruits] | None = None,
) -> Site:
    """Where the runs of a project take place. `home` has the settings and the state, where that is not the project's own; `bus` is
    one that a caller listens on already; `recruit` starts workers for a stream that is to be shared."""
    from headrace.application.orchestrator.site import Site, silent, unwatched
    from headrace.bus.bus import EventBus
    from headrace.infrastructure.storage.breaker_table import DatabaseBreakers
    from headrace.infrastructure.storage.event_log import EventLog
    from headrace.infrastructure.storage.held_rows import ParquetHeldRows, write_texts
    from headrace.infrastructure.storage.pause_list import DatabasePauses
    from headrace.infrastructure.storage.run_queue import DatabaseRunQueue
    from headrace.infrastructure.storage.worker_registry import DatabaseWorkers
    from headrace.infrastructure.storage.workspaces import Workspaces

    home = home or state_home(project)
    chosen, state, worker = settings(home), state_folder(home), this_worker(home)
    bus = bus or EventBus(EventLog(database(home, patient=patient)))
    if not isinstance(bus.store, EventLog):
        raise UsageError("runs need a bus of a project's log", hint="make it with `headrace.orchestration.event_bus(project)`")
    log, store = bus.store, bus.store.database
    if listen is not None:
        bus.subscribe((), listen)
    return Site(
        project=project,
        state=state,
        engine=cache(lambda name: engine(chosen, name, home)),
        bus=bus,
        records=log,
        queue=DatabaseRunQueue(store, bus.tell),
        worker=worker,
        workers=DatabaseWorkers(store),
        hash_file=_hash_file,
        held=ParquetHeldRows(),
        write_texts=write_texts,
        workspaces=Workspaces(state / "runs"),
        breakers=DatabaseBreakers(store),
        stream=_streams(home, store, worker, recruit),
        pauses=DatabasePauses(store),
        busy=busy or silent,
        watch=watch or unwatched,
        keeping=_quarantine(chosen, state),
    )


def _streams(
    home: Path, store: Database, worker: Worker, recruit: Callable[[str], Recruits] | None
) -> Callable[[Order, Engine, Any], Endless]:
    from headrace.bootstrap.streaming import gather_in, streams_in

    gather = gather_in(store, worker, settings(home).worker_address, recruit)
    return streams_in(_kept_by_streams(state_folder(home), home), gather)


def _kept_by_streams(state: Path, home: Path) -> KeptByStreams:
    from headrace.bootstrap.streaming import KeptByStreams
    from headrace.infrastructure.loading.connections import connections_of

    return KeptByStreams(state, lambda name: connections_of(home, catalog()).find(name))


def kept_by_streams(project: Path) -> KeptByStreams:
    """What the streams of a project keep."""
    home = state_home(project)
    return _kept_by_streams(state_folder(home), home)


def _quarantine(chosen: Settings, state: Path) -> Keeping:
    from headrace.application.orchestrator.keeping import Keeping
    from headrace.settings import in_bytes

    most = in_bytes(chosen.quarantine_max) if chosen.quarantine_max else None
    return Keeping(state / "quarantine", chosen.quarantine_days, most)


def this_worker(project: Path) -> Worker:
    """This process, as one that carries runs out."""
    from headrace.application.orchestrator.queue import Worker
    from headrace.infrastructure.storage.processes import this_host, this_process

    chosen = settings(project)
    return Worker(this_process(), this_host(), chosen.slots, chosen.lease_seconds, chosen.attempts)


def _hash_file(file: InputFile) -> InputFile:
    from headrace.infrastructure.connectors.file_listing import content_hash

    return file if file.state else content_hash(file)


def load(file: Path, params: Mapping[str, str] | None = None) -> Loaded:
    """Read a definition. Raises `DefinitionError` with all its problems."""
    from headrace.infrastructure.loader import load as load_definition

    return load_definition(file, params=params or {}, catalog=catalog())


def load_kept(kept: KeptDefinition, params: Mapping[str, Any], *, stand_ins: bool = False) -> Loaded:
    """Read a definition as it was kept, whatever its file says now."""
    from headrace.infrastructure.loader import load_text

    file = Path(kept.file) if kept.file else None
    return load_text(
        kept.text,
        kept.file or f"{kept.pipeline} (kept)",
        catalog=catalog(),
        project=Path(kept.project),
        file=file,
        params=params,
        stand_ins=stand_ins,
    )


def prepare(loaded: Loaded, where: Site | None = None, attempted: Attempted | None = None) -> Prepared:
    """Look at the sources and plan. Raises `DefinitionError` with every problem, each at its place in the file; and `RetryableError`,
    at the place of a source, where nothing is wrong but that its server is away. Unless said otherwise each is looked at once."""
    from headrace.application.orchestrator.batch import prepare as prepare_run
    from headrace.application.orchestrator.sources import SourceAway, once
    from headrace.infrastructure.loader import locate

    try:
        return prepare_run(where or site(loaded.project), loaded.definition, loaded.file, attempted or once)
    except DefinitionError as error:
        if loaded.places is None:
            raise
        raise DefinitionError(locate(error.problems, loaded.places)) from error
    except SourceAway as error:
        if loaded.places is not None:
            (error.problem,) = locate([error.problem], loaded.places)
            error.location = error.problem.location
        raise


def kept(loaded: Loaded) -> KeptDefinition:
    """The text that a run goes by, also when another process goes on with it and the file has changed."""
    import json

    from headrace.application.orchestrator.queue import keep

    text = loaded.file.read_text(encoding="utf-8-sig") if loaded.file else json.dumps(loaded.document, default=str)
    return keep(text, loaded.definition.pipeline, loaded.project, loaded.file)
