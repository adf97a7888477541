"""Two ways to the same rows: DuckDB runs a text as it is, and what we made of it."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import duckdb
import pytest

from headrace.business.model.schema import Column, Schema
from headrace.business.model.types import parse_type
from headrace.business.processing.expressions.ir import ColumnRef
from headrace.business.processing.relation import Dataset, Relation, expressions
from headrace.business.processing.select import bind_select
from headrace.infrastructure.engines.duckdb.relations import RelationPrinter

_TYPES = {"VARCHAR": "string", "TIMESTAMP WITH TIME ZONE": "timestamptz", "DOUBLE": "float64", "FLOAT": "float32"}
_TABLES = """
create table t (a int, b int, s varchar, d date, x decimal(9, 2), f double);
insert into t values
    (1, 10, 'x', date '2024-01-31', 1.25, 0.5), (2, 20, 'y', date '2024-02-29', 2.50, -1.5), (null, 30, 'x', null, null, 2.25),
    (2, 5, 'z', date '2023-12-31', 0.00, null), (3, 10, 'x', date '2024-01-31', 99.99, 0.5), (4, null, null, date '2025-01-01', -7.10, 8.0);
create table u (a int, c int, k varchar);
insert into u values (2, 7, 'x'), (3, 8, 'y'), (null, 9, 'x'), (5, 7, null), (2, 6, 'z');
create table e (id int, boss int, name varchar, pay int);
insert into e values (1, null, 'Ada', 90), (2, 1, 'Bob', 60), (3, 1, 'Cid', 70), (4, 2, 'Dot', 40), (5, 2, 'Eve', 60), (6, 3, 'Fay', 70);
"""


@dataclass(frozen=True)
class Database:
    """A database, and its tables as the binder sees them."""

    connection: duckdb.DuckDBPyConnection
    datasets: Mapping[str, Relation]

    def directly(self, text: str) -> list[tuple[Any, ...]]:
        return self.connection.execute(text).fetchall()

    def bound(self, text: str) -> tuple[Relation, list[tuple[Any, ...]]]:
        relation = bind_select(text, self.datasets)
        return relation, self.connection.execute(RelationPrinter({}).query(relation)).fetchall()

    def check(self, text: str) -> None:
        """The rows are the same, and in the same order where the text asks for one."""
        relation, ours = self.bound(text)
        assert_sound(relation)
        theirs = self.directly(text)
        assert all(len(row) == len(relation.schema) for row in ours)
        if not re.search(r"order\s+by\s[^()]*$", text, re.IGNORECASE):
            ours, theirs = sorted(ours, key=repr_of), sorted(theirs, key=repr_of)
        assert [tuple(map(plain, row)) for row in ours] == [tuple(map(plain, row)) for row in theirs]


def assert_sound(relation: Relation, around: frozenset[str] = frozenset()) -> None:
    """Names are unique in every node, and mean a column of the node below, or one of a query around that nothing here hides."""
    for node in relation.walk():
        names = [name.lower() for name in node.schema.names]
        assert len(set(names)) == len(names)
        below = frozenset(name for part in node.inputs for name in part.schema.names)
        for expression in expressions(node):
            for part in expression.walk():
                if isinstance(part, ColumnRef):
                    assert part.name in (around if part.outer else below)
                    assert not part.outer or part.name not in below
                for inner in part.relations():
                    assert_sound(inner, around | below)


def plain(value: Any) -> Any:
    """Numbers of all sorts as numbers, to ten digits: sums of floats depend on the order of the rows."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return value
    number = float(value)
    return number if number == 0 or not math.isfinite(number) else round(number, 9 - math.floor(math.log10(abs(number))))


def repr_of(row: tuple[Any, ...]) -> str:
    return repr(tuple(map(plain, row)))


def described(connection: duckdb.DuckDBPyConnection, table: str) -> Dataset:
    columns = connection.execute(f'describe "{table}"').fetchall()
    return Dataset(Schema(tuple(Column(name, parse_type(_TYPES.get(kind, kind))) for name, kind, *_ in columns)), table)


@pytest.fixture(scope="session")
def describe() -> Callable[[duckdb.DuckDBPyConnection], Database]:
    def database(connection: duckdb.DuckDBPyConnection) -> Database:
        names = [
            name
            for (name,) in connection.execute(
                "select table_name from duckdb_tables() union select view_name from duckdb_views() where not internal"
            ).fetchall()
        ]
        return Database(connection, {name: described(connection, name) for name in names})

    return database


@pytest.fixture(scope="session")
def small(describe: Callable[[duckdb.DuckDBPyConnection], Database]) -> Iterator[Database]:
    """Three small tables with nulls, duplicates and shared column names."""
    with duckdb.connect() as connection:
        connection.execute(_TABLES)
        yield describe(connection)
