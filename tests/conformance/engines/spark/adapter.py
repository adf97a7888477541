"""Spark as the suite asks it. A statement takes it a tenth of a second at least, so what is asked is asked in few statements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Context
from decimal import Decimal as Exact
from typing import Any, ClassVar

from headrace.business.engine import Limits
from headrace.business.model.schema import Schema
from headrace.business.model.types import (
    Binary,
    DataType,
    Date,
    Decimal,
    Float,
    Integer,
    Json,
    List,
    Struct,
    Timestamp,
)  # fmt: skip
from headrace.business.processing.expressions.ir import Expr
from headrace.business.processing.relation import Relation
from headrace.engine_settings import SparkSettings
from headrace.errors import HeadraceError
from headrace.infrastructure.engines.spark import expressions as spark_expressions
from headrace.infrastructure.engines.spark import literals as spark_literals
from headrace.infrastructure.engines.spark import naming
from headrace.infrastructure.engines.spark import problems as spark_problems
from headrace.infrastructure.engines.spark import relations as spark_relations
from headrace.infrastructure.engines.spark.cluster import Cluster
from headrace.infrastructure.engines.spark.types import spark_type

_EXACT = Context(prec=60)

#: For a JVM that lives for a minute: no collector beside the work, and no second compiler.
SHORT_LIVED = "-XX:+UseSerialGC -XX:TieredStopAtLevel=1"
#: One for a whole process of tests: the JVM takes ten seconds.
LOCAL = SparkSettings(
    "local[2]",
    options={
        "spark.sql.shuffle.partitions": "1",
        "spark.sql.adaptive.enabled": "false",
        "spark.driver.memory": "1500m",
        "spark.driver.extraJavaOptions": SHORT_LIVED,
        "spark.sql.codegen.wholeStage": "false",
        "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    },
)


class Spark:
    name: ClassVar[str] = "spark"
    error: ClassVar[type[Exception]] = HeadraceError

    def __init__(self, settings: SparkSettings = LOCAL) -> None:
        self.cluster = Cluster(settings, Limits(), "conformance")
        self.expression = spark_expressions.ExpressionPrinter().sql
        self.identifier, self.literal, self.type_name = naming.identifier, spark_literals.literal, spark_type

    def problems(self, e: Expr) -> list[str]:
        return spark_problems.plan_problems(e)

    def relation_problems(self, relation: Relation) -> list[str]:
        return spark_problems.relation_problems(relation)

    def statement(self, steps: Sequence[tuple[str, Relation]], final: str, tables: Mapping[str, str]) -> str:
        return spark_relations.with_clause(steps, final, tables)

    def run(self, sql: str) -> None:
        self.cluster.run(sql)

    def fetch(self, sql: str) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in self.cluster.rows(sql)]

    def table(self, name: str, schema: Schema, rows: Sequence[Mapping[str, Any]]) -> None:
        """A view of these rows, with the number of each."""
        self.cluster.spark.sql(f"CREATE OR REPLACE TEMPORARY VIEW {naming.identifier(name)} AS {rows_of(schema, rows)}")


def rows_of(schema: Schema, rows: Sequence[Mapping[str, Any]]) -> str:
    columns = [f"CAST(NULL AS {spark_type(c.type)}) AS {naming.identifier(c.name)}" for c in schema]
    if not rows:
        return f"SELECT {', '.join(columns)} WHERE false"
    names = ", ".join(naming.identifier(c.name) for c in schema)
    tuples = ", ".join(f"({', '.join(spark_literals.literal(row[c.name], c.type) for c in schema)})" for row in rows)
    return f"SELECT * FROM (VALUES {tuples}) AS given({names})"


def readable(sql: str, kind: DataType) -> str:
    """An expression as a text of JSON or as one that `shown` knows."""
    if isinstance(kind, Timestamp) and kind.zone:
        return f"CAST(CAST({sql} AS TIMESTAMP_NTZ) AS STRING)"
    if isinstance(kind, List) and isinstance(kind.item, Timestamp) and kind.item.zone:
        return f"transform({sql}, item -> CAST(item AS STRING) || '+00')"
    if isinstance(kind, Struct):
        fields = ", ".join(f"'{name}', {readable(f'({sql}).{naming.identifier(name)}', field)}" for name, field in kind.fields)
        return f"CASE WHEN {sql} IS NOT NULL THEN named_struct({fields}) END"
    if isinstance(kind, Date | Timestamp):
        return f"CAST({sql} AS STRING)"
    if isinstance(kind, List) and isinstance(kind.item, Date | Timestamp | Json):
        return f"CAST({sql} AS ARRAY<STRING>)"
    if isinstance(kind, Float) and kind.bits == 32:
        return f"CAST({sql} AS DOUBLE)"
    return sql


def plain(value: Any, kind: DataType) -> Any:
    """A value as the drivers of other engines give it: PySpark shows a decimal with zeros that its type has no room for."""
    if value is None:
        return None
    match kind:
        case Decimal():
            return value.quantize(Exact(1).scaleb(-kind.scale), context=_EXACT)
        case List():
            return [plain(item, kind.item) for item in value]
        case Struct():
            return {name: plain(part, field) for part, (name, field) in zip(value, kind.fields, strict=True)}
        case Binary():
            return bytes(value)
        case Integer():
            return int(value)
    return value
