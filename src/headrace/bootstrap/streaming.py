"""Composes what streams need: where they keep state, output, and what could not be taken in. Not what they do with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

    from headrace.application.orchestrator.order import Order
    from headrace.application.orchestrator.queue import Worker
    from headrace.application.orchestrator.recruiting import Recruits
    from headrace.application.streams.group import Group
    from headrace.application.streams.run import AroundStream, Gather, StreamRun
    from headrace.business.connections import Profile
    from headrace.business.engine import Engine, QuarantineTarget
    from headrace.business.model.schema import Schema
    from headrace.business.ports import Publisher
    from headrace.business.processing.plan import PlannedSource
    from headrace.business.streams.dead_letters import DeadLetters
    from headrace.business.streams.state import Outlet, StateStore
    from headrace.infrastructure.storage.database import Database

_LETTERS = "dead letters"
_LOOPBACK = "127.0.0.1"


def streams_in(keeping: KeptByStreams, gather: Gather) -> Callable[[Order, Engine, AroundStream], StreamRun]:
    """Makes the runs of streams that keep what they keep there, and are shared among workers so."""

    def made(order: Order, engine: Engine, around: AroundStream) -> StreamRun:
        from headrace.application.streams.run import StreamRun

        return StreamRun(order, engine, around, keeping, gather)

    return made


def gather_in(database: Database, worker: Worker, address: str | None, recruit: Callable[[str], Recruits] | None) -> Gather:
    """Opens the groups of streams that this process leads: others come in at `address`, or from this machine only. `recruit` starts
    the others itself, as far as nobody else takes the seats."""

    @contextmanager
    def gather(run_id: str, fingerprint: str, workers: int, token: int) -> Iterator[Group]:
        from headrace.application.orchestrator.seats import Seat
        from headrace.application.streams.group import Group
        from headrace.infrastructure.links import TcpDoor
        from headrace.infrastructure.storage.seat_list import DatabaseSeats

        door = TcpDoor(address or _LOOPBACK)
        host = None if address else worker.host
        seats = [Seat(run_id, number, door.address, door.secret, fingerprint, host) for number in range(1, workers)]
        group = Group(DatabaseSeats(database), door, seats, token, worker.lease_seconds)
        with ExitStack() as opened:
            opened.callback(group.close)
            if recruit is not None:
                opened.enter_context(recruit(run_id).beside(workers - 1))
            yield group

    return gather


class KeptByStreams:
    """What the streams of one project keep (see the port `StreamKeeping`): in its state folder, or behind the connection of a name."""

    def __init__(self, folder: Path, profile: Callable[[str], Profile[Any]]) -> None:
        self.folder, self.profile = folder, profile

    def state(self, stream: str, connection: str | None) -> StateStore:
        from headrace.infrastructure.storage.state_stores import state_store

        found = None if connection is None else self.profile(connection)
        return state_store(stream, found, self.folder / "streams")

    def outlet(self, publisher: Publisher, project: Path, stream: str, schema: Schema) -> Outlet:
        from headrace.infrastructure.connectors.publication_outlet import outlet_of

        return outlet_of(publisher, project, stream, schema)

    def hold(self, source: PlannedSource, target: QuarantineTarget, epoch: int, held: Sequence[tuple[str, pa.Table]]) -> None:
        from headrace.infrastructure.storage.held_in_streams import hold

        hold(source, target, epoch, held)

    def let_go(self, quarantine: Path, epoch: int) -> None:
        from headrace.infrastructure.storage.held_in_streams import let_go

        let_go(quarantine, epoch)

    def dead_letters(self, stream: str, source: str) -> DeadLetters:
        from headrace.infrastructure.storage.dead_letters import ParquetDeadLetters

        return ParquetDeadLetters(self.folder / _LETTERS / stream / source)

    def all_dead_letters(self) -> Sequence[tuple[str, str, DeadLetters]]:
        """What streams could not read, by stream and source."""
        found = sorted(path for path in (self.folder / _LETTERS).glob("*/*") if path.is_dir())
        return [(path.parent.name, path.name, self.dead_letters(path.parent.name, path.name)) for path in found]
