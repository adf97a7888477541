"""Snowflake's SQL as the suite sees it: carried out by fakesnow in this process, which makes DuckDB's SQL of it. That proves that what is
printed can be read and has the meaning that it has there; how Snowflake itself calculates it does not prove (see `not_proved`)."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import Any, ClassVar

import duckdb
import snowflake.connector.errors
from fakesnow.conn import FakeSnowflakeConnection
from fakesnow.instance import FakeSnow

from headrace.business.model.types import DataType
from headrace.business.processing.expressions.ir import Expr
from headrace.business.processing.relation import Relation
from headrace.infrastructure.engines.snowflake import expressions, literals, relations
from headrace.infrastructure.engines.snowflake.types import snowflake_type


class Refused(Exception):
    """What fakesnow raises, of whatever kind."""


class Snowflake:
    name: ClassVar[str] = "snowflake"
    error: ClassVar[type[Exception]] = Refused

    def __init__(self, con: FakeSnowflakeConnection) -> None:
        self.con = con
        self.expression = expressions.ExpressionPrinter().sql
        self.identifier, self.literal, self.type_name = literals.identifier, literals.literal, snowflake_type

    def problems(self, e: Expr) -> list[str]:
        return expressions.plan_problems(e)

    def relation_problems(self, relation: Relation) -> list[str]:
        return expressions.relation_problems(relation)

    def statement(self, steps: Sequence[tuple[str, Relation]], final: str, tables: Mapping[str, str]) -> str:
        return relations.with_clause(steps, final, tables)

    def run(self, sql: str) -> None:
        self.fetch(sql)

    def fetch(self, sql: str) -> list[tuple[Any, ...]]:
        try:
            with closing(self.con.cursor()) as cursor, warnings.catch_warnings():
                warnings.simplefilter("ignore")  # how fakesnow asks DuckDB is no matter of ours
                cursor.execute(sql)
                return [tuple(row) for row in cursor.fetchall()]
        except (duckdb.Error, snowflake.connector.errors.Error, NotImplementedError) as error:
            raise Refused(f"{error}\n{sql}") from error

    def has_type(self, sql: str, kind: DataType, rows: str) -> bool:
        """The driver tells the type of a result, but fakesnow only that of DuckDB's: a cast to the asked type changes nothing."""
        cast = f"SELECT {sql} IS NOT DISTINCT FROM CAST({sql} AS {snowflake_type(kind)}) FROM {rows} LIMIT 1"
        return all(same for (same,) in self.fetch(cast))


@contextmanager
def snowflake_engine() -> Iterator[Snowflake]:
    with closing(FakeSnow().connect("tests", "public")) as con:
        yield Snowflake(con)
