"""Opens stores and sinks of streams by what can be sent to another process: an address, not a connection that holds a secret."""

from __future__ import annotations

import uuid
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg

from headrace.business.connections import Profile
from headrace.business.streams.state import StateStore
from headrace.infrastructure.catalog import Catalog
from headrace.infrastructure.connectors.postgres_connection import PostgresConnection
from headrace.infrastructure.redis.connection import RedisConnection
from headrace.infrastructure.storage.state_stores import state_store
from headrace.security.secrets import Secret

STREAM = "orders/ünï"


def in_folder(folder: Path) -> StateStore:
    return state_store(STREAM, None, folder)


def in_postgres(url: str, stream: str = STREAM) -> StateStore:
    return state_store(stream, postgres_profile(url), Path("/nowhere"))


def in_redis(url: str, stream: str = STREAM) -> StateStore:
    return state_store(stream, redis_profile(url), Path("/nowhere"))


def postgres_profile(url: str) -> Profile[PostgresConnection]:
    return Profile("shared", PostgresConnection.model_validate({"url": url}))


def redis_profile(url: str) -> Profile[RedisConnection]:
    return Profile("shared", RedisConnection.model_validate({"url": url}))


def sink(kind: str, mode: str, **options: Any) -> Any:
    """A sink of that kind, in append, or in merge by the key of the kit."""
    keyed = {"key": ["id"]} if mode == "merge" else {}
    return Catalog().sink(kind).model_validate({"mode": mode, **keyed, **options})


def in_a_copy_of_the_database(made: Any) -> Any:
    """The sink of a copy of its PostgreSQL database."""
    server, _, name = made.url.reveal().rpartition("/")
    copy = f"copy_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as db:
        db.execute(f'CREATE DATABASE "{copy}" TEMPLATE "{name}"'.encode())
    return made.model_copy(update={"url": Secret(f"{server}/{copy}")})


def in_a_copy_of_the_tables(made: Any) -> Any:
    """The sink of a copy of its MariaDB database, with all tables."""
    server, _, name = made.url.reveal().rpartition("/")
    copy = f"copy_{uuid.uuid4().hex[:12]}"
    with closing(made.connect(autocommit=True)) as db, db.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {copy}")
        cursor.execute(f"SHOW TABLES FROM {name}")
        for (table,) in list(cursor.fetchall()):
            cursor.execute(f"CREATE TABLE {copy}.`{table}` LIKE {name}.`{table}`")
            cursor.execute(f"INSERT INTO {copy}.`{table}` SELECT * FROM {name}.`{table}`")
    return made.model_copy(update={"url": Secret(f"{server}/{copy}")})
