"""Composes the workers of one stream: the group that the leading one opens, and the processes that take seats at it. Runs no stream."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from headrace.bootstrap import parts
from headrace.errors import HeadraceError, NonRetryableError

if TYPE_CHECKING:
    from headrace.application.orchestrator.recruiting import Recruits
    from headrace.application.orchestrator.seats import Seat
    from headrace.application.streams.group import Group
    from headrace.application.streams.run import Gather
    from headrace.infrastructure.children import Children
    from headrace.infrastructure.storage.database import Database

_LOOPBACK = "127.0.0.1"


def gather_in(home: Path, database: Database, *, recruiting: bool) -> Gather:
    """Opens the groups of streams that this process leads. With `recruiting` it starts the other workers itself, as far as nobody else
    takes the seats: for a command, beside which there may be no worker."""

    @contextmanager
    def gather(run_id: str, fingerprint: str, workers: int, token: int) -> Iterator[Group]:
        from headrace.application.orchestrator.seats import Seat
        from headrace.application.streams.group import Group
        from headrace.infrastructure.links import TcpDoor
        from headrace.infrastructure.storage.seat_list import DatabaseSeats

        chosen, worker = parts.settings(home), parts.this_worker(home)
        door = TcpDoor(chosen.worker_address or _LOOPBACK)
        host = None if chosen.worker_address else worker.host
        seats = [Seat(run_id, number, door.address, door.secret, fingerprint, host) for number in range(1, workers)]
        group = Group(DatabaseSeats(database), door, seats, token, worker.lease_seconds)
        with ExitStack() as opened:
            opened.callback(group.close)
            if recruiting:
                opened.enter_context(_recruits_of(home, run_id).beside(workers - 1))
            yield group

    return gather


def recruits(
    home: Path, database: Database, children: Children, log: Callable[[str], Path], told: Callable[[str], None]
) -> Recruits:
    """Takes seats at any stream of the project, for a process that serves."""
    from headrace.application.orchestrator.recruiting import Recruits
    from headrace.infrastructure.storage.seat_list import DatabaseSeats

    worker, seats = parts.this_worker(home), DatabaseSeats(database)
    return Recruits(worker, seats, lambda seat: children.start(take_seat, home, seat, log=log(_log_of(seat))), told=told)


def _recruits_of(home: Path, run_id: str) -> Recruits:
    """Takes seats at one stream, with processes of its own."""
    from headrace.application.orchestrator.recruiting import Recruits
    from headrace.bootstrap.log import run_logs
    from headrace.bootstrap.serving import processes
    from headrace.infrastructure.storage.seat_list import DatabaseSeats

    # A connection of its own: it is used by another thread than the one that leads.
    database = parts.database(home, patient=True)
    children, logs, worker = processes(database), run_logs(home, database), parts.this_worker(home)
    children.prepare()

    def start(seat: Seat) -> object:
        return children.start(take_seat, home, seat, log=logs.path(_log_of(seat)))

    return Recruits(worker, DatabaseSeats(database), start, run_id)  # type: ignore[arg-type]


def _log_of(seat: Seat) -> str:
    return f"{seat.run_id}-seat-{seat.number}"


def take_seat(home: Path, seat: Seat) -> None:
    """Read and work for a stream that another worker leads, until it has no use for it any more."""
    import sys

    try:
        _take_seat(home, seat)
    except HeadraceError as error:
        sys.stderr.write(f"{error}\n")  # into the log of this process
        sys.exit(1)


def _take_seat(home: Path, seat: Seat) -> None:
    from tempfile import TemporaryDirectory

    from headrace.application.streams.member import Member
    from headrace.bootstrap.serving import load_definition
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
        engine = site.engine(prepared.definition.engine)
        session = engine.stream(prepared.plan, Path(workspace), site.project)  # type: ignore[attr-defined]
        try:
            link = come_in(seat.address, seat.secret)
            Member(prepared.plan, session, link, seat, site.worker.name, site.project).execute()
        finally:
            session.close()
