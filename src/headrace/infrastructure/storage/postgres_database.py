"""The state database on PostgreSQL, in a schema of its own: for several workers on any machine. Not the place of the data.

A connection that breaks is made anew, with growing pauses, until `PATIENCE` is over; a server that is restarted every few
seconds slows the work down and stops none of it.
"""

from __future__ import annotations

import json
import logging
import random
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from typing import Any, Literal, TypeVar

from headrace.errors import NonRetryableError, RetryableError
from headrace.infrastructure.detours import led_to
from headrace.infrastructure.storage.database import Row, Transaction, Values
from headrace.infrastructure.storage.migrating import migrate

T = TypeVar("T")

#: How long to try to reach a server that is away, in seconds.
PATIENCE = 60.0
#: How long a command tries at first, whose user waits for it, in seconds.
COMMAND_PATIENCE = 5.0
_LONGEST_PAUSE = 1.0
_CONNECT_SECONDS = 10
#: Whoever holds this lock is the only writer, from the time that it tells.
_NOW = "extract(epoch from clock_timestamp())"
_LOCK = f"select {_NOW} from pg_advisory_xact_lock(7482)"
#: Under the lock of the migrations: two processes that make the schema at once would both find that it is not there.
_SCHEMA = "begin; select pg_advisory_xact_lock(7481); create schema if not exists {schema}; commit"
#: Failures that a later attempt may not see: connections, shutdowns, too many connections, deadlocks and serialization, locks.
_PASSING = ("08", "57P", "53", "40", "55P03")


class PostgresDatabase:
    """A server and a database in it. One connection for each process, used by its threads in turn."""

    kind: Literal["postgres"] = "postgres"

    def __init__(self, url: Callable[[], str], shown: str, first_patience: float = PATIENCE, schema: str = "headrace") -> None:
        """`url` gives the address when it is needed, with its password; `shown` is the same for people. `first_patience` is for the
        first connection: somebody who waits for an answer wants to hear soon that the server is not there."""
        self._url, self._shown, self._patience, self._schema = url, shown, first_patience, schema
        self._turn = threading.RLock()
        self._opened: Any = None

    @property
    def shown(self) -> str:
        return self._shown

    def exists(self) -> bool:
        return True

    @contextmanager
    def reading(self) -> Iterator[Transaction]:
        with self._turn:
            try:
                yield _Reading(self._reached)
            except self._errors() as error:
                self.close()
                raise self._fault(error) from error
            finally:
                self._rollback()

    def read(self, act: Callable[[Transaction], T]) -> T:
        begun = time.monotonic()
        for pause in _pauses():
            try:
                with self.reading() as db:
                    return act(db)
            except RetryableError:
                if time.monotonic() - begun > self._patience:
                    raise
                time.sleep(pause)
        raise AssertionError("pauses never end")

    def write(self, act: Callable[[Transaction], T], landed: Callable[[Transaction], T | None] | None = None) -> T:
        with self._turn:
            begun, unsure, committing = time.monotonic(), False, False
            for pause in _pauses():
                try:
                    db = self._connection()
                    with db.pipeline() as pipeline:
                        db.execute("begin")
                        transaction = _Connected(db, db.execute(_LOCK), pipeline)
                        done = landed(transaction) if unsure and landed is not None else None
                        unsure = False  # Whoever began to commit before us has come to an end: his lock is ours.
                        if done is None:
                            done = act(transaction)
                        committing = True
                        db.execute("commit")
                except self._errors() as error:
                    unsure, committing = unsure or (committing and _is_connection(error)), False
                    if not _passes(error) or time.monotonic() - begun > self._patience:
                        raise self._fault(error) from error
                    time.sleep(pause)
                else:
                    return done
                finally:
                    self._rollback()
        raise AssertionError("pauses never end")

    def shrink(self) -> None:
        """Nothing to do: the server's autovacuum uses the room again."""

    def close(self) -> None:
        with self._turn:
            if self._opened is not None:
                self._opened.close()
                self._opened = None

    def remove(self) -> None:
        """All that it holds, and its schema: of a copy that was tried out."""
        with self._turn:
            self._connection().execute(f"drop schema {self._schema} cascade")
            self.close()

    def _reached(self, use: Callable[[Any], Any]) -> Any:
        begun = time.monotonic()
        for pause in _pauses():
            try:
                return use(self._connection())
            except self._errors() as error:
                self.close()
                if not _passes(error) or time.monotonic() - begun > self._patience:
                    raise self._fault(error) from error
                time.sleep(pause)
        raise AssertionError("pauses never end")

    def _connection(self) -> Any:
        if self._opened is None or self._opened.closed:
            self._opened = self._open()
        return self._opened

    def _open(self) -> Any:
        import psycopg

        # It warns of connections that break between statements. They are mended here, or raised as errors.
        logging.getLogger("psycopg").addHandler(logging.NullHandler())
        db = psycopg.connect(
            led_to(self._url()),
            autocommit=True,
            connect_timeout=_CONNECT_SECONDS,
            application_name="headrace",
            client_encoding="utf8",
        )
        with ExitStack() as unless_ready:
            unless_ready.callback(db.close)
            db.execute(
                f"set timezone = 'UTC'; set search_path = {self._schema}; set statement_timeout = 0; set lock_timeout = '60s'"
            )
            if not db.execute(f"select to_regnamespace('{self._schema}') is not null").fetchall()[0][0]:
                db.execute(_SCHEMA.format(schema=self._schema))
            migrate(_Connected(db), "postgres", db.execute)
            unless_ready.pop_all()
        self._patience = PATIENCE
        return db

    def _rollback(self) -> None:
        """End what was begun; a connection that cannot even do that is given up."""
        db = self._opened
        if db is None:
            return
        try:
            if db.info.transaction_status.name != "IDLE":
                db.execute("rollback")
        except self._errors():
            self.close()

    def _errors(self) -> type[Exception]:
        import psycopg

        return psycopg.Error

    def _fault(self, error: Any) -> RetryableError | NonRetryableError:
        first = str(error).partition("\n")[0] or type(error).__name__
        if _passes(error):
            return RetryableError(
                f"the state database {self._shown} cannot be reached: {first}", hint="see that the server runs"
            )
        return NonRetryableError(
            f"the state database {self._shown}: {first}", hint="see the `database_url` and the rights of its user"
        )


