"""What a `FROM` clause brings: rows, and the names under which a query may speak of them. Not how they were joined."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from headrace.business.model.schema import Column, Schema
from headrace.business.model.types import Integer
from headrace.business.processing.expressions.faults import BindError
from headrace.business.processing.expressions.ir import ColumnRef, Constant
from headrace.business.processing.relation import Project, Relation, Values, columns_of
from headrace.business.processing.select.names import Names
from headrace.records import record


@record
class Named:
    """A column as the query calls it, and the one name that it has in the relation."""

    name: str
    unique: str


@record
class Table:
    """A dataset or subquery in a `FROM` clause. One without an alias has columns, but no name to put before them."""

    alias: str | None
    columns: tuple[Named, ...]


@record
class Merged:
    """The one column that `USING` makes of several: without a table before it, its name means the column `unique`."""

    unique: str
    members: frozenset[str]


@record
class Source:
    """Rows and names."""

    relation: Relation
    tables: tuple[Table, ...] = ()
    merged: tuple[Merged, ...] = ()

    @property
    def aliases(self) -> tuple[str, ...]:
        return tuple(t.alias for t in self.tables if t.alias is not None)

    def find(self, name: str, table: str | None = None) -> ColumnRef | None:
        """The column of that name, without regard to case; None if there is none. Raises `BindError` if there are several."""
        hits = [(t, c) for t in self.tables if _alike(t.alias, table) for c in t.columns if c.name.lower() == name.lower()]
        uniques = {self._merged(c.unique) if table is None else c.unique for _, c in hits}
        if len(uniques) > 1:
            ways = " or ".join(f"`{t.alias}.{c.name}`" for t, c in hits if t.alias)
            raise BindError(f"`{name}` is a column of several tables", f"write {ways}" if ways else "give the tables aliases")
        return self.reference(uniques.pop()) if uniques else None

    def reference(self, unique: str) -> ColumnRef:
        return ColumnRef(self.relation.schema[unique].type, unique)

    def star(self, table: str | None = None) -> Iterator[Named]:
        """The columns that `*` or `table.*` stands for; of those that `USING` merged, the one."""
        seen: set[str] = set()
        for found in self.tables:
            for column in found.columns if _alike(found.alias, table) else ():
                unique = self._merged(column.unique) if table is None else column.unique
                if unique not in seen:
                    seen.add(unique)
                    yield replace(column, unique=unique)

    def column_names(self) -> Iterator[str]:
        """Every way to name a column, for suggestions."""
        for table in self.tables:
            for column in table.columns:
                yield column.name
                if table.alias is not None:
                    yield f"{table.alias}.{column.name}"

    def spelling(self, unique: str) -> str | None:
        """The name that the dataset itself gives a column."""
        merged = next((m.members for m in self.merged if m.unique == unique), frozenset((unique,)))
        return next((c.name for t in self.tables for c in t.columns if c.unique in merged), None)

    def _merged(self, unique: str) -> str:
        return next((m.unique for m in self.merged if unique in m.members), unique)


def one_row(names: Names) -> Source:
    """What a query without `FROM` reads: one row that says nothing."""
    kind, name = Integer(32), names.fresh("one_row")
    return Source(Values(Schema((Column(name, kind, nullable=False),)), ((Constant(kind, 1),),)))


def table_source(relation: Relation, alias: str | None, written: tuple[str, ...], names: Names) -> Source:
    """A relation as a table of a query; its columns are called `written` there, and get unique names."""
    named = tuple(Named(name, names.fresh(name, alias)) for name in written)
    if any(n.unique != c.name for n, c in zip(named, relation.schema, strict=True)):
        columns = tuple((n.unique, ColumnRef(c.type, c.name)) for n, c in zip(named, relation.schema, strict=True))
        relation = Project(columns_of(columns, relation.schema), relation, columns)
    return Source(relation, (Table(alias, named),))


def _alike(alias: str | None, wanted: str | None) -> bool:
    return wanted is None or (alias is not None and alias.lower() == wanted.lower())
