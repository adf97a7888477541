"""The tables that runs make in the staging schema: how one session's are told from another's, and which of them nobody wants any more.

Every table begins with its session's token, and a living session holds a lock on its token. So what belongs to a token that nobody
holds is litter, but for the staged results of runs that can still be gone on with: their workspace is there, or on another machine.
"""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Collection, Iterator
from pathlib import Path

from headrace.business.engine import Litter
from headrace.errors import NonRetryableError
from headrace.infrastructure.engines.postgres.connection import SHOWN, Connection, shortened
from headrace.infrastructure.sql_text import literal, quoted
from headrace.records import record

#: The first half of our locks, so that they are not mixed up with those of others.
_LOCKS = 0x48524443
#: How long a staged result is kept of a run whose machine does not tell that it is over.
KEPT_SECONDS = 7 * 24 * 3600
_LONGEST_NAME = 63


@record
class _Left:
    """A table that a session made: its comment says of which run."""

    table: str
    token: str
    comment: str
    bytes: int


class StagingArea:
    """The staging schema as one session uses it."""

    def __init__(self, connection: Connection, workspace: Path | None = None) -> None:
        self.connection, self.workspace = connection, workspace
        self.schema = connection.settings.schema
        self.token = f"h{secrets.randbits(31):08x}"
        self._made = 0

    def open(self) -> None:
        """Make the schema if it is not there, and be known as alive."""
        if not self._is_there():
            self._make_schema()
        alive = f"SELECT pg_advisory_lock_shared({_LOCKS}, {_number(self.token)})"
        self.connection.rows(alive)
        self.connection.on_open.append(alive)
        self.connection.marker = self.name("alive", "alive")
        self.connection.run(f"CREATE UNLOGGED TABLE {self.connection.marker} AS SELECT 1 AS alive")
        self._remark(self.connection.marker, kept=False)

    def name(self, kind: str, about: str) -> str:
        """A new name for a table, as SQL."""
        self._made += 1
        whole = f"{self.token}_{self._made}_{kind}_{shortened(about, _LONGEST_NAME)}"
        return f"{quoted(self.schema)}.{quoted(shortened(whole, _LONGEST_NAME))}"

    def keep(self, table: str) -> None:
        """Let a table outlive the session: it is what a run can be gone on with from."""
        self._remark(table, kept=True)

    def close(self, kept: Collection[str]) -> None:
        """Drop what this session made, but for what others may need."""
        for left in self._left():
            if left.token == self.token and left.table not in kept:
                self.connection.run(f"DROP TABLE IF EXISTS {left.table}")

    def sweep(self, *, pretend: bool = False) -> list[Litter]:
        """Drop what nobody wants any more."""
        if not self._is_there():
            return []
        found: list[Litter] = []
        dead: dict[str, bool] = {self.token: False}
        left_over = list(self._left())
        runs = {left.token: str(run) for left in left_over if (run := _said(left.comment).get("run"))}
        for left in left_over:
            if left.token not in dead:
                dead[left.token] = self._is_dead(left.token)
            if dead[left.token] and not _can_be_gone_on_with(left.comment):
                if not pretend:
                    self.connection.run(f"DROP TABLE IF EXISTS {left.table}")
                found.append(Litter(f"table {left.table.replace(chr(34), '')}", runs.get(left.token, "?"), left.bytes))
        return found

    # How -------------------------------------------------------------------------------------------------------------

    def _is_there(self) -> bool:
        return bool(self.connection.rows(f"SELECT to_regnamespace({literal(quoted(self.schema))}) IS NOT NULL")[0][0])

    def _make_schema(self) -> None:
        user, database, may = self.connection.rows(
            "SELECT current_user, current_database(), has_database_privilege(current_database(), 'create')"
        )[0]
        if not may:
            raise NonRetryableError(
                f"{SHOWN}: the user {user} may not create the schema `{self.schema}`, in which runs stage",
                hint=f"let somebody who may say: CREATE SCHEMA {quoted(self.schema)} AUTHORIZATION {quoted(str(user))}; or: "
                f"GRANT CREATE ON DATABASE {quoted(str(database))} TO {quoted(str(user))}",
            )
        with self.connection.transaction() as transaction:
            transaction.execute(f"SELECT pg_advisory_xact_lock({_LOCKS}, 0)".encode())
            transaction.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(self.schema)}".encode())

    def _remark(self, table: str, *, kept: bool) -> None:
        place = str(self.workspace.resolve()) if self.workspace else ""
        said = {"run": self.workspace.name if self.workspace else "", "host": os.uname().nodename, "workspace": place}
        text = json.dumps({**said, "kept": kept, "at": round(time.time())})
        self.connection.run(f"COMMENT ON TABLE {table} IS {literal(text)}")

    def _left(self) -> Iterator[_Left]:
        rows = self.connection.rows(
            "SELECT relname, substr(relname, 1, 9), coalesce(obj_description(oid, 'pg_class'), ''), pg_total_relation_size(oid) "
            f"FROM pg_class WHERE relnamespace = to_regnamespace({literal(quoted(self.schema))}) AND relkind = 'r' "
            "AND relname ~ '^h[0-9a-f]{8}_' ORDER BY relname"
        )
        for name, token, comment, size in rows:
            yield _Left(f"{quoted(self.schema)}.{quoted(str(name))}", str(token), str(comment), int(size or 0))

    def _is_dead(self, token: str) -> bool:
        """Whether no session holds the token."""
        locked = self.connection.rows(f"SELECT pg_try_advisory_lock({_LOCKS}, {_number(token)})")[0][0]
        if locked:
            self.connection.rows(f"SELECT pg_advisory_unlock({_LOCKS}, {_number(token)})")
        return bool(locked)


def _number(token: str) -> int:
    return int(token[1:], 16)


def _said(comment: str) -> dict[str, object]:
    try:
        said = json.loads(comment)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _can_be_gone_on_with(comment: str) -> bool:
    said = _said(comment)
    if not said.get("kept"):
        return False
    if said.get("host") == os.uname().nodename:
        return Path(str(said.get("workspace"))).is_dir()
    at = said.get("at")
    return isinstance(at, int) and time.time() - at < KEPT_SECONDS