def _pauses() -> Iterator[float]:
    pause = 0.02
    while True:
        yield pause * (0.5 + random.random() / 2)  # noqa: S311 - spreads workers, protects nothing
        pause = min(pause * 2, _LONGEST_PAUSE)


def _passes(error: Any) -> bool:
    return _is_connection(error) or (error.sqlstate or "").startswith(_PASSING)


def _is_connection(error: Any) -> bool:
    """Whether the connection went away; what it was doing may have happened. Wrong names and passwords are no such case."""
    state = error.sqlstate
    if state is None:
        return type(error).__name__ in ("OperationalError", "InterfaceError") and not re.search(
            r"password authentication failed|does not exist|no pg_hba.conf entry", str(error)
        )
    return bool(state.startswith(("08", "57P")))


@lru_cache(maxsize=512)
def _translated(statement: str) -> str:
    """`:name` as psycopg writes it."""
    return re.sub(r"(?<![:\w]):([a-z_]\w*)", r"%(\1)s", statement.replace("%", "%%"))


class _Connected:
    """A transaction on a connection of psycopg; in a pipeline, statements travel together until an answer is asked for."""

    def __init__(self, db: Any, locked: Any = None, pipeline: Any = None) -> None:
        self._db, self._locked, self._pipeline = db, locked, pipeline
        self._now: float | None = None

    def run(self, statement: str, values: Values | None = None) -> int:
        cursor = self._db.execute(_translated(statement), values or {})
        if self._pipeline is not None:
            self._pipeline.sync()
        return max(0, int(cursor.rowcount))

    def put(self, statement: str, values: Values | None = None) -> None:
        self._db.execute(_translated(statement), values or {})

    def insert(self, table: str, rows: Sequence[Values]) -> None:
        """One statement with one parameter, however many rows: half the time of a statement for each."""
        columns = ", ".join(rows[0])
        self.put(
            f"insert into {table} ({columns}) select {columns} from json_populate_recordset(null::{table}, :rows)",
            {"rows": json.dumps(rows)},
        )

    def rows(self, query: str, values: Values | None = None) -> Sequence[Row]:
        found: list[Any] = self._db.execute(_translated(query), values or {}).fetchall()
        return found

    def lease_clock(self) -> tuple[str, float]:
        """The server's clock, the one that all workers share."""
        if self._now is None:
            found = self._locked.fetchone() if self._locked is not None else self.rows(f"select {_NOW}")[0]
            self._now = float(found[0])
        return "server", self._now

    def script(self, text: str) -> None:
        for statement in text.split(";\n"):
            if statement.strip():
                self._db.execute(statement)


class _Reading(_Connected):
    """A transaction that only reads. Until it has given anything away, it may begin anew on another connection."""

    def __init__(self, reached: Callable[[Callable[[Any], Any]], Any]) -> None:
        super().__init__(None)
        self._reached = reached

    def rows(self, query: str, values: Values | None = None) -> Sequence[Row]:
        if self._db is not None:
            return super().rows(query, values)
        self._db, found = self._reached(lambda db: _first(db, query, values))
        rows: Sequence[Row] = found
        return rows


def _first(db: Any, query: str, values: Values | None) -> tuple[Any, Sequence[Row]]:
    db.execute("begin isolation level repeatable read read only")
    return db, _Connected(db).rows(query, values)
