"""The names that a query may use: those of its own tables first, then those of the queries around it. Not their binding."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, Protocol

from headrace.business.model.schema import did_you_mean
from headrace.business.model.types import Boolean
from headrace.business.processing.expressions.faults import BindError
from headrace.business.processing.expressions.ir import ColumnRef, Expr, Subquery
from headrace.business.processing.relation import Relation
from headrace.business.processing.select.names import Names
from headrace.business.processing.select.source import Source

if TYPE_CHECKING:
    from sqlglot import exp


@dataclass(frozen=True)
class Answer:
    """The rows of a query, and what its columns are called. In the relation itself they may have other names (see `names`)."""

    relation: Relation
    names: tuple[str, ...]


class BindQuery(Protocol):
    """Binds a query that stands inside of another; with `named`, each of its columns must have a name of its own."""

    def __call__(self, node: exp.Expression, setting: Setting, *, named: bool) -> Answer: ...


@dataclass(frozen=True)
class Setting:
    """Where a query stands: in which text, with which datasets in sight, inside of which other query."""

    text: str
    datasets: Mapping[str, Answer]
    bind_query: BindQuery
    around: QueryScope | None = None

    def names(self) -> Names:
        """For the columns that its tables bring. An engine would take the bare name of a table for all of its columns."""
        return Names(self.around.names) if self.around is not None else Names(taken=self.datasets)

    def names_of_result(self) -> Names:
        """For the columns of its result: an engine would take their names for those of a query around."""
        return Names(self.around.names if self.around is not None else None)

    def dataset(self, name: str) -> tuple[str, Answer] | None:
        """A dataset and the spelling of its name: the exact one, else the only one that differs in case alone."""
        if name in self.datasets:
            return name, self.datasets[name]
        alike = [known for known in self.datasets if known.lower() == name.lower()]
        return (alike[0], self.datasets[alike[0]]) if len(alike) == 1 else None


class QueryScope:
    """The scope of one query, once its `FROM` clause is known."""

    def __init__(self, source: Source, names: Names, setting: Setting) -> None:
        self.source, self.names, self.setting = source, names, setting

    def column(self, name: str, table: str | None) -> ColumnRef:
        found = self.source.find(name, table)
        if found is not None:
            return found
        outer = self.setting.around
        try:
            return replace(outer.column(name, table), outer=True) if outer is not None else self._unknown(name, table)
        except _UnknownName:
            return self._unknown(name, table)

    def subquery(self, kind: Literal["exists", "in", "scalar"], select: exp.Expression, value: Expr | None) -> Subquery:
        relation = self.setting.bind_query(select, replace(self.setting, around=self), named=False).relation
        if kind == "exists":
            return Subquery(Boolean(), kind, relation)
        if len(relation.schema) != 1:
            raise BindError(f"this subquery has {len(relation.schema)} columns where one value is expected")
        (only,) = relation.schema.columns
        return Subquery(only.type if kind == "scalar" else Boolean(), kind, relation, value)

    def _unknown(self, name: str, table: str | None) -> ColumnRef:
        if table is not None and table.lower() not in (a.lower() for a in self.source.aliases):
            hint = (
                did_you_mean(table, self.source.aliases) if self.source.aliases else "it has no `FROM`, and sees no neighbours"
            )
            raise _UnknownName(f"there is no table `{table}` in this query", hint)
        known = [c.name for t in self.source.tables if table is None or t.alias == table for c in t.columns]
        if table is not None:
            raise _UnknownName(f"`{table}` has no column `{name}`", did_you_mean(name, dict.fromkeys(known)))
        if name.lower() in (a.lower() for a in self.source.aliases):
            raise _UnknownName(
                f"`{name}` is a table, not a column", f"name its columns: `{name}.{known[0]}`" if known else None
            )
        hint = did_you_mean(name, dict.fromkeys(known)) if known else "this query has no `FROM`"
        raise _UnknownName(f"there is no column `{name}`", hint)


class _UnknownName(BindError):
    """Neither this query nor one around it knows the name."""
