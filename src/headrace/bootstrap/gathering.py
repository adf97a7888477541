"""Composes the processes that take seats at streams which other workers lead. Not who leads one, nor how a stream is run."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from headrace.bootstrap import parts
from headrace.bootstrap.log import run_logs
from headrace.bootstrap.processes import processes
from headrace.errors import HeadraceError, NonRetryableError

if TYPE_CHECKING:
    from headrace.application.orchestrator.queue import KeptDefinition
    from headrace.application.orchestrator.recruiting import Recruits
    from headrace.application.orchestrator.seats import Seat
    from headrace.business.model.definition import Loaded
    from headrace.infrastructure.children import Children


def recruits(home: Path, children: Children, told: Callable[[str], None]) -> Recruits:
    """Takes seats at any stream of a project, for a process that serves."""
    return _recruits(home, children, told=told)


def recruits_of(project: Path) -> Callable[[str], Recruits]:
    """Takes seats at one stream, that of a run, with processes of their own: for a command, beside which there may be no worker."""

    def made(run_id: str) -> Recruits:
        home = parts.state_home(project).resolve()
        children = processes(parts.database(home))
        children.prepare()
        return _recruits(home, children, run_id)

    return made


def _recruits(
    home: Path, children: Children, run_id: str | None = None, told: Callable[[str], None] = lambda _line: None
) -> Recruits:
    from headrace.application.orchestrator.recruiting import Recruits
    from headrace.infrastructure.storage.seat_list import DatabaseSeats

    # A connection of its own: it is used by another thread than that of the run.
    database = parts.database(home, patient=True)
    logs = run_logs(home, database)

    def start(seat: Seat) -> Any:
        return children.start(take_seat, home, seat, log=logs.path(f"{seat.run_id}-seat-{seat.number}"))

    return Recruits(parts.this_worker(home), DatabaseSeats(database), start, run_id, told)


def take_seat(home: Path, seat: Seat) -> None:
    """Read and work for a stream that another worker leads, until it has no use for it any more."""
    try:
        _take_seat(home, seat)
    except HeadraceError as error:
        sys.stderr.write(f"{error}\n")  # into the log of this process
        sys.exit(1)


def _take_seat(home: Path, seat: Seat) -> None:
    from headrace.application.streams.member import Member
    from headrace.infrastructure.links import come_in
    from headrace.infrastructure.storage.run_queue import DatabaseRunQueue

    request = DatabaseRunQueue(parts.database(home, patient=True)).request(seat.run_id)
    if request is None:
        raise NonRetryableError(f"run {seat.run_id} has ended")
    site = parts.site(Path(request.project), home=home, patient=True)
    prepared = parts.prepare(load_definition(request.definition, request.params), site)
    if prepared.plan.fingerprint != seat.fingerprint:
        hint = "all workers of a project need the same version of Headrace and its plugins, and see the same sources"
        raise NonRetryableError("this worker makes another plan of the definition than the one that leads", hint=hint)
    with TemporaryDirectory(prefix="headrace-seat-") as workspace:
        engine: Any = site.engine(prepared.definition.engine)
        session = engine.stream(prepared.plan, Path(workspace), site.project)
        try:
            link = come_in(seat.address, seat.secret)
            Member(prepared.plan, session, link, seat, site.worker.name, site.project).execute()
        finally:
            session.close()


def load_definition(kept: KeptDefinition | None, params: Mapping[str, Any]) -> Loaded:
    from headrace.errors import NonRetryableError

    if kept is None:
        raise NonRetryableError("the definition of this run was not kept", hint="run it anew with `headrace run FILE`")
    return parts.load_kept(kept, params)
