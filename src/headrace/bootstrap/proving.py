"""Composes `headrace chaos`: a proving ground for the copies of a project. It decides nothing about kills and cuts."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headrace.bootstrap import parts

if TYPE_CHECKING:
    from headrace.application.orchestrator.chaos import Proof, Trial, Wanted
    from headrace.business.model.definition import Definition, Loaded
    from headrace.infrastructure.proving_ground import Request, State


def chaos(loaded: Loaded, params: Mapping[str, str], wanted: Wanted, told: Callable[[Trial], None]) -> Proof:
    """Prove a pipeline against deaths and cut connections, on copies that are gone afterwards."""
    from headrace.application.orchestrator.chaos import prove
    from headrace.errors import UsageError
    from headrace.infrastructure.proving_ground import Ground, ProvingGround
    from headrace.infrastructure.relay import Relay

    file, project, place = loaded.file, loaded.project, f"headrace_chaos_{uuid.uuid4().hex[:8]}"
    if file is None:
        raise UsageError("chaos needs a pipeline in a file", hint="`headrace chaos pipeline.yaml`")
    remote = wanted.allow_remote and parts.settings(project).database_url is not None

    def requested(copy: Path, place: str, anew: bool) -> Request:
        return _requested(loaded, copy / file.resolve().relative_to(project.resolve()), copy, place, params, anew)

    def state(copy: Path, place: str) -> State:
        return _in_database(project, place) if remote else _in_copy(copy)

    with ExitStack() as opened:
        room = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="headrace-chaos-")))
        systems, not_cut = _systems(loaded.definition, _state_system(project) if remote else None)
        relays = {system: opened.enter_context(Relay(host, port)) for system, (host, port) in systems.items()}
        ground = Ground(project, _written(project), loaded.definition, requested, state, room, place)
        return prove(loaded.definition, project, ProvingGround(ground, relays, not_cut), wanted, told)


def _requested(loaded: Loaded, file: Path, copy: Path, place: str, params: Mapping[str, str], anew: bool) -> Request:
    from headrace.application.orchestrator.batch import Wish, assigned
    from headrace.application.orchestrator.chaos import outside_sinks
    from headrace.application.orchestrator.scheduler import request_for
    from headrace.bus.store import Origin
    from headrace.business.ports import Readable
    from headrace.infrastructure.proving_ground import Request

    there = parts.load(file, params)
    values = {**params, **there.params}
    request = request_for(there.definition, copy, parts.kept(there), values, "chaos", None, Origin(actor="chaos"))
    request = replace(request, options={"full_refresh": anew, "place": place})
    outside = {sink.name for sink in outside_sinks(loaded.definition, loaded.project)}
    if not outside:
        return Request(request, {})
    prepared, _ = assigned(parts.prepare(there, parts.site(copy)), Wish(values, place=place))
    plan = prepared.plan
    readable = {
        sink.name: (sink.publisher, plan.schema(sink.dataset))
        for sink in plan.sinks
        if sink.name in outside and isinstance(sink.publisher, Readable)
    }
    return Request(request, readable)


def _systems(definition: Definition, of_state: str | None) -> tuple[dict[str, tuple[str, int]], dict[str, str]]:
    """The remote systems that a pipeline reaches: those before which a relay can stand, with host and port, and why not the others."""
    from headrace.application.orchestrator.breakers import system_of

    plugins = [*(source.plugin for source in definition.sources.values()), *(sink.plugin for sink in definition.sinks)]
    found = {system for system in (*map(system_of, plugins), of_state) if system is not None}
    systems: dict[str, tuple[str, int]] = {}
    not_cut: dict[str, str] = {}
    for system in sorted(found):
        host, _, port = system.removeprefix("postgres://").rpartition(":")
        if not system.startswith("postgres://"):
            not_cut[system] = "only connections to PostgreSQL can be led through a relay"
        elif not port.isdecimal() or host.startswith("/") or "," in host:
            not_cut[system] = "only a single host with a port can be led through a relay"
        else:
            systems[system] = (host, int(port))
    return systems, not_cut


def _state_system(project: Path) -> str:
    from headrace.infrastructure.detours import system_of

    return system_of(_state_url(project))


def _state_url(project: Path) -> str:
    address, _ = parts.state_address(project, parts.settings(project).database_url or "")
    return address()


def _in_database(project: Path, place: str) -> State:
    """A schema of its own in the database that has the state of the project. The worker is told its address as it is revealed here: a
    copy may be where the file of a secret is not."""
    from headrace.infrastructure.proving_ground import State
    from headrace.infrastructure.storage.postgres_database import PostgresDatabase
    from headrace.settings import NAMED

    url, schema, written = _state_url(project), f"{place}_state", parts.settings(project).database_url or ""
    settings = {
        "HEADRACE_DATABASE_URL": written if written.startswith(NAMED) else url.replace("${", "$${"),
        "HEADRACE_DATABASE_SCHEMA": schema,
    }
    database = PostgresDatabase(lambda: url, "of the copy", schema=schema)
    return State(database, settings, database.remove)


def _in_copy(copy: Path) -> State:
    from headrace.infrastructure.proving_ground import State
    from headrace.infrastructure.storage.sqlite_database import SqliteDatabase

    return State(SqliteDatabase(copy / ".headrace" / "headrace.db"), {}, lambda: None)


def _written(project: Path) -> Mapping[str, Any]:
    """The settings of a project as they stand in its file."""
    import tomllib

    from headrace.settings import FILE

    file = parts.state_home(project) / FILE
    return tomllib.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
