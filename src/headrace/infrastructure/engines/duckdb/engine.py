"""DuckDB as the embedded engine. It composes the parts in this folder; it does not know what a run is."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from headrace.business.engine import Limits, Session, Statement
from headrace.business.inside import StagedTable
from headrace.business.model.types import DataType
from headrace.business.ports import Scan, Staged
from headrace.business.processing.plan import Plan
from headrace.business.processing.relation import Function
from headrace.business.streams.engine import StreamSession
from headrace.errors import Problem, StagingLost
from headrace.infrastructure.engines.duckdb.spare import Spare

if TYPE_CHECKING:
    from headrace.infrastructure.duckdb_connection import Connection


class DuckDBEngine:
    """The engine of a laptop and of one large machine: columnar, parallel, larger than memory."""

    name: ClassVar[str] = "duckdb"

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self._spare = Spare(self._open)

    def prepare(self) -> None:
        self._spare.prepare()

    def infer(self, scan: Scan, columns: Sequence[str]) -> Mapping[str, DataType]:
        from headrace.infrastructure.engines.duckdb.reading_types import infer

        con = self._spare.take()
        with ExitStack() as unless_done:
            unless_done.callback(con.close)
            found = infer(con, scan)
            unless_done.pop_all()
        self._spare.give_back(con)
        return {name: kind for name, kind in found.items() if name in columns}

    def statements(self, plan: Plan) -> Sequence[Statement]:
        from headrace.infrastructure.engines.duckdb.checked import Checked
        from headrace.infrastructure.engines.duckdb.literals import identifier
        from headrace.infrastructure.engines.duckdb.passing import passes, written_down
        from headrace.infrastructure.engines.duckdb.relations import with_clause

        reads = [
            Statement(f"write {s.name} down as it arrives", written_down(s))
            if passes(plan, s)
            else Statement(f"read and judge {s.name}", Checked(s).create(identifier(s.origin)))
            for s in plan.sources
        ]
        tables = {s.name: identifier(s.name) for s in plan.sources}
        made = []
        steps = [(step.name, step.relation) for step in plan.steps]
        for name, relation in steps:
            if isinstance(relation, Function):
                rows = [with_clause([*steps, ("#:rows", part)], "#:rows", tables) for part in relation.parts]
                made += [Statement(f"give rows to {relation.label}", text) for text in rows]
                tables[name] = identifier(f"made {name}")
        for name in plan.staged:
            text = f"SELECT * FROM {tables[name]}" if name in tables else with_clause(steps, name, tables)
            made.append(Statement(f"stage {name}", text))
            tables[name] = identifier(name)
        return [*reads, *made]

    def problems(self, plan: Plan) -> Iterable[Problem]:  # noqa: ARG002 - the catalogue was made with this engine at hand
        return ()

    def notes(self, plan: Plan) -> Iterable[str]:  # noqa: ARG002
        return ()

    def verify(self, staged: Staged | StagedTable) -> None:
        if isinstance(staged, StagedTable):
            raise StagingLost(f"`{staged.table}` lies in a database that this engine does not know")
        for path, digest in staged.digests.items():
            with path.open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != digest.sha256:
                    raise StagingLost(
                        f"`{path}` was damaged after it was staged; it is not published",
                        hint="run the pipeline again, and see whether disk and memory of this machine are sound",
                    )

    def session(self, plan: Plan, workspace: Path, project: Path) -> Session:
        from headrace.infrastructure.engines.duckdb.session import DuckDBSession

        return DuckDBSession(plan, workspace, project, self.limits, self._spare)

    def stream(self, plan: Plan, workspace: Path, project: Path) -> StreamSession:
        from headrace.infrastructure.engines.duckdb.stream import DuckDBStream

        return DuckDBStream(plan, workspace, project, self.limits, self._spare)

    def _open(self) -> Connection:
        from headrace.infrastructure.engines.duckdb.connection import opened

        return opened(":memory:", self.limits)
