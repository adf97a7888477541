"""Apache Spark as an engine: rows are judged, transformed and staged by executors. It composes the parts in this folder; it does not
know what a run is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from headrace.business.engine import Limits, Session, Statement
from headrace.business.inside import StagedTable
from headrace.business.model.types import DataType
from headrace.business.ports import Scan, Staged
from headrace.business.processing.plan import Plan
from headrace.engine_settings import SparkSettings
from headrace.errors import Problem


class SparkEngine:
    """The engine of a cluster."""

    name: ClassVar[str] = "spark"

    def __init__(self, settings: SparkSettings, limits: Limits | None = None) -> None:
        self.settings, self.limits = settings, limits or Limits()

    def prepare(self) -> None:
        """Spark takes signals and a JVM for itself when it starts, which is done where the run is."""

    def infer(self, scan: Scan, columns: Sequence[str]) -> Mapping[str, DataType]:
        """As the engine duckdb guesses, so that a file means the same to both."""
        from headrace.infrastructure.engines.duckdb.engine import DuckDBEngine

        return DuckDBEngine(self.limits).infer(scan, columns)

    def problems(self, plan: Plan) -> Iterable[Problem]:
        from headrace.infrastructure.engines.spark.cluster import library_problem
        from headrace.infrastructure.engines.spark.limits import problems_of

        if missing := library_problem():
            yield Problem(missing, ("engine",))
            return
        yield from problems_of(plan)

    def notes(self, plan: Plan) -> Iterable[str]:
        place = self.settings.remote or self.settings.master
        yield f"worked on by Spark at {place}"
        from headrace.infrastructure.engines.spark.in_place import relation

        for source in plan.sources:
            in_place = relation(source.scan, self.settings) is not None
            how = (
                "read by the executors, where its files lie"
                if in_place
                else "read here, and handed to the executors as Parquet"
            )
            yield f"{source.name}: {how}"

    def statements(self, plan: Plan) -> Sequence[Statement]:
        from headrace.infrastructure.engines.spark.statements import statements

        return statements(plan)

    def verify(self, staged: Staged | StagedTable) -> None:
        """What lies staged are files, wherever they were made."""
        from headrace.infrastructure.engines.duckdb.engine import DuckDBEngine

        DuckDBEngine(self.limits).verify(staged)

    def session(self, plan: Plan, workspace: Path, project: Path) -> Session:
        from headrace.infrastructure.engines.spark.cluster import Cluster
        from headrace.infrastructure.engines.spark.session import SparkSession

        about = f"headrace {plan.definition.pipeline} {workspace.name}"
        return SparkSession(plan, workspace, project, Cluster(self.settings, self.limits, about), self.limits)
