"""What every engine that speaks SQL does with the steps of a plan once the sources are there: prepare, print, count. Not how it keeps
a table.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from headrace.business.engine import Progress
from headrace.business.processing.expressions.ir import Call, ColumnRef, Expr
from headrace.business.processing.plan import Plan
from headrace.business.processing.relation import Dedupe, Function, Join, Relation
from headrace.errors import NonRetryableError
from headrace.infrastructure.engines.sql.dialect import Dialect
from headrace.infrastructure.engines.sql.relations import RelationPrinter
from headrace.infrastructure.engines.sql.statement import with_clause


class Working(ABC):
    """The datasets of one run. `tables` says what stands after FROM for each that already exists."""

    def __init__(self, dialect: Dialect, plan: Plan) -> None:
        self.dialect, self.plan = dialect, plan
        self.tables: dict[str, str] = {}
        self.repeated: dict[Dedupe, str] = {}
        self._filtered: dict[str, int] = {}

    # What the engine does in its own way -----------------------------------------------------------------------------

    @abstractmethod
    def _keep(self, what: str, query: str, progress: Progress) -> str:
        """Keep the rows of a query in a table until the session is closed; the table as SQL."""

    @abstractmethod
    def _values(self, query: str) -> Sequence[Sequence[Any]]:
        """The few rows that a query gives."""

    @abstractmethod
    def _call(self, name: str, relation: Function) -> str:
        """Let a function make its rows; the table that keeps them as SQL."""

    # What all do alike -----------------------------------------------------------------------------------------------

    def prepare(self, progress: Progress) -> None:
        for step in self.plan.steps:
            for node in step.relation.walk():
                if isinstance(node, Join) and node.single:
                    self.demand_single(node, step.name)
            if isinstance(step.relation, Function):
                self.tables[step.name] = self._call(step.name, step.relation)
            elif any(isinstance(node, Dedupe) for node in step.relation.walk()):
                self._repeated_keys(step.name, step.relation, progress)
            if step.name in self.plan.shared and step.name not in self.tables:
                self.tables[step.name] = self._keep(f"kept {step.name}", self._statement(step.name), progress)

    def _repeated_keys(self, name: str, relation: Relation, progress: Progress) -> None:
        """Find the keys that repeat, once: they are few, and their count says how many rows the step will drop."""
        dropped = 0
        for i, node in enumerate(n for n in relation.walk() if isinstance(n, Dedupe)):
            query = self._printer().duplicates(node)
            table = self._keep(f"repeated {name} {i}", f"{self._with(node.input)} {query}", progress)
            self.repeated[node] = table
            dropped += self._number(f"SELECT coalesce(sum(n - 1), 0) FROM {table}")
        if not any(n.rows != "same" and not isinstance(n, Dedupe) for n in relation.walk()):
            self._filtered[name] = dropped

    def demand_single(self, join: Join, step: str) -> None:
        """A join promises at most one partner for each row: raises when one of the right side's keys stands there more than once."""
        names = set(join.right.schema.names)
        keys = sorted(e.name for e in _equalities(join.condition) if e.name in names)
        if not keys:
            return
        columns = ", ".join(map(self.dialect.identifier, keys))
        complete = " AND ".join(f"{self.dialect.identifier(k)} IS NOT NULL" for k in keys)
        found = self._values(
            f"SELECT {columns}, count(*) FROM ({self._query(join.right)}) AS partners WHERE {complete} GROUP BY {columns} "
            f"HAVING count(*) > 1 ORDER BY {columns} LIMIT 1"
        )
        for *values, count in found:
            shown = ", ".join(f"{k} = {v!r}" for k, v in zip(keys, values, strict=True))
            raise NonRetryableError(
                f"step `{step}`: {count} rows on the right side have {shown}, so the join would multiply rows",
                hint="say `expect: any` if that is meant, or make the right side unique first (`clean: {dedupe: ...}`)",
            )

    def filtered_by_key(self) -> Mapping[str, int]:
        return self._filtered

    def count(self, datasets: Sequence[str]) -> Mapping[str, int]:
        return {name: self._number(f"SELECT count(*) FROM ({self._statement(name)}) AS counted") for name in datasets}

    # SQL -------------------------------------------------------------------------------------------------------------

    def _printer(self) -> RelationPrinter:
        return RelationPrinter(self.dialect, self.tables, self.repeated)

    def _statement(self, dataset: str) -> str:
        """A query of a dataset's rows."""
        return with_clause(self.dialect, list(self._steps()), dataset, self.tables, self.repeated)

    def _query(self, relation: Relation) -> str:
        return f"{self._with(relation)} {self._printer().query(relation)}"

    def _with(self, relation: Relation) -> str:
        """The named steps that a relation stands on, in front of it."""
        missing = [name for name in relation.datasets() if name not in self.tables]
        parts = [f"{self.dialect.identifier(name)} AS ({self._statement(name)})" for name in missing]
        return f"WITH {', '.join(parts)}" if parts else ""

    def _steps(self) -> Iterator[tuple[str, Relation]]:
        for step in self.plan.steps:
            yield step.name, step.relation

    def _number(self, query: str) -> int:
        return int(self._values(query)[0][0])


def _equalities(condition: Expr | None) -> list[ColumnRef]:
    if isinstance(condition, Call) and condition.function == "and":
        return [column for part in condition.args for column in _equalities(part)]
    if isinstance(condition, Call) and condition.function == "equal":
        return [e for e in condition.args if isinstance(e, ColumnRef)]
    return []
