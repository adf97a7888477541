"""The tables that runs make in the staging schema: which are a session's own, and which of those that are there nobody wants any more.

All are transient: nothing in them has to be brought back by Snowflake. Each says in its comment of which run it is; what a session made
for itself is litter once its workspace is gone, and so is a staged result, which a run can be gone on with from for as long.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import time
from collections.abc import Collection, Iterator
from contextlib import closing
from pathlib import Path

from headrace.business.engine import Litter
from headrace.infrastructure.engines.snowflake.connection import SHOWN, Connection
from headrace.infrastructure.engines.snowflake.literals import text
from headrace.infrastructure.snowflake.catalog import has_schema
from headrace.infrastructure.snowflake.faults import snowflake_faults
from headrace.infrastructure.snowflake.names import LONGEST_NAME
from headrace.infrastructure.sql_text import quoted
from headrace.records import record

#: How long a table is kept of a run whose machine does not tell that it is over.
KEPT_SECONDS = 7 * 24 * 3600
_OURS = re.compile(r"h[0-9a-f]{12}_")


@record
class _Left:
    """A table that a session made."""

    table: str
    comment: str
    bytes: int


class StagingArea:
    """The staging schema as one session uses it."""

    def __init__(self, connection: Connection, workspace: Path | None = None) -> None:
        self.connection, self.workspace = connection, workspace
        self.token = f"h{secrets.token_hex(6)}"
        self._made: list[str] = []
        self._stage: str | None = None

    def open(self) -> None:
        """Make the schema if it is not there: in a session of its own, since a schema that is made becomes the one in use."""
        if has_schema(self.connection.raw, self.connection.schema):
            return
        with closing(self.connection.account.connect()) as other, snowflake_faults(SHOWN), other.cursor() as cursor:
            cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(self.connection.schema)}")

    @property
    def stage(self) -> str:
        """A stage that is gone with the session, as SQL."""
        if self._stage is None:
            self._stage = self.connection.beside(f"{self.token}_stage")
            self.connection.run(f"CREATE TEMPORARY STAGE {self._stage}")
        return self._stage

    def name(self, kind: str, about: str) -> str:
        """A new name for a table, as SQL."""
        readable = re.sub(r"\W", "_", about)[: LONGEST_NAME // 2]
        made = self.connection.beside(f"{self.token}_{len(self._made) + 1}_{kind}_{readable}")
        self._made.append(made)
        return made

    def make(self, table: str, query: str) -> int:
        """Make a table of what a query gives; how many rows that is."""
        self.connection.run(f"{self.creating(table)} AS\n{query}")
        return int(self.connection.rows(f"SELECT COUNT(*) FROM {table}")[0][0])

    def creating(self, table: str, columns: str = "") -> str:
        """How a table begins that is made here."""
        place = str(self.workspace.resolve()) if self.workspace else ""
        run = self.workspace.name if self.workspace else ""
        said = json.dumps({"run": run, "host": os.uname().nodename, "workspace": place, "at": round(time.time())})
        return f"CREATE TRANSIENT TABLE {table}{f' ({columns})' if columns else ''} COMMENT = {text(said)}"

    def size(self, table: str) -> int:
        """Of a table of this schema, in bytes, as far as Snowflake knows it yet."""
        bare = table.rpartition('."')[2].rstrip('"')
        where = f"table_schema = {text(self.connection.schema)} AND table_name = {text(bare)}"
        found = self.connection.rows(f"SELECT bytes FROM information_schema.tables WHERE {where}")
        return int(found[0][0] or 0) if found else 0

    def drop(self, table: str) -> None:
        self.connection.run(f"DROP TABLE IF EXISTS {table}")
        self._made.remove(table)

    def close(self, kept: Collection[str]) -> None:
        """Drop what this session made, but for what others may need."""
        for table in self._made:
            if table not in kept:
                self.connection.run(f"DROP TABLE IF EXISTS {table}")

    def sweep(self, *, pretend: bool = False) -> list[Litter]:
        """Drop what nobody wants any more."""
        found: list[Litter] = []
        for left in self._left():
            said = _said(left.comment)
            if said is not None and not _is_wanted(said):
                if not pretend:
                    self.connection.run(f"DROP TABLE IF EXISTS {left.table}")
                found.append(Litter(f"table {left.table.replace(chr(34), '')}", str(said.get("run", "?")), left.bytes))
        return found

    def _left(self) -> Iterator[_Left]:
        rows = self.connection.rows(
            f"SELECT table_name, comment, bytes FROM information_schema.tables WHERE table_schema = {text(self.connection.schema)} "
            "ORDER BY table_name"
        )
        for name, comment, size in rows:
            if _OURS.match(str(name)):
                yield _Left(self.connection.beside(str(name)), str(comment or ""), int(size or 0))


def _said(comment: str) -> dict[str, object] | None:
    """What the comment of a table of ours says, or None."""
    try:
        said = json.loads(comment)
    except ValueError:
        return None
    return said if isinstance(said, dict) and "workspace" in said else None


def _is_wanted(said: dict[str, object]) -> bool:
    if said.get("host") == os.uname().nodename:
        return Path(str(said["workspace"])).is_dir()
    at = said.get("at")
    return isinstance(at, int) and time.time() - at < KEPT_SECONDS
