"""A server that speaks Snowflake's protocol and SQL for tests: fakesnow, which carries statements out on DuckDB. It proves what is said
and in which order, not how Snowflake itself calculates. Not for production.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Self

from tests.integration.server import Server, answers, free_port

from headrace.infrastructure.snowflake.account import Account
from headrace.security.secrets import Secret

#: As the command of fakesnow does, but that no database is made by connecting to it, and that a MERGE writes nothing beside its database: what
#: fakesnow notes there of the table of a MERGE's candidates would be refused within a transaction, which is no limit of Snowflake's.
_SERVING = """
import sys, uvicorn, fakesnow.server
from fakesnow import info_schema
from fakesnow.instance import FakeSnow
noted = info_schema.insert_table_comment_sql
info_schema.insert_table_comment_sql = lambda *of: "SELECT 1" if of[2].lower() == "merge_candidates" else noted(*of)
fakesnow.server.shared_fs = FakeSnow(create_database_on_connect=False, create_schema_on_connect=False)
uvicorn.run(fakesnow.server.app, host="127.0.0.1", port=int(sys.argv[1]))
"""


@dataclass
class SnowflakeServer(Server):
    """A server that lets everybody in."""

    port: int = field(default_factory=free_port)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def start(self) -> Self:
        self._run(sys.executable, "-c", _SERVING, self.port, env={"TMPDIR": str(self.folder), "PATH": ""})
        self._wait_until(lambda: answers(self.port))
        return self

    def new_database(self) -> str:
        """The name of an empty database."""
        name = f"test_{next(self._numbers)}"
        self.ask("nowhere", f"CREATE DATABASE {name}", f"CREATE SCHEMA IF NOT EXISTS {name}.public")
        return name

    def profile(self, database: str, **more: object) -> dict[str, object]:
        """What a connection of kind `snowflake` says in headrace.toml."""
        return {
            "account": "tests", "user": "etl", "password": "secret", "database": database, "host": "127.0.0.1", "port": self.port,
            "protocol": "http", "retry_seconds": 2, **more,
        }  # fmt: skip

    def account(self, database: str) -> Account:
        return Account(
            "tests",
            "etl",
            database,
            password=Secret("secret"),
            host="127.0.0.1",
            port=self.port,
            protocol="http",
            network_seconds=2,
        )

    def ask(self, database: str, *statements: str) -> list[tuple[object, ...]]:
        """Carry out statements; the rows of the last."""
        with closing(self.account(database).connect()) as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            return [tuple(row) for row in cursor.fetchall()]
