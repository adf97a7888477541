"""Parts a table of MySQL or MariaDB for several connections: by ranges of its primary key, and all of them of one moment.

InnoDB lends no snapshot to another connection. So the table is locked against writing, each connection begins its snapshot, and the lock
is let go: nobody can have written in between, and writers wait no longer than that takes.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from headrace.errors import NonRetryableError, RetryableError
from headrace.infrastructure.connectors.mysql_columns import text_literal
from headrace.infrastructure.connectors.mysql_connection import asked
from headrace.infrastructure.connectors.mysql_reading import Connect, hold, reading

if TYPE_CHECKING:
    import pymysql

#: How long the lock is waited for. Who wants to write waits behind it meanwhile.
_SECONDS = 5
_TIMED_OUT, _NOT_ALLOWED = 1205, (1044, 1142)
#: So many ranges for each connection: where keys lie close, some hold more rows than others.
_FINER = 16
_WHOLE = ("tinyint", "smallint", "mediumint", "int", "bigint")


@contextmanager
def snapshots(connect: Connect, table: str, number: int, origin: str) -> Iterator[Sequence[pymysql.Connection[Any]]]:
    """So many connections that all see one moment of a table, whose name is written for SQL. Raises the driver's errors."""
    with ExitStack() as opened:
        connections = [opened.enter_context(reading(connect)) for _ in range(number)]
        with connect() as keeper:
            asked(keeper, f"SET SESSION lock_wait_timeout = {_SECONDS}, SESSION innodb_lock_wait_timeout = {_SECONDS}")
            _lock(keeper, table, origin)
            for connection in connections:
                hold(connection)
            asked(keeper, "UNLOCK TABLES")
        yield connections


def _lock(keeper: pymysql.Connection[Any], table: str, origin: str) -> None:
    import pymysql

    try:
        asked(keeper, f"LOCK TABLES {table} READ")
    except pymysql.MySQLError as error:
        if error.args[0] == _TIMED_OUT:
            said = (
                f"{origin}: somebody has been writing to it for longer than {_SECONDS} seconds, in a transaction that goes on"
            )
            hint = "run again when that is over, or leave `parallel` out: one connection waits for nobody"
            raise RetryableError(said, hint=hint) from None
        if error.args[0] in _NOT_ALLOWED:
            said = f"{origin}: to read it in parallel takes the right LOCK TABLES, for the moment at which all begin"
            raise NonRetryableError(said, hint="grant it, or leave `parallel` out") from None
        raise


def demand_snapshots(connection: pymysql.Connection[Any], schema: str, table: str) -> None:
    """Raises `NonRetryableError` for what several connections cannot see at one moment. `schema` is an expression."""
    where = f"WHERE table_schema = {schema} AND table_name = {text_literal(table)}"
    engine = asked(connection, f"SELECT engine FROM information_schema.tables {where}")[0][0]
    if engine != "InnoDB":
        what = "is a view" if engine is None else f"is kept by {engine}, which knows no snapshots"
        raise NonRetryableError(f"`{table}` {what}, so it cannot be read in parallel", hint="leave `parallel` out")


def whole_number_key(connection: pymysql.Connection[Any], schema: str, table: str) -> str:
    """The first column of the primary key. Raises `NonRetryableError` unless it is there, and a whole number."""
    found = asked(
        connection,
        "SELECT column_name, data_type FROM information_schema.columns "
        f"JOIN information_schema.statistics USING (table_schema, table_name, column_name) WHERE table_schema = {schema} "
        f"AND table_name = {text_literal(table)} AND index_name = 'PRIMARY' AND seq_in_index = 1",
    )
    name, kind = (_text(value) for value in found[0]) if found else ("", "")
    if kind.lower() not in _WHOLE:
        what = f"begins with `{name}`, which is {kind}" if found else "is missing"
        raise NonRetryableError(
            f"`{table}` is parted by a primary key of whole numbers, and it {what}", hint="leave `parallel` out"
        )
    return name


def key_ranges(key: str, bounds: tuple[int, int] | None, connections: int) -> Sequence[str]:
    """Conditions that part all keys, of which the lowest and the highest are known. There is at least one; the outer ones are open."""
    if bounds is None:
        return ["true"]
    lowest, highest = bounds
    width = highest - lowest + 1
    parts = min(connections * _FINER, width)
    inner = [lowest + width * n // parts for n in range(1, parts)]
    if not inner:
        return ["true"]
    between = [f"{key} >= {low} AND {key} < {high}" for low, high in pairwise(inner)]
    return [f"{key} < {inner[0]}", *between, f"{key} >= {inner[-1]}"]


class Waiting:
    """Ranges that several threads share: each is given to whoever asks next."""

    def __init__(self, ranges: Sequence[str]) -> None:
        self._left, self._guard = iter(ranges), threading.Lock()

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        with self._guard:
            return next(self._left)


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
