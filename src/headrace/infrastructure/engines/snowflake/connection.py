"""The session in which a run works in its database. Every statement is committed by itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any

from headrace.errors import RunError
from headrace.infrastructure.snowflake.account import Account
from headrace.infrastructure.snowflake.faults import snowflake_faults
from headrace.infrastructure.snowflake.names import stored
from headrace.infrastructure.sql_text import quoted
from headrace.settings import SnowflakeSettings

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection as Driver

SHOWN = "the engine snowflake"


class Connection:
    """One session, opened when the first statement is run."""

    def __init__(self, account: Account, settings: SnowflakeSettings, about: str = "headrace") -> None:
        self.account, self.settings, self.about = account, settings, about
        self.schema = stored(settings.schema)
        self._held: Driver | None = None
        self._interrupted = False

    @property
    def raw(self) -> Driver:
        """The session of the driver."""
        if self._held is None:
            limit = self.settings.statement_timeout
            more = {} if limit is None else {"STATEMENT_TIMEOUT_IN_SECONDS": round(limit)}
            self._held = self.account.connect(self.about, more)
        return self._held

    @property
    def identity(self) -> str:
        return self.account.identity

    def run(self, statement: str) -> int:
        """Carry out a statement; the number of rows that it made or changed."""
        with self.faults(), self.raw.cursor() as cursor:
            cursor.execute(statement)
            return max(0, cursor.rowcount or 0)

    def rows(self, query: str) -> Sequence[tuple[Any, ...]]:
        with self.faults(), self.raw.cursor() as cursor:
            cursor.execute(query)
            return [tuple(row) for row in cursor.fetchall()]

    def beside(self, table: str) -> str:
        """A table of the staging schema, as SQL."""
        return f"{quoted(self.schema)}.{quoted(table)}"

    @contextmanager
    def faults(self) -> Iterator[None]:
        """Turn what the driver raises into our errors, and what was interrupted into an interruption."""
        try:
            with snowflake_faults(SHOWN):
                yield
        except RunError as error:
            if self._interrupted:
                raise KeyboardInterrupt from error
            raise
        if self._interrupted:
            raise KeyboardInterrupt

    def interrupt(self) -> None:
        """May be called from another thread, so it is another session of the same user that asks."""
        self._interrupted = True
        if (held := self._held) is None:
            return
        with suppress(RunError), closing(self.account.connect()) as other, snowflake_faults(SHOWN), other.cursor() as cursor:
            cursor.execute(f"SELECT SYSTEM$CANCEL_ALL_QUERIES({int(held.session_id)})")

    def close(self) -> None:
        """What runs in the session ends, and its temporary stage is gone with it."""
        held, self._held = self._held, None
        if held is not None:
            with suppress(RunError), snowflake_faults(SHOWN):
                held.close()
