"""The tables of docs/specs/semantics.md on Spark: each page of values in a statement or two, and each error in one of its own."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest
from tests.conformance.engines.spark.adapter import Spark, plain, readable, rows_of
from tests.conformance.engines.test_semantics import Row, cells, code, on_page, rows_with

from headrace.business.model.schema import Schema
from headrace.business.model.types import Boolean, DataType, Decimal, Enum, Float, List, String, Struct, parse_type
from headrace.business.processing.expressions.ir import Cast, ColumnRef, Expr
from headrace.business.processing.expressions.parse import parse_expression

#: What of the page Spark refuses, by words of the reason.
REFUSED = (
    "time of day", "months apart", "38 digits", "take JSON apart", "take it apart on the engine duckdb", "JSON in a notation", "Java writes floats",
    "accents", "letters apart", "over a window", "of distinct values", "a float has", "beyond 64 bits", "in 38", "order by its parts", "an escape only",
    "cannot be used by the engine spark",
)  # fmt: skip


def able(spark: Spark, expression: Expr) -> bool:
    problems = spark.problems(expression)
    assert all(any(word in problem for word in REFUSED) for problem in problems), problems
    return not problems


def written(value: Any, kind: DataType) -> str:
    """A value as the page shows it."""
    if value is None:
        return "null"
    match kind:
        case String() | Enum():
            return "'" + value.replace("'", "''") + "'"
        case Boolean():
            return str(value).lower()
        case Float():
            return repr(value)
        case Decimal():
            return f"{value:f}"
        case List():
            return on_page([None if item is None else item for item in value], kind)
        case Struct():
            return str(value)
    return str(value)


def as_text(spark: Spark, e: Expr) -> str:
    """Spark's own text of a value, where it has one."""
    if isinstance(e.type, Float | List | Struct | String | Enum | Boolean | Decimal):
        return readable(spark.expression(e), e.type)
    return spark.expression(Cast(String(), e))


def stated(spark: Spark, rows: list[Row], **allowed: bool) -> list[tuple[Row, Expr]]:
    found = [
        (row, parse_expression(code(row["expression"]), schema_of(row), **allowed)) for row in rows if row["gives"] != "refused"
    ]
    return [(row, e) for row, e in found if able(spark, e)]


def schema_of(row: Row) -> Schema:
    return Schema.of(x=parse_type(code(row["x"]).partition(":")[0])) if "x" in row else Schema()


def test_expressions_give_what_the_page_says(spark: Spark) -> None:
    found = stated(spark, rows_with("expression", "gives", without="x"))
    quiet = [(row, e) for row, e in found if row["gives"] != "error"]
    (values,) = spark.fetch(f"SELECT {', '.join(as_text(spark, e) for _, e in quiet)}")
    unlike = [
        (row["expression"], row["gives"], text)
        for (row, e), value in zip(quiet, values, strict=True)
        if (text := written(plain(value, e.type) if not isinstance(value, str) else value, e.type)) != row["gives"]
    ]
    assert unlike == []
    assert len(quiet) > 300
    for row, e in found:
        if row["gives"] == "error":
            with pytest.raises(spark.error):
                spark.fetch(f"SELECT {spark.expression(e)}")


def test_aggregates_and_windows_give_what_the_page_says(spark: Spark) -> None:
    groups: dict[tuple[str, bool], list[tuple[Row, Expr]]] = defaultdict(list)
    for row in rows_with("x", "expression"):
        windowed = " over " in row["expression"]
        for _, e in stated(spark, [row], aggregates=not windowed, windows=windowed):
            groups[code(row["x"]), windowed].append((row, e))
    assert sum(map(len, groups.values())) > 40
    for (given, windowed), rows in groups.items():
        last = "ORDER BY x NULLS LAST" if windowed else ""
        quiet = [(row, e) for row, e in rows if row["gives"] != "error"]
        if quiet:
            values = spark.fetch(f"SELECT {', '.join(as_text(spark, e) for _, e in quiet)} FROM {over(spark, given)} {last}")[
                -1
            ]
            for (row, e), value in zip(quiet, values, strict=True):
                text = written(plain(value, e.type) if not isinstance(value, str) else value, e.type)
                assert (row["x"], row["expression"], text) == (row["x"], row["expression"], row["gives"])
        for row, e in rows:
            if row["gives"] == "error":
                with pytest.raises(spark.error):
                    spark.fetch(f"SELECT {spark.expression(e)} FROM {over(spark, given)}")


def over(spark: Spark, given: str) -> str:
    written_type, _, values = given.partition(":")
    kind = spark.type_name(parse_type(written_type))
    items = [v.strip() for v in values.split(",") if v.strip()] if "decimal(" not in written_type else _after(given)
    if not items:
        return f"(SELECT CAST(NULL AS {kind}) AS x WHERE false)"
    listed = ", ".join(f"(CAST({spark.literal(None if v == 'null' else v, String())} AS {kind}))" for v in items)
    return f"(SELECT * FROM (VALUES {listed}) AS t(x))"


def _after(given: str) -> list[str]:
    return [v.strip() for v in given.partition(":")[2].split(",") if v.strip()]


def test_texts_are_read_as_the_page_says(spark: Spark) -> None:
    readings = [(text, kind, gives, how) for text, found in cells() for kind, gives, how in found]
    casts = {(kind, how): Cast(kind, ColumnRef(String(), "cell"), True, how) for _, kind, _, how in readings}
    casts = {key: e for key, e in casts.items() if able(spark, e)}
    texts = list(dict.fromkeys(text for text, *_ in readings))
    items = ", ".join(as_text(spark, e) for e in casts.values())
    relation = rows_of(Schema.of(cell=String()), [{"cell": text} for text in texts])
    found = {row[0]: dict(zip(casts, row[1:], strict=True)) for row in spark.fetch(f"SELECT cell, {items} FROM ({relation})")}
    unlike = []
    for text, kind, gives, how in readings:
        if (kind, how) in casts:
            value = found[text][kind, how]
            shown = written(plain(value, kind) if not isinstance(value, str) else value, kind)
            if shown != gives:
                unlike.append((text, kind, gives, shown))
    assert unlike == []
