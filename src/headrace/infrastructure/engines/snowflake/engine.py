"""Snowflake as an engine: what is in its database is judged, transformed, audited and published there, and never leaves it. It composes
the parts in this folder; it does not know what a run is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from headrace.business.engine import Limits, Litter, Session, Statement
from headrace.business.inside import PublishesInside, StagedTable
from headrace.business.model.types import DataType
from headrace.business.ports import Scan, Staged
from headrace.business.processing.plan import Plan
from headrace.errors import NonRetryableError, Problem, StagingLost
from headrace.infrastructure.snowflake.account import Account
from headrace.settings import SnowflakeSettings

if TYPE_CHECKING:
    from headrace.infrastructure.engines.snowflake.connection import Connection


class SnowflakeEngine:
    """The engine that works where the rows are."""

    name: ClassVar[str] = "snowflake"

    def __init__(self, account: Account, settings: SnowflakeSettings, limits: Limits | None = None) -> None:
        self.account, self.settings, self.limits = account, settings, limits or Limits()

    def prepare(self) -> None:
        """A session is not worth opening ahead: a warehouse might be woken where nothing comes of it."""

    def infer(self, scan: Scan, columns: Sequence[str]) -> Mapping[str, DataType]:
        """As the engine duckdb guesses, so that a file means the same to both."""
        from headrace.infrastructure.engines.duckdb.engine import DuckDBEngine

        return DuckDBEngine(self.limits).infer(scan, columns)

    def problems(self, plan: Plan) -> Iterable[Problem]:
        if any(find_spec(module) is None for module in ("snowflake", "pyarrow")):
            yield Problem("the engine snowflake needs more: pip install 'headrace[snowflake]'", ("engine",))
            return
        from headrace.infrastructure.engines.snowflake.limits import problems_of

        yield from problems_of(plan)

    def notes(self, plan: Plan) -> Iterable[str]:
        from headrace.infrastructure.engines.snowflake.session import is_at_home

        identity = self.account.identity
        for source in plan.sources:
            if is_at_home(source, identity):
                yield f"{source.name}: read where it is, inside the database"
            else:
                yield f"{source.name}: loaded into the staging schema as Parquet, by PUT and COPY INTO"
        for sink in plan.sinks:
            inside = isinstance(sink.publisher, PublishesInside) and sink.publisher.lies_in(identity)
            way = "published inside the database, in one transaction" if inside else "its rows are taken out of the database"
            yield f"{sink.name}: {way}"

    def statements(self, plan: Plan) -> Sequence[Statement]:
        from headrace.infrastructure.engines.snowflake.statements import statements

        return statements(plan, self.account.identity)

    def verify(self, staged: Staged | StagedTable) -> None:
        if isinstance(staged, Staged):
            return
        lost = StagingLost(
            f"`{staged.table}` is not there any more as it was staged; it is not published",
            hint="run the pipeline again: somebody dropped or changed the table",
        )
        with self._connection() as connection:
            try:
                found = connection.rows(f"SELECT COUNT(*) FROM {staged.table}")
            except NonRetryableError as error:
                raise lost from error
            if staged.database != connection.identity or int(found[0][0]) != staged.rows:
                raise lost

    def session(self, plan: Plan, workspace: Path, project: Path) -> Session:
        from headrace.infrastructure.engines.snowflake.connection import Connection
        from headrace.infrastructure.engines.snowflake.session import SnowflakeSession

        about = f"headrace {plan.definition.pipeline} {workspace.name}"
        return SnowflakeSession(plan, workspace, project, Connection(self.account, self.settings, about), self.limits)

    # Tables that outlive a session -----------------------------------------------------------------------------------

    def take_out(self, staged: StagedTable, folder: Path) -> Staged:
        from headrace.infrastructure.engines.snowflake.taking_out import take_out

        with self._connection() as connection:
            return take_out(connection, staged, folder, self.limits)

    def discard(self, staged: Iterable[StagedTable]) -> None:
        tables = [table.table for table in staged]
        if tables:
            with self._connection() as connection:
                for table in tables:
                    connection.run(f"DROP TABLE IF EXISTS {table}")

    def sweep(self, *, pretend: bool = False) -> Sequence[Litter]:
        from headrace.infrastructure.engines.snowflake.staging_area import StagingArea

        with self._connection() as connection:
            return StagingArea(connection).sweep(pretend=pretend)

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        from headrace.infrastructure.engines.snowflake.connection import Connection

        connection = Connection(self.account, self.settings)
        try:
            yield connection
        finally:
            connection.close()
