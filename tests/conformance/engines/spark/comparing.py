"""Compares what Spark gives with what DuckDB gives, which the rest of the suite compares with PostgreSQL: many expressions over the same
rows in one statement."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from hypothesis import HealthCheck, Phase, settings
from tests.conformance.engines.adapters import DuckDB, Row, shown, values_of
from tests.conformance.engines.adapters import readable as duckdb_readable
from tests.conformance.engines.spark.adapter import Spark, plain, readable, rows_of

from headrace.business.model.schema import Schema
from headrace.business.model.types import Integer
from headrace.business.processing.expressions.ir import Expr

Alike = Callable[[str, str], bool]
#: The number of a row.
PLACE = "#"


def few(examples: int) -> settings:
    """So many examples, each of which takes Spark long. A search that has time says a larger number here."""
    return settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


def of_duckdb(duckdb: DuckDB, e: Expr, schema: Schema, rows: Sequence[Row]) -> list[str]:
    """What an expression gives in each row; `error` where it ends the statement."""
    item = duckdb_readable(duckdb.expression(e), e.type, duckdb)
    try:
        found = duckdb.fetch(f"SELECT {item} FROM {values_of(schema, rows, duckdb)} ORDER BY {duckdb.identifier(PLACE)}")
        return [shown(value, e.type) for (value,) in found]
    except duckdb.error:
        if len(rows) == 1:
            return ["error"]
        middle = len(rows) // 2
        return [*of_duckdb(duckdb, e, schema, rows[:middle]), *of_duckdb(duckdb, e, schema, rows[middle:])]


def of_spark(spark: Spark, meant: Sequence[tuple[Expr, Sequence[str]]], schema: Schema, rows: Sequence[Row]) -> list[list[str]]:
    """For each expression what it gives in each row. Where `error` is meant, one such row is asked for by itself."""
    numbered = Schema.of(**{PLACE: Integer(32), **{c.name: c.type for c in schema}})
    given = [{PLACE: i, **row} for i, row in enumerate(rows)]
    items = [_unless(_errors(outcome), readable(spark.expression(e), e.type)) for e, outcome in meant]
    relation = f"({rows_of(numbered, given)})"
    found = spark.fetch(f"SELECT {', '.join([f'`{PLACE}`', *items])} FROM {relation}")
    by_place = {row[0]: row[1:] for row in found}
    results = []
    for n, (e, outcome) in enumerate(meant):
        errors = _errors(outcome)
        values = [shown(plain(by_place[i][n], e.type), e.type) for i in range(len(rows))]
        for i in errors:
            values[i] = _alone(spark, e, schema, rows[i]) if i == errors[0] else "error"
        results.append(values)
    return results


def differences(
    spark: Spark,
    duckdb: DuckDB,
    expressions: Mapping[str, Expr],
    schema: Schema,
    rows: Sequence[Row],
    alike: Mapping[str, Alike],
) -> list[str]:
    """Where the two do not give the same, in words."""
    meant = [(e, of_duckdb(duckdb, e, schema, rows)) for e in expressions.values()]
    unlike = []
    for (text, _), (_, ones), twos in zip(expressions.items(), meant, of_spark(spark, meant, schema, rows), strict=True):
        for row, one, two in zip(rows, ones, twos, strict=True):
            if one != two and not alike[text](one, two) and not _beyond(one):
                unlike.append(f"{text} of {row}: {one}, and on spark {two}")
    return unlike


def _beyond(value: str) -> bool:
    """A moment outside of the years 1 to 9999, which each engine writes in its own way."""
    return re.search(r"\bBC\b|^1\d{4}-", value) is not None


def _errors(outcome: Sequence[str]) -> list[int]:
    return [i for i, value in enumerate(outcome) if value == "error"]


def _unless(places: Sequence[int], item: str) -> str:
    return f"CASE WHEN `{PLACE}` NOT IN ({', '.join(map(str, places))}) THEN {item} END" if places else item


def _alone(spark: Spark, e: Expr, schema: Schema, row: Row) -> str:
    try:
        ((value,),) = spark.fetch(f"SELECT {readable(spark.expression(e), e.type)} FROM ({rows_of(schema, [row])})")
    except spark.error:
        return "error"
    return shown(plain(value, e.type), e.type)
