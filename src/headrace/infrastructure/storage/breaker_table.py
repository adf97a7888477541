"""The circuit breakers of remote systems, on the state database, one row each. When they open and close is said in `resilience.circuit`."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from headrace.application.orchestrator.breakers import FAILURES, RECOVERY, TRIAL, KnownBreaker
from headrace.infrastructure.storage.database import Database, Transaction
from headrace.resilience.circuit import Circuit


class DatabaseBreakers:
    """See the port. A circuit that is closed and has not failed costs a read, nothing is written."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self.database, self.clock = database, clock

    def allow(self, system: str) -> int:
        with self.database.reading() as db:
            circuit = _circuit(db, system)
        if circuit.state == "CLOSED":
            return circuit.generation
        return self.database.write(lambda db: self._become(db, system, lambda found: found.allow(self.clock())))

    def ended(self, system: str, generation: int, failed: bool | None) -> None:
        def after(found: Circuit) -> Circuit:
            if failed is None:
                return found.undecided(generation)
            return found.failed(self.clock(), generation) if failed else found.succeeded(generation)

        with self.database.reading() as db:
            circuit = _circuit(db, system)
        if after(circuit) != circuit:
            self.database.write(lambda db: self._become(db, system, after))

    def all(self) -> Sequence[KnownBreaker]:
        if not self.database.exists():
            return []
        query = "select system from breakers order by system"
        found = self.database.read(lambda db: [_circuit(db, row[0]) for row in db.rows(query)])
        return [KnownBreaker(c.name, c.state, c.failure_count, c.wait(self.clock()) or 0.0) for c in found]

    def reset(self, system: str) -> bool:
        delete = "delete from breakers where system = :system"
        return self.database.write(lambda db: db.run(delete, {"system": system}) > 0)

    def _become(self, db: Transaction, system: str, change: Callable[[Circuit], Circuit]) -> int:
        """Change a circuit; its generation afterwards."""
        before, since = _circuit(db, system), _since(db, system)
        after = change(before)
        if after.generation != before.generation:
            since = self.clock()
        elif after.state == "HALF_OPEN" and after.trial_began is None:
            since = 0.0
        values = {"system": system, "state": after.state, "failures": after.failure_count, "since": since}
        db.run(
            "insert into breakers (system, state, failures, since) values (:system, :state, :failures, :since) on conflict (system) "
            "do update set state = excluded.state, failures = excluded.failures, since = excluded.since",
            values,
        )
        return _generation(since)


def _circuit(db: Transaction, system: str) -> Circuit:
    """The circuit of a system. A row keeps since when it is as it is, which tells one generation from another."""
    found = db.rows("select state, failures, since from breakers where system = :system", {"system": system})
    fresh: tuple[Any, ...] = ("CLOSED", 0, 0.0)
    state, failures, since = found[0] if found else fresh
    times: dict[str, Any] = {"OPEN": {"last_failure_time": since}, "HALF_OPEN": {"trial_began": since or None}}.get(state, {})
    return Circuit(FAILURES, RECOVERY, TRIAL, system, state, failures, generation=_generation(since), **times)


def _since(db: Transaction, system: str) -> float:
    found = db.rows("select since from breakers where system = :system", {"system": system})
    return float(found[0][0]) if found else 0.0


def _generation(since: float) -> int:
    return round(since * 1_000_000)
