"""Who may do what only one process may do at a time, such as the ticks of all schedules. The lease is short, so another takes over soon."""

from __future__ import annotations

from headrace.application.orchestrator.queue import Worker
from headrace.infrastructure.storage.database import Database, Transaction
from headrace.infrastructure.storage.processes import is_gone


class DatabaseLeadership:
    """Leases by name in the state database."""

    def __init__(self, database: Database, seconds: float) -> None:
        self.database, self.seconds = database, seconds

    def lead(self, name: str, worker: Worker) -> bool:
        """Whether this worker leads, for the time of a lease from now on."""

        def act(db: Transaction) -> bool:
            clock, now = db.lease_clock()
            found = db.rows("select worker, lease_clock, lease_until from leaders where name = :name", {"name": name})
            if found:
                holder, held_clock, until = found[0]
                if holder != worker.name and held_clock == clock and until >= now and not is_gone(holder):
                    return False
            db.run(
                "insert into leaders (name, worker, token, lease_clock, lease_until) values (:name, :worker, 1, :clock, :until) "
                "on conflict (name) do update set worker = excluded.worker, token = leaders.token + 1, "
                "lease_clock = excluded.lease_clock, lease_until = excluded.lease_until",
                {"name": name, "worker": worker.name, "clock": clock, "until": now + self.seconds},
            )
            return True

        return self.database.write(act)

    def resign(self, name: str, worker: Worker) -> None:
        """Let another lead at once."""
        values = {"name": name, "worker": worker.name}
        self.database.write(lambda db: db.run("delete from leaders where name = :name and worker = :worker", values))
