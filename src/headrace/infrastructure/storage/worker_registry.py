"""The workers that are there: each says so now and then. Not what they work on, which is in the queue."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime

from headrace.application.orchestrator.queue import KnownWorker, Worker
from headrace.infrastructure.storage.database import Database, Transaction
from headrace.infrastructure.storage.processes import is_gone


class DatabaseWorkers:
    """The register of workers in the state database."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def heard(self, worker: Worker, role: str) -> None:
        """A worker is there, for the time of a lease."""

        def act(db: Transaction) -> None:
            clock, now = db.lease_clock()
            at = datetime.now(UTC).isoformat()
            db.run(
                "insert into workers (worker, host, role, started_at, heard_at, lease_clock, lease_until, slots) "
                "values (:worker, :host, :role, :at, :at, :clock, :until, :slots) on conflict (worker) do update set "
                "heard_at = excluded.heard_at, lease_clock = excluded.lease_clock, lease_until = excluded.lease_until",
                {
                    "worker": worker.name, "host": worker.host, "role": role, "at": at, "clock": clock,
                    "until": now + worker.lease_seconds, "slots": json.dumps(dict(worker.capacity)),
                },
            )  # fmt: skip

        self.database.write(act)

    def gone(self, worker: Worker) -> None:
        """A worker takes its leave."""
        self.database.write(lambda db: db.run("delete from workers where worker = :worker", {"worker": worker.name}))

    def all(self) -> Sequence[KnownWorker]:
        if not self.database.exists():
            return []
        (clock, now), known, commands = self.database.read(
            lambda db: (
                db.lease_clock(),
                db.rows(
                    "select worker, host, role, started_at, heard_at, lease_clock, lease_until from workers "
                    "order by started_at, worker"
                ),
                db.rows(
                    "select worker, max(lease_clock), max(lease_until) from queue where worker <> '' "
                    "and worker not in (select worker from workers) group by worker order by worker"
                ),
            )
        )
        rows = [
            *known,
            *((worker, worker.partition("/")[0], "command", "", "", name, until) for worker, name, until in commands),
        ]
        return [
            KnownWorker(worker, host, role, started, heard, name == clock and until >= now and not is_gone(worker))
            for worker, host, role, started, heard, name, until in rows
        ]

    def any_alive(self) -> bool:
        return any(worker.alive for worker in self.all() if worker.role != "command")
