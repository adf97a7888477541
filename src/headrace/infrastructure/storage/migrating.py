"""Brings a state database up to date: numbered SQL files, each in one transaction with the note that it was carried out.

Both databases roll a table's creation back, so a crash in the middle leaves the version before it. Not the tables themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

from headrace.errors import NonRetryableError
from headrace.infrastructure.storage.database import Transaction

#: The newest version: the number of files below.
NEWEST = 3

_VERSION = (
    "create table if not exists migrations (version integer primary key, at timestamp not null default current_timestamp)"
)


def migrate(db: Transaction, kind: str, execute: Callable[[str], Any]) -> None:
    """Carry out what is missing. `execute` begins and ends transactions. Raises `NonRetryableError` for a database from the future."""
    if _known(_version(db, kind)) == NEWEST:
        return
    execute("begin immediate" if kind == "sqlite" else "begin; select pg_advisory_xact_lock(7481)")
    with ExitStack() as unless_done:
        unless_done.callback(execute, "rollback")
        db.run(_VERSION)
        version = _known(_version(db, kind))
        for number, text in _missing(version, kind):
            db.script(text)
            db.run("insert into migrations (version) values (:version)", {"version": number})
        execute("commit")
        unless_done.pop_all()


def _version(db: Transaction, kind: str) -> int:
    there = (
        "select count(*) from sqlite_master where name = 'migrations'"
        if kind == "sqlite"
        else "select count(*) from pg_tables where schemaname = current_schema() and tablename = 'migrations'"
    )
    if not db.rows(there)[0][0]:
        return 0
    return int(db.rows("select coalesce(max(version), 0) from migrations")[0][0])


def _known(version: int) -> int:
    if version > NEWEST:
        raise NonRetryableError(
            f"the state database has version {version}, and this version of Headrace knows {NEWEST}",
            hint="use the version of Headrace that wrote it, or a newer one",
        )
    return version


def _missing(version: int, kind: str) -> Iterator[tuple[int, str]]:
    from importlib.resources import files

    folder = files("headrace.infrastructure.storage") / "migrations"
    for number in range(version + 1, NEWEST + 1):
        (file,) = (f for f in folder.iterdir() if f.name.startswith(f"{number:04d}_"))
        yield number, _for(kind, file.read_text(encoding="utf-8"))


def _for(kind: str, text: str) -> str:
    """Lines that end in `-- sqlite` or `-- postgres` are for that database only."""
    other = {"sqlite": "-- postgres", "postgres": "-- sqlite"}[kind]
    lines = [line for line in text.splitlines() if not line.rstrip().endswith(other)]
    return "\n".join(line.partition(" -- ")[0] if not line.startswith("--") else "" for line in lines) + "\n"
