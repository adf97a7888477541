"""State databases to measure on: a SQLite file and a PostgreSQL server of our own, both made to survive a loss of power."""

from __future__ import annotations

import shutil
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from measure import BENCH

sys.path.insert(0, str(BENCH.parent))  # the tests' servers

import psycopg
from tests.integration.postgres_server import PostgresServer

from headrace.infrastructure.storage.database import Database
from headrace.infrastructure.storage.postgres_database import PostgresDatabase
from headrace.infrastructure.storage.sqlite_database import SqliteDatabase

#: How each keeps what was committed. SQLite's are ours, PostgreSQL's its own defaults.
SETTINGS = {"sqlite": "WAL, synchronous = full", "postgres": "fsync = on, synchronous_commit = on"}


@dataclass(frozen=True)
class Place:
    """An empty state database, and a project folder that uses it."""

    kind: str
    folder: Path
    url: str = ""

    def open(self) -> Database:
        """As a process opens it."""
        if self.url:
            return PostgresDatabase(lambda: self.url, "postgres")
        return SqliteDatabase(self.folder / ".headrace" / "headrace.db")


@dataclass(frozen=True)
class Places:
    """Makes empty databases in a folder."""

    folder: Path
    server: PostgresServer

    def empty(self, kind: str, name: str) -> Place:
        folder = self.folder / f"{name}-{kind}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        if kind == "sqlite":
            (folder / "headrace.toml").write_text("")
            return Place(kind, folder)
        database = f"bench_{uuid.uuid4().hex[:12]}"
        with psycopg.connect(self.server.url(), autocommit=True) as admin:
            admin.execute(f"create database {database} template template0")
        url = self.server.url(database)
        (folder / "headrace.toml").write_text(f'database_url = "{url}"\n')
        return Place(kind, folder, url)


@contextmanager
def places(where: Path) -> Iterator[Places]:
    """In a folder whose disk is what commits wait for."""
    where = where.absolute()
    where.mkdir(parents=True, exist_ok=True)
    server = PostgresServer(fsync=True, folder=Path(tempfile.mkdtemp(prefix="headrace-postgres-", dir=where)))
    try:
        yield Places(where, server.start())
    finally:
        server.remove()
