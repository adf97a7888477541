"""The state database on SQLite: one file in WAL mode, one writer at a time. Not for several machines: its locks need one kernel."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeVar

from headrace.errors import NonRetryableError, RetryableError
from headrace.infrastructure.storage.database import Row, Transaction, Values, parameters
from headrace.infrastructure.storage.migrating import migrate

T = TypeVar("T")

#: How long a writer waits for others, in seconds. Transactions last milliseconds, so only a stopped process can hold on for so long.
PATIENCE = 60.0
#: How many pages are given back at once, and how SQLite says that a file can do so.
_PAGES, _INCREMENTAL = 1_000, 2
_BOOT = Path("/proc/sys/kernel/random/boot_id")


class SqliteDatabase:
    """A file, made and brought up to date by the first write. One connection for each process, used by its threads in turn."""

    kind: Literal["sqlite"] = "sqlite"

    def __init__(self, path: Path) -> None:
        self.path = path
        self._turn = threading.RLock()
        self._opened: sqlite3.Connection | None = None

    @property
    def shown(self) -> str:
        return str(self.path)

    def exists(self) -> bool:
        return self.path.exists()

    @contextmanager
    def reading(self) -> Iterator[Transaction]:
        with self._turn, self._faults():
            db = self._connection()
            nested = db.in_transaction
            try:
                if not nested:
                    db.execute("begin")
                yield _Connected(db)
            finally:
                if not nested and db.in_transaction:
                    db.execute("rollback")

    def read(self, act: Callable[[Transaction], T]) -> T:
        with self.reading() as db:
            return act(db)

    def write(self, act: Callable[[Transaction], T], landed: Callable[[Transaction], T | None] | None = None) -> T:  # noqa: ARG002
        # A commit in this process has happened or has not; nothing is left open, so `landed` need not be asked.
        with self._turn, self._faults():
            db = self._connection()
            try:
                db.execute("begin immediate")
                done = act(_Connected(db))
                db.execute("commit")
            finally:
                if db.in_transaction:
                    db.execute("rollback")
            return done

    def shrink(self) -> None:
        """Page by page, so that other processes get their turn. A file of the first release is made anew once, to be able to."""
        with self._turn, self._faults():
            db = self._connection()
            if db.execute("pragma auto_vacuum").fetchone()[0] != _INCREMENTAL:
                db.execute("pragma auto_vacuum = incremental")
                db.execute("vacuum")
            while db.execute("pragma freelist_count").fetchone()[0]:
                db.execute(f"pragma incremental_vacuum({_PAGES})").fetchall()
            db.execute("pragma wal_checkpoint(truncate)").fetchall()

    def close(self) -> None:
        with self._turn:
            if self._opened is not None:
                self._opened.close()
                self._opened = None

    def _connection(self) -> sqlite3.Connection:
        if self._opened is None:
            self._opened = self._open()
        return self._opened

    def _open(self) -> sqlite3.Connection:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            db = sqlite3.connect(self.path, timeout=PATIENCE, isolation_level=None, check_same_thread=False)
        except (sqlite3.Error, OSError) as error:
            raise NonRetryableError(
                f"the event log {self.path} cannot be opened: {error}",
                hint="see that the folder can be written to and that the file is a SQLite database",
            ) from error
        with ExitStack() as unless_ready:
            unless_ready.callback(db.close)
            # Before anything is written to a new file: only then does it take effect.
            db.execute("pragma auto_vacuum = incremental")
            db.execute("pragma journal_mode = wal")
            db.execute("pragma synchronous = full")
            migrate(_Connected(db), "sqlite", db.execute)
            unless_ready.pop_all()
        return db

    @contextmanager
    def _faults(self) -> Iterator[None]:
        """Say what SQLite refused in words for people, and whether to try again."""
        try:
            yield
        except sqlite3.OperationalError as error:
            if "locked" in str(error) or "busy" in str(error):
                raise RetryableError(
                    f"the event log {self.path} was busy for {PATIENCE:.0f} seconds",
                    hint="a process that uses it seems to be stopped; see `headrace workers list`",
                ) from error
            raise self._unreadable(error) from error
        except sqlite3.DatabaseError as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: sqlite3.Error) -> NonRetryableError | RetryableError:
        if "disk is full" in str(error) or "disk I/O" in str(error):
            return RetryableError(f"the event log {self.path}: {error}", hint="make room on the disk")
        return NonRetryableError(
            f"the event log {self.path} cannot be read: {error}",
            hint="move the file away to begin a new log, or bring it back from a backup; what was published is not touched by it",
        )


class _Connected:
    """A transaction on a SQLite connection."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def run(self, statement: str, values: Values | None = None) -> int:
        return max(0, self._db.execute(statement, values or {}).rowcount)

    def put(self, statement: str, values: Values | None = None) -> None:
        self._db.execute(statement, values or {})

    def insert(self, table: str, rows: Sequence[Values]) -> None:
        columns = tuple(rows[0])
        self._db.executemany(f"insert into {table} ({', '.join(columns)}) values ({parameters(columns)})", rows)

    def rows(self, query: str, values: Values | None = None) -> Sequence[Row]:
        found: list[Any] = self._db.execute(query, values or {}).fetchall()
        return found

    def lease_clock(self) -> tuple[str, float]:
        """The time since the machine was started, which goes on in its sleep and which nobody can set; named after that start."""
        clock = getattr(time, "CLOCK_BOOTTIME", None)
        return _boot(), time.clock_gettime(clock) if clock is not None else time.monotonic()

    def script(self, text: str) -> None:
        for statement in text.split(";\n"):
            if statement.strip():
                self._db.execute(statement)


@cache
def _boot() -> str:
    return _BOOT.read_text().strip() if _BOOT.exists() else "-"
