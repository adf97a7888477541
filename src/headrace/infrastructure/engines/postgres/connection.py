"""The connection over which a run works in its database: how it is set, what becomes of it when it breaks, and what its errors say.

It commits each statement by itself unless asked for a transaction. A connection that broke is opened anew by the next statement, as
long as what the run has made is still there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from headrace.business.engine import Limits
from headrace.errors import NonRetryableError, RunError, StagingLost
from headrace.infrastructure.engines.postgres.server import LEAST_VERSION, SETTINGS, prelude
from headrace.infrastructure.postgresql.faults import explained, postgres_faults
from headrace.infrastructure.postgresql.identity import identity_of
from headrace.infrastructure.sql_text import literal
from headrace.settings import PostgresSettings, in_bytes

if TYPE_CHECKING:
    import psycopg

#: Gives the address as libpq reads it, secrets included, each time it is needed. Nobody keeps what it gives.
Address = Callable[[], str]

CONNECT_SECONDS = 15
SHOWN = "the engine postgres"

#: Of the memory that a run may use, each sort and each hash of a statement gets this part: a statement rarely has more of them.
SHARE_OF_MEMORY = 8

_CANCELLED = "57014"

#: Beside what the printed SQL asks for (`server.SETTINGS`): rows come in one order.
_SETTINGS = {
    **SETTINGS, "synchronize_seqscans": "off", "default_transaction_isolation": "read committed",
    # Statements of casts and rules are wide: compiling one takes longer than all that it saves.
    "jit": "off",
}  # fmt: skip


class Connection:
    """One connection at a time, to the same database."""

    def __init__(
        self, address: Address, settings: PostgresSettings, limits: Limits, about: str = "headrace", *, computes: bool = False
    ) -> None:
        """One that `computes` has the functions that printed SQL calls."""
        self.address, self.settings, self.limits, self.about, self.computes = address, settings, limits, about, computes
        self.marker: str | None = None
        """A table with one row that the server loses exactly when it loses all that the run has made."""
        self.on_open: list[str] = []
        """What belongs to a connection and not to the database, and has to be said on each anew."""
        self._held: psycopg.Connection[tuple[Any, ...]] | None = None
        self._opened = 0
        self._interrupted = False

    @property
    def raw(self) -> psycopg.Connection[tuple[Any, ...]]:
        """The connection of the driver, opened if it has to be."""
        if self._held is None or self._held.closed:
            self._held = self._connect()
            self._opened += 1
            if self.marker is not None and self._opened > 1:
                self._demand_marker(self.marker)
        return self._held

    @property
    def identity(self) -> str:
        with self.faults():
            return identity_of(self.raw)

    def run(self, statement: str) -> int:
        """Carry out a statement; the number of rows that it made or changed."""
        with self.faults():
            return max(0, self.raw.execute(statement.encode()).rowcount)

    def rows(self, query: str) -> Sequence[tuple[Any, ...]]:
        with self.faults():
            return self.raw.execute(query.encode()).fetchall()

    @contextmanager
    def transaction(self) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
        with self.faults(), self.raw.transaction():
            yield self.raw

    @contextmanager
    def faults(self) -> Iterator[None]:
        """Turn what the driver raises into our errors."""
        import psycopg

        try:
            yield
        except psycopg.Error as error:
            if error.sqlstate == _CANCELLED and self._interrupted:
                raise KeyboardInterrupt from error
            raise self._explained(error) from error

    def interrupt(self) -> None:
        self._interrupted = True
        if self._held is not None and not self._held.closed:
            self._held.cancel_safe(timeout=CONNECT_SECONDS)

    def close(self) -> None:
        if self._held is not None:
            self._held.close()
            self._held = None

    # How -------------------------------------------------------------------------------------------------------------

    def _connect(self) -> psycopg.Connection[tuple[Any, ...]]:
        import psycopg

        with postgres_faults(SHOWN), ExitStack() as undone:
            connection = psycopg.connect(
                self.address(),
                connect_timeout=CONNECT_SECONDS,
                application_name=self.about[:63],
                client_encoding="utf8",
                autocommit=True,
            )
            undone.callback(connection.close)
            self._demand_age(connection.info.server_version)
            connection.execute("; ".join(f"SET {k} = {literal(v)}" for k, v in self._settings().items()).encode())
            self._demand_unicode(connection)
            if self.computes:
                connection.execute(";\n".join(prelude(connection.info.server_version // 10000)).encode())
            for statement in self.on_open:
                connection.execute(statement.encode())
            undone.pop_all()
        return connection

    def _settings(self) -> dict[str, str]:
        chosen = {**_SETTINGS, "lock_timeout": f"{round(self.settings.lock_timeout * 1000)}ms"}
        if self.settings.statement_timeout is not None:
            chosen["statement_timeout"] = f"{round(self.settings.statement_timeout * 1000)}ms"
        if self.limits.memory is not None:
            share = min(max(64, in_bytes(self.limits.memory) // SHARE_OF_MEMORY // 1024), 2**31 - 1)
            chosen |= {"work_mem": f"{share}kB", "hash_mem_multiplier": "1"}
        if self.limits.threads is not None:
            chosen["max_parallel_workers_per_gather"] = str(self.limits.threads - 1)
        return chosen

    def _demand_age(self, version: int) -> None:
        if version // 10000 < LEAST_VERSION:
            hint = f"{LEAST_VERSION} is the oldest that it works in"
            raise NonRetryableError(f"{SHOWN}: the server is PostgreSQL {version // 10000}", hint=hint)

    def _demand_unicode(self, connection: psycopg.Connection[tuple[Any, ...]]) -> None:
        row = connection.execute("SHOW server_encoding").fetchone()
        if row is None or row[0] != "UTF8":
            raise NonRetryableError(f"{SHOWN}: the database is encoded in {row and row[0]}", hint="work in one of UTF8")

    def _demand_marker(self, marker: str) -> None:
        """A server that crashed has emptied all tables that are not logged; the run must not go on with what is left."""
        import psycopg

        try:
            kept = bool(self._held and self._held.execute(f"SELECT 1 FROM {marker}".encode()).fetchall())
        except psycopg.errors.UndefinedTable:
            kept = False
        if not kept:
            self.close()
            raise StagingLost(
                f"{SHOWN}: the server was restarted and has lost what the run had staged",
                hint="run the pipeline again: nothing was published, and it begins from the start",
            )

    def _explained(self, error: psycopg.Error) -> RunError:
        if error.sqlstate == _CANCELLED and self.settings.statement_timeout is not None:
            limit = f"{self.settings.statement_timeout:g}"
            return NonRetryableError(
                f"{SHOWN}: a statement took longer than {limit} seconds, or was cancelled",
                hint="raise `statement_timeout` of [engines.postgres] in headrace.toml",
            )
        return explained(SHOWN, error)


def shortened(name: str, longest: int) -> str:
    """A name of at most so many bytes, made of the letters, digits and underscores of another."""
    return re.sub(r"\W", "_", name).encode()[:longest].decode(errors="ignore")
