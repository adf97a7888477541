"""The state of streams in PostgreSQL, in a schema of its own: for workers on any machine. Several streams share the tables.

An epoch is saved in one transaction that locks the row of its stream, so that it is there whole or not at all, and of two who save one
comes second. A connection that breaks is made anew by the next call; whoever lost the answer to a `save` saves again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from headrace.application.orchestrator import failpoints
from headrace.business.ports import Fence
from headrace.business.streams.state import Saved
from headrace.infrastructure.detours import led_to
from headrace.infrastructure.postgresql.faults import postgres_faults
from headrace.infrastructure.storage.saved_epochs import Step, chain, chunks, decoded, encoded
from headrace.infrastructure.storage.state_owner import Owner, demand_opened

if TYPE_CHECKING:
    import psycopg

SCHEMA = "headrace_streams"
#: What is made once. Contents are kept as they are: what is worth compressing comes compressed.
_TABLES = f"""
SELECT pg_advisory_xact_lock(7483);
CREATE SCHEMA IF NOT EXISTS {SCHEMA};
CREATE TABLE IF NOT EXISTS {SCHEMA}.owners (stream text PRIMARY KEY, owner text NOT NULL);
CREATE TABLE IF NOT EXISTS {SCHEMA}.epochs (
    stream text, epoch bigint, after bigint, needs bigint NOT NULL, bytes bigint NOT NULL, PRIMARY KEY (stream, epoch));
CREATE TABLE IF NOT EXISTS {SCHEMA}.pieces (
    stream text, epoch bigint, number integer, content bytea NOT NULL, PRIMARY KEY (stream, epoch, number));
