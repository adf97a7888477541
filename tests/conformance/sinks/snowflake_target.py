"""A table of Snowflake as a target of the kit: on fakesnow, which speaks its protocol and its SQL."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.conformance.sinks.scratch import scratch
from tests.conformance.sinks.targets import Row, Target, plain
from tests.integration.snowflake_server import SnowflakeServer

from headrace.business.connections import Profile
from headrace.infrastructure.connectors.snowflake_connection import SnowflakeConnection
from headrace.infrastructure.connectors.snowflake_sink import SnowflakeSink
from headrace.infrastructure.connectors.snowflake_source import SnowflakeSource
from headrace.infrastructure.sql_text import quoted

TABLE = "analytics.flights"


@dataclass
class SnowflakeTarget(Target):
    server: SnowflakeServer | None = None
    plugin = SnowflakeSink

    @cached_property
    def profile(self) -> Profile[SnowflakeConnection]:
        assert self.server is not None
        name = self.server.new_database()
        return Profile("warehouse", SnowflakeConnection.model_validate(self.server.profile(name)))

    def place(self) -> dict[str, Any]:
        return {"connection": self.profile, "table": TABLE}

    def anew(self, home: Path) -> Target:
        self.__dict__.pop("profile", None)
        return super().anew(home)

    def remove(self) -> None:
        self._ask(f"DROP TABLE {TABLE}")

    def query(self, sql: str) -> list[Row]:
        """The rows as the source reads them, asked about in DuckDB, which speaks as the others do."""
        if not self._there():
            return []
        batches = list(SnowflakeSource(connection=self.profile, table=TABLE).scan(self.home).open())
        with scratch() as con:
            if not batches:
                return []
            import pyarrow as pa

            con.register("rows", pa.Table.from_batches(batches))
            return [tuple(map(plain, r)) for r in con.execute(sql).fetchall()]

    def state(self) -> Any:
        rows = sorted(self._ask(f"SELECT * FROM {TABLE}"), key=repr) if self._there() else []
        return rows, self.sink("append").ledger(self.home)

    def litter(self) -> list[Row]:
        """Tables of a publication that nobody dropped."""
        return self._ask("SELECT table_name FROM information_schema.tables WHERE table_name LIKE '%incoming%'")

    def _there(self) -> bool:
        schema, table = (quoted(part).replace('"', "'").upper() for part in TABLE.split("."))
        where = f"table_schema = {schema} AND table_name = {table}"
        return bool(self._ask(f"SELECT 1 FROM information_schema.tables WHERE {where}"))

    def _ask(self, statement: str) -> list[Row]:
        assert self.server is not None
        return self.server.ask(self.profile.connection.database, statement)
