"""PostgreSQL as an engine: what is in its database is judged, transformed, audited and published there, and never leaves it. It
composes the parts in this folder; it does not know what a run is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar

from headrace.business.engine import Limits, Litter, Session, Statement
from headrace.business.inside import DatabaseScan, PublishesInside, StagedTable
from headrace.business.model.types import DataType
from headrace.business.ports import Publisher, Scan, Staged
from headrace.business.processing.plan import Plan, PlannedSource
from headrace.errors import Problem, RetryableError, StagingLost
from headrace.infrastructure.engines.postgres.connection import Address, Connection
from headrace.settings import PostgresSettings


class PostgresEngine:
    """The engine that works where the rows are."""

    name: ClassVar[str] = "postgres"

    def __init__(self, address: Address, settings: PostgresSettings, limits: Limits | None = None) -> None:
        self.address, self.settings, self.limits = address, settings, limits or Limits()

    def prepare(self) -> None:
        """A connection is not worth opening ahead: it would be held where nothing may come of it."""

    def infer(self, scan: Scan, columns: Sequence[str]) -> Mapping[str, DataType]:
        """As the engine duckdb guesses, so that a file means the same to both."""
        from headrace.infrastructure.engines.duckdb.engine import DuckDBEngine

        return DuckDBEngine(self.limits).infer(scan, columns)

    def problems(self, plan: Plan) -> Iterable[Problem]:
        if any(find_spec(module) is None for module in ("psycopg", "pyarrow", "adbc_driver_postgresql")):
            yield Problem("the engine postgres needs more: pip install 'headrace[postgres]'", ("engine",))
            return
        from headrace.infrastructure.engines.postgres.limits import problems_of

        yield from problems_of(plan)

    def notes(self, plan: Plan) -> Iterable[str]:
        with self._connection() as connection:
            identity = connection.identity
        for source in plan.sources:
            if _is_at_home(source, identity):
                yield f"{source.name}: read where it is, inside the database"
            else:
                yield f"{source.name}: loaded into the staging schema by COPY"
        for sink in plan.sinks:
            yield f"{sink.name}: {_way_out(sink.publisher, identity)}"

    def statements(self, plan: Plan) -> Sequence[Statement]:
        from headrace.infrastructure.engines.postgres.statements import statements

        with self._connection() as connection:
            return statements(plan, connection.identity)

    def verify(self, staged: Staged | StagedTable) -> None:
        if isinstance(staged, Staged):
            return
        with self._connection() as connection:
            there = connection.identity == staged.database and bool(
                connection.rows(f"SELECT to_regclass('{staged.table.replace(chr(39), chr(39) * 2)}') IS NOT NULL")[0][0]
            )
            if not there or connection.rows(f"SELECT count(*) FROM {staged.table}")[0][0] != staged.rows:
                raise StagingLost(
                    f"`{staged.table}` is not there any more as it was staged; it is not published",
                    hint="run the pipeline again: the server was restarted, or somebody dropped the table",
                )

    def session(self, plan: Plan, workspace: Path, project: Path) -> Session:
        from headrace.infrastructure.engines.postgres.session import PostgresSession

        return PostgresSession(plan, workspace, project, self._computing(plan, workspace), self.limits)

    def _computing(self, plan: Plan, workspace: Path) -> Connection:
        about = f"headrace {plan.definition.pipeline} {workspace.name}"
        return Connection(self.address, self.settings, self.limits, about, computes=True)

    # Tables that outlive a session -----------------------------------------------------------------------------------

    def take_out(self, staged: StagedTable, folder: Path) -> Staged:
        from headrace.infrastructure.engines.postgres.taking_out import take_out

        with self._connection() as connection:
            return take_out(connection, staged, folder, self.limits)

    def discard(self, staged: Iterable[StagedTable]) -> None:
        tables = [table.table for table in staged]
        if tables:
            with self._connection() as connection:
                connection.run(f"DROP TABLE IF EXISTS {', '.join(tables)}")

    def sweep(self, *, pretend: bool = False) -> Sequence[Litter]:
        from headrace.infrastructure.engines.postgres.staging_area import StagingArea

        with self._connection() as connection:
            return StagingArea(connection).sweep(pretend=pretend)

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        connection = Connection(self.address, self.settings, self.limits)
        try:
            yield connection
        finally:
            connection.close()


def _way_out(publisher: Publisher, identity: str) -> str:
    if not isinstance(publisher, PublishesInside):
        return "its rows are taken out of the database"
    try:
        inside = publisher.lies_in(identity)
    except RetryableError:
        return "cannot be reached now; its rows stay inside if it is in the same database"
    return "published inside the database, in one transaction" if inside else "its rows are taken out of the database"


def _is_at_home(source: PlannedSource, identity: str) -> bool:
    return isinstance(source.scan, DatabaseScan) and source.scan.database == identity