ALTER TABLE {SCHEMA}.pieces ALTER content SET STORAGE EXTERNAL;
"""
_OWNER = (
    f"SELECT owner, (SELECT max(epoch) FROM {SCHEMA}.epochs e WHERE e.stream = o.stream AND epoch < %(epoch)s) "
    f"FROM {SCHEMA}.owners o WHERE stream = %(stream)s FOR UPDATE"
)
_FROM_ON = "WHERE stream = %(stream)s AND epoch >= %(epoch)s"
#: The oldest epoch that the last one up to this one needs.
_BASE = f"SELECT needs FROM {SCHEMA}.epochs WHERE stream = %(stream)s AND epoch <= %(epoch)s ORDER BY epoch DESC LIMIT 1"


class PostgresStateStore:
    """The epochs of one stream. `address` gives the server's when it is needed, with its password; `shown` is the same for people."""

    def __init__(self, stream: str, address: Callable[[], str], shown: str) -> None:
        self.stream, self._address, self.shown = stream, address, f"{shown} (state of `{stream}`)"
        self._fence: Fence | None = None
        self._opened: psycopg.Connection[tuple[Any, ...]] | None = None

    def open(self, fence: Fence) -> None:
        with self._transaction() as db:
            if not _is_there(db):
                db.execute(_TABLES.encode())
            self._run(
                db, f"INSERT INTO {SCHEMA}.owners VALUES (%(stream)s, %(owner)s) ON CONFLICT DO NOTHING", owner=Owner().text
            )
            owner, _ = self._locked(db, 0)
            admitted = owner.admitting(fence, self.shown).text
            self._run(db, f"UPDATE {SCHEMA}.owners SET owner = %(owner)s WHERE stream = %(stream)s", owner=admitted)
        self._fence = fence

    def epochs(self) -> Sequence[int]:
        with self._transaction() as db:
            return sorted(self._steps(db))

    def save(self, saved: Saved) -> None:
        demand_opened(self._fence, self.shown)
        with self._transaction() as db:
            owner, after = self._locked(db, saved.epoch)
            owner.demand(self._fence, self.shown)
            pieces = encoded(saved, after)
            with db.pipeline():
                self._run(db, f"DELETE FROM {SCHEMA}.pieces {_FROM_ON}", epoch=saved.epoch)
                self._run(db, f"DELETE FROM {SCHEMA}.epochs {_FROM_ON}", epoch=saved.epoch)
                self._run(
                    db, f"INSERT INTO {SCHEMA}.epochs VALUES (%(stream)s, %(epoch)s, %(after)s, %(needs)s, %(bytes)s)",
                    epoch=saved.epoch, after=after, needs=saved.needs, bytes=sum(map(len, pieces)),
                )  # fmt: skip
                for number, chunk in enumerate(chunks(pieces)):
                    self._run(
                        db, f"INSERT INTO {SCHEMA}.pieces VALUES (%(stream)s, %(epoch)s, %(number)s, %(content)b)",
                        epoch=saved.epoch, number=number, content=chunk,
                    )  # fmt: skip
            failpoints.reached("state saving")
        failpoints.reached("state saved")

    def load(self, epoch: int) -> Sequence[Saved]:
        with self._transaction() as db:
            return [self._saved(db, needed) for needed in chain(epoch, self._steps(db).get, self.shown)]

    def forget(self, before: int) -> None:
        demand_opened(self._fence, self.shown)
        with self._transaction() as db:
            owner, _ = self._locked(db, 0)
            owner.demand(self._fence, self.shown)
            for table in ("pieces", "epochs"):
                self._run(db, f"DELETE FROM {SCHEMA}.{table} WHERE stream = %(stream)s AND epoch < ({_BASE})", epoch=before)

    def bytes(self) -> int:
        with self._transaction() as db:
            if not _is_there(db):
                return 0
            found = self._run(db, f"SELECT coalesce(sum(bytes), 0) FROM {SCHEMA}.epochs WHERE stream = %(stream)s")
            return int(found.fetchall()[0][0])

    def close(self) -> None:
        self._fence = None
        self._disconnect()

    def remove(self) -> None:
        """All of it, with the memory of who may save: for a stream that is over."""
        with self._transaction() as db:
            for table in ("pieces", "epochs", "owners") if _is_there(db) else ():
                self._run(db, f"DELETE FROM {SCHEMA}.{table} WHERE stream = %(stream)s")

    # How -------------------------------------------------------------------------------------------------------------

    @contextmanager
    def _transaction(self) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
        import psycopg

        with postgres_faults(self.shown), ExitStack() as unless_committed:
            unless_committed.callback(self._disconnect)
            if self._opened is None:
                self._opened = psycopg.connect(led_to(self._address()), application_name="headrace", client_encoding="utf8")
            yield self._opened
            self._opened.commit()
            unless_committed.pop_all()

    def _disconnect(self) -> None:
        if self._opened is not None:
            self._opened.close()
        self._opened = None

    def _run(self, db: psycopg.Connection[tuple[Any, ...]], statement: str, **values: Any) -> psycopg.Cursor[tuple[Any, ...]]:
        return db.execute(statement.encode(), {"stream": self.stream, **values})

    def _locked(self, db: psycopg.Connection[tuple[Any, ...]], epoch: int) -> tuple[Owner, int | None]:
        """Who may save, with nobody else saving until the transaction ends; and the epoch before this one."""
        found = self._run(db, _OWNER, epoch=epoch).fetchall()
        return (Owner.of(found[0][0], self.shown), found[0][1]) if found else (Owner(), None)

    def _steps(self, db: psycopg.Connection[tuple[Any, ...]]) -> dict[int, Step]:
        if not _is_there(db):
            return {}
        found = self._run(db, f"SELECT epoch, after, needs FROM {SCHEMA}.epochs WHERE stream = %(stream)s")
        return {step.epoch: step for step in (Step(*row) for row in found)}

    def _saved(self, db: psycopg.Connection[tuple[Any, ...]], epoch: int) -> Saved:
        query = f"SELECT content FROM {SCHEMA}.pieces WHERE stream = %(stream)s AND epoch = %(epoch)s ORDER BY number"
        with db.cursor(binary=True) as cursor:
            found = cursor.execute(query.encode(), {"stream": self.stream, "epoch": epoch})
            return decoded(b"".join(content for (content,) in found), f"{self.shown}, epoch {epoch}")


def streams(address: Callable[[], str], shown: str) -> Sequence[str]:
    """The names of the streams that keep their state there."""
    import psycopg

    with postgres_faults(shown), psycopg.connect(led_to(address()), application_name="headrace", client_encoding="utf8") as db:
        if not _is_there(db):
            return ()
        return [str(name) for (name,) in db.execute(f"SELECT stream FROM {SCHEMA}.owners ORDER BY stream".encode())]


def _is_there(db: psycopg.Connection[tuple[Any, ...]]) -> bool:
    return bool(db.execute(f"SELECT to_regclass('{SCHEMA}.pieces') IS NOT NULL".encode()).fetchall()[0][0])
