"""A table of MariaDB as a target of the kit."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.conformance.sinks.scratch import scratch
from tests.conformance.sinks.targets import Row, Target, plain

from headrace.infrastructure.connectors.mysql_connection import MySQLConnection
from headrace.infrastructure.connectors.mysql_sink import MySQLSink
from headrace.infrastructure.sql_text import quoted
from headrace.security.secrets import Secret


@dataclass
class MySQLTarget(Target):
    url: str = ""
    plugin = MySQLSink

    def place(self) -> dict[str, Any]:
        return {"url": self.url, "table": "flights"}

    def anew(self, home: Path) -> Target:
        for table in ("flights", "_headrace_ledger", "_headrace_fences"):
            self._ask(f"DROP TABLE IF EXISTS {table}")
        return super().anew(home)

    def remove(self) -> None:
        self._ask("DROP TABLE flights")

    def query(self, sql: str) -> list[Row]:
        """The rows as the server gives them, asked about in DuckDB, which speaks as the others do."""
        if not self._there():
            return []
        kinds = {str(name): str(kind) for name, kind, *_ in self._ask("SHOW COLUMNS FROM flights")}
        words = {
            "datetime(6)": "TIMESTAMPTZ",
            "tinyint(1)": "BOOLEAN",
            "date": "DATE",
            "int(11)": "INTEGER",
            "double": "DOUBLE",
        }
        with scratch() as con:
            columns = ", ".join(
                f"{quoted(n)} {words.get(k, 'VARCHAR').replace('longtext', 'VARCHAR')}" for n, k in kinds.items()
            )
            con.execute(f"CREATE TEMP TABLE rows ({columns})")
            for values in self._ask("SELECT * FROM flights"):
                con.execute(f"INSERT INTO rows VALUES ({', '.join('?' * len(values))})", list(values))
            return [tuple(map(plain, r)) for r in con.execute(sql).fetchall()]

    def state(self) -> Any:
        rows = sorted(self._ask("SELECT * FROM flights"), key=repr) if self._there() else []
        return rows, self.sink("append").ledger(self.home)

    def _there(self) -> bool:
        return bool(self._ask("SHOW TABLES LIKE 'flights'"))

    def _ask(self, statement: str) -> list[Row]:
        with MySQLConnection(url=Secret(self.url)).connect(self.home) as con, con.cursor() as cursor:
            cursor.execute("SET time_zone = '+00:00'")
            cursor.execute(statement)
            return list(cursor.fetchall())
