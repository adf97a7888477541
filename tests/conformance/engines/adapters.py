"""What the suite asks of an engine: to refuse, to print, and to give values. A further engine is a further class here."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal as Exact
from typing import Any, ClassVar, Protocol

import duckdb
import psycopg

from headrace.business.model.schema import Schema
from headrace.business.model.types import DataType, Date, Float, Interval, Json, List, String, Timestamp
from headrace.business.processing.expressions.ir import Expr
from headrace.business.processing.relation import Relation
from headrace.infrastructure.engines.duckdb import expressions as duckdb_expressions
from headrace.infrastructure.engines.duckdb import literals as duckdb_literals
from headrace.infrastructure.engines.duckdb import relations as duckdb_relations
from headrace.infrastructure.engines.duckdb.types import duckdb_type, from_duckdb
from headrace.infrastructure.engines.postgres import expressions as postgres_expressions
from headrace.infrastructure.engines.postgres import literals as postgres_literals
from headrace.infrastructure.engines.postgres import relations as postgres_relations
from headrace.infrastructure.engines.postgres.server import prelude
from headrace.infrastructure.engines.postgres.types import postgres_type

Row = Mapping[str, Any]


class Adapter(Protocol):
    """An engine as the suite sees it."""

    name: ClassVar[str]
    error: ClassVar[type[Exception]]
    """What a statement raises that ends in an error."""

    def problems(self, e: Expr) -> list[str]: ...
    def relation_problems(self, relation: Relation) -> list[str]: ...
    def expression(self, e: Expr) -> str: ...
    def identifier(self, name: str) -> str: ...
    def literal(self, value: Any, kind: DataType) -> str: ...
    def type_name(self, kind: DataType) -> str: ...
    def statement(self, steps: Sequence[tuple[str, Relation]], final: str, tables: Mapping[str, str]) -> str: ...
    def run(self, sql: str) -> None: ...
    def fetch(self, sql: str) -> list[tuple[Any, ...]]: ...
    def has_type(self, sql: str, kind: DataType, rows: str) -> bool: ...


class DuckDB:
    name: ClassVar[str] = "duckdb"
    error: ClassVar[type[Exception]] = duckdb.Error

    def __init__(self, con: duckdb.DuckDBPyConnection) -> None:
        self.con = con
        con.execute("SET TimeZone = 'UTC'")
        self.expression = duckdb_expressions.ExpressionPrinter().sql
        self.identifier, self.literal, self.type_name = duckdb_literals.identifier, duckdb_literals.literal, duckdb_type

    def problems(self, e: Expr) -> list[str]:
        return duckdb_expressions.plan_problems(e)

    def relation_problems(self, relation: Relation) -> list[str]:
        return []

    def statement(self, steps: Sequence[tuple[str, Relation]], final: str, tables: Mapping[str, str]) -> str:
        return duckdb_relations.with_clause(steps, final, tables)

    def run(self, sql: str) -> None:
        self.con.execute(sql)

    def fetch(self, sql: str) -> list[tuple[Any, ...]]:
        return self.con.execute(sql).fetchall()

    def has_type(self, sql: str, kind: DataType, rows: str) -> bool:
        ((given,), *_) = self.fetch(f"SELECT typeof({sql}) FROM {rows} LIMIT 1") or [(duckdb_type(kind),)]
        return from_duckdb(given) == from_duckdb(duckdb_type(kind))


class Postgres:
    name: ClassVar[str] = "postgres"
    error: ClassVar[type[Exception]] = psycopg.Error

    def __init__(self, con: psycopg.Connection, version: int) -> None:
        self.con = con
        for statement in prelude(version):
            con.execute(statement)  # type: ignore[call-overload]
        self.expression = postgres_expressions.ExpressionPrinter().sql
        self.identifier, self.literal, self.type_name = postgres_literals.identifier, postgres_literals.literal, postgres_type

    def problems(self, e: Expr) -> list[str]:
        return postgres_expressions.plan_problems(e)

    def relation_problems(self, relation: Relation) -> list[str]:
        return postgres_expressions.relation_problems(relation)

    def statement(self, steps: Sequence[tuple[str, Relation]], final: str, tables: Mapping[str, str]) -> str:
        return postgres_relations.with_clause(steps, final, tables)

    def run(self, sql: str) -> None:
        self.con.execute(sql)  # type: ignore[call-overload]

    def fetch(self, sql: str) -> list[tuple[Any, ...]]:
        return self.con.execute(sql).fetchall()  # type: ignore[call-overload]

    def has_type(self, sql: str, kind: DataType, rows: str) -> bool:
        ((given,), *_) = self.fetch(f"SELECT CAST(pg_typeof({sql}) AS text) FROM {rows} LIMIT 1") or [(None,)]
        asked = re.sub(r"\([\d, ]+\)", "", postgres_type(kind)).replace("timestamp[", "timestamp without time zone[")
        return given in (None, asked, f"{asked} without time zone") or (asked == "text" and given == "unknown")


@contextmanager
def duckdb_engine() -> Iterator[DuckDB]:
    with duckdb.connect() as con:
        yield DuckDB(con)


@contextmanager
def postgres_engine(url: str) -> Iterator[Postgres]:
    with psycopg.connect(url, autocommit=True) as con:
        yield Postgres(con, con.info.server_version // 10000)


# Values that can be told apart and compared across engines ------------------------------------------------------------


def readable(sql: str, kind: DataType, engine: Adapter) -> str:
    """The printed expression, so that whatever fetches it gives a value of Python that loses nothing."""
    if isinstance(kind, Timestamp) and kind.zone:
        if engine.name == "snowflake":
            return f"CAST(CAST({sql} AS TIMESTAMP_NTZ(6)) AS VARCHAR)"
        sql = f"({sql} AT TIME ZONE 'UTC')"
    if isinstance(kind, Interval | Json | Date | Timestamp):
        return f"CAST({sql} AS {'VARCHAR' if engine.name == 'duckdb' else 'text'})"
    if isinstance(kind, List) and isinstance(kind.item, Json | Date | Timestamp):
        return f"CAST({sql} AS {engine.type_name(List(String()))})"
    if kind in (Float(32), List(Float(32))):
        return f"CAST({sql} AS {engine.type_name(Float(64) if kind == Float(32) else List(Float(64)))})"
    return sql


def shown(value: Any, kind: DataType) -> str:
    """One text for each value: NaN is NaN whatever its bits, the scale of a decimal and the sign of a zero show."""
    if value is None:
        return "null"
    if isinstance(kind, List):
        return "[" + ", ".join(shown(item, kind.item) for item in value) + "]"
    if isinstance(value, float):
        return "nan" if math.isnan(value) else repr(value)
    if isinstance(value, Exact):
        return f"{value:f}"
    if isinstance(kind, Interval):
        return _span(value) if isinstance(value, str) else str(value)
    if isinstance(kind, Date | Timestamp):
        return re.sub(r"^(\S+) \(?BC\)?(.*)$", r"\1\2 BC", str(value))
    return f"{type(value).__name__} {value!r}" if isinstance(value, str | bytes | bool) else str(value)


def _span(text: str) -> str:
    months = sum(int(n) * (12 if unit == "year" else 1) for n, unit in re.findall(r"(-?\d+) (year|mon)", text))
    days = sum(int(n) for n in re.findall(r"(-?\d+) day", text))
    clock = re.search(r"(-?)(\d+):(\d\d):(\d\d(?:\.\d+)?)", text)
    seconds = Exact(0)
    if clock:
        seconds = (Exact(clock[2]) * 3600 + Exact(clock[3]) * 60 + Exact(clock[4])) * (-1 if clock[1] else 1)
    return f"{months} months {days} days {seconds.normalize():f} seconds"


def values_of(schema: Schema, rows: Sequence[Row], engine: Adapter) -> str:
    """Rows to select from, with a number `#` each."""
    names = ", ".join(map(engine.identifier, ("#", *schema.names)))
    tuples = ", ".join(f"({i}, {', '.join(engine.literal(row[c.name], c.type) for c in schema)})" for i, row in enumerate(rows))
    return f"(VALUES {tuples}) AS given({names})"


def evaluate(engine: Adapter, expressions: Sequence[Expr], schema: Schema, rows: Sequence[Row]) -> list[list[str]]:
    """For each row what every expression gives there, all in one statement."""
    items = ", ".join(f"{readable(engine.expression(e), e.type, engine)} AS c{i}" for i, e in enumerate(expressions))
    found = engine.fetch(f"SELECT {items} FROM {values_of(schema, rows, engine)} ORDER BY {engine.identifier('#')}")
    return [[shown(value, e.type) for value, e in zip(row, expressions, strict=True)] for row in found]
