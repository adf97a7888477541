"""The seats at streams, on the state database. One that is offered by a worker that has lost its run since is not given to anybody."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from headrace.application.orchestrator.queue import Worker
from headrace.application.orchestrator.seats import Seat
from headrace.infrastructure.storage.database import Database, Row, Transaction


class DatabaseSeats:
    """See the port."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def offer(self, seats: Sequence[Seat], token: int) -> None:
        rows = [
            {
                "run_id": seat.run_id, "number": seat.number, "address": seat.address, "secret": seat.secret.hex(),
                "fingerprint": seat.fingerprint, "host": seat.host, "token": token,
            }
            for seat in seats
        ]  # fmt: skip

        def act(db: Transaction) -> None:
            db.run("delete from seats where run_id not in (select run_id from queue)")
            for run_id in {seat.run_id for seat in seats}:
                db.run("delete from seats where run_id = :run_id", {"run_id": run_id})
            db.insert("seats", rows)

        self.database.write(act)

    def free(self, seat: Seat) -> None:
        update = "update seats set worker = '' where run_id = :run_id and number = :number and secret = :secret"
        values = {"run_id": seat.run_id, "number": seat.number, "secret": seat.secret.hex()}
        self.database.write(lambda db: db.run(update, values))

    def taken(self, run_id: str) -> AbstractSet[int]:
        query = "select number from seats where run_id = :run_id and worker <> ''"
        return {number for (number,) in self.database.read(lambda db: db.rows(query, {"run_id": run_id}))}

    def withdraw(self, run_id: str) -> None:
        self.database.write(lambda db: db.run("delete from seats where run_id = :run_id", {"run_id": run_id}))

    def take(self, worker: Worker, run_id: str | None = None) -> Seat | None:
        if not self.database.exists() or self.database.read(lambda db: _free(db, worker, run_id)) is None:
            return None

        def act(db: Transaction) -> Seat | None:
            found = _free(db, worker, run_id)
            if found is None:
                return None
            seat = Seat(found[0], found[1], found[2], bytes.fromhex(found[3]), found[4], found[5])
            update = "update seats set worker = :worker where run_id = :run_id and number = :number"
            db.run(update, {"worker": worker.name, "run_id": seat.run_id, "number": seat.number})
            return seat

        return self.database.write(act)


def _free(db: Transaction, worker: Worker, run_id: str | None) -> Row | None:
    """A seat that this worker may take."""
    only = "and s.run_id = :run_id" if run_id else ""
    values = {"host": worker.host} | ({"run_id": run_id} if run_id else {})
    found = db.rows(
        "select s.run_id, s.number, s.address, s.secret, s.fingerprint, s.host from seats s join queue q "
        "on q.run_id = s.run_id and q.token = s.token and q.worker <> '' where s.worker = '' "
        f"and (s.host is null or s.host = :host) {only} order by s.run_id, s.number limit 1",
        values,
    )
    return found[0] if found else None
