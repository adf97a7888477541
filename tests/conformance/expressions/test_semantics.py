"""Every row of every table of docs/specs/semantics.md, run on DuckDB: the page is the test."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from headrace.business.model.schema import Column, Schema
from headrace.business.model.types import Boolean, DataType, Json, String, parse_type
from headrace.business.processing.expressions.ir import Cast, CastFormat, ColumnRef, Expr
from headrace.business.processing.expressions.parse import ExpressionError, parse_expression
from headrace.infrastructure.engines.duckdb.expressions import ExpressionPrinter, plan_problems
from headrace.infrastructure.engines.duckdb.literals import literal
from headrace.infrastructure.engines.duckdb.types import duckdb_type, from_duckdb

PAGE = Path(__file__).parents[3] / "docs" / "specs" / "semantics.md"
PRINTER = ExpressionPrinter()
Row = dict[str, str]


def tables() -> Iterator[list[Row]]:
    head: list[str] = []
    rows: list[Row] = []
    for line in [*PAGE.read_text(encoding="utf-8").splitlines(), ""]:
        if not line.startswith("|"):
            if head:
                yield rows
            head, rows = [], []
            continue
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip("|"))]
        if not head:
            head = cells
        elif not set(line) <= set("|-"):
            rows.append(dict(zip(head, cells, strict=True)))


def rows_with(*columns: str, without: str = "") -> list[Row]:
    found = [row for table in tables() for row in table if set(columns) <= row.keys() and without not in row]
    assert found, columns
    return found


def code(cell: str) -> str:
    return cell.replace("\\|", "|").removeprefix("`").removesuffix("`")


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        yield con


def shown(con: duckdb.DuckDBPyConnection, expression: Expr, rows: str, last: str = "") -> tuple[str, str]:
    """A value as the page shows it, and the type that DuckDB gave it."""
    assert plan_problems(expression) == []
    sql = PRINTER.sql(expression)
    nested = str(expression.type).startswith(("list", "struct", "interval"))
    written = (
        f"CAST({sql} AS VARCHAR)" if nested else PRINTER.sql(Cast(String(), expression)) if expression.type != String() else sql
    )
    value, kind = con.execute(f"SELECT {written}, typeof({sql}) FROM {rows} {last}").fetchall()[-1]
    if value is None:
        return "null", kind
    quoted = isinstance(expression.type, String) or str(expression.type).startswith("enum")
    return ("'" + value.replace("'", "''") + "'" if quoted else value), kind


def check(
    con: duckdb.DuckDBPyConnection, row: Row, schema: Schema, rows: str = "(SELECT 1)", last: str = "", **allowed: bool
) -> None:
    text, gives = code(row["expression"]), row["gives"]
    if gives == "refused":
        with pytest.raises(ExpressionError) as refused:
            parse_expression(text, schema, **allowed)
        assert 0 <= refused.value.offset < len(text)
        assert refused.value.message
        return
    expression = parse_expression(text, schema, **allowed)
    if row.get("type"):
        assert str(expression.type) == row["type"]
    if gives == "error":
        with pytest.raises(duckdb.Error):
            shown(con, expression, rows, last)
        return
    value, kind = shown(con, expression, rows, last)
    assert value == gives
    assert from_duckdb(kind) == from_duckdb(duckdb_type(expression.type)), PRINTER.sql(expression)


@pytest.mark.parametrize("row", rows_with("expression", "gives", without="x"), ids=lambda row: code(row["expression"]))
def test_an_expression_gives_what_the_page_says(con: duckdb.DuckDBPyConnection, row: Row) -> None:
    check(con, row, Schema())


def over(row: Row) -> tuple[Schema, str]:
    written, _, values = code(row["x"]).partition(":")
    kind = parse_type(written)
    items = [v.strip() for v in values.split(",") if v.strip()]
    if not items:
        return Schema.of(x=kind), f"(SELECT {literal(None, kind)} AS x WHERE false)"
    listed = ", ".join(f"(CAST({literal(None if v == 'null' else v, String())} AS {duckdb_type(kind)}))" for v in items)
    return Schema.of(x=kind), f"(VALUES {listed}) AS t(x)"


@pytest.mark.parametrize("row", rows_with("x", "expression"), ids=lambda row: f"{code(row['x'])}-{code(row['expression'])}")
def test_an_aggregate_or_window_gives_what_the_page_says(con: duckdb.DuckDBPyConnection, row: Row) -> None:
    schema, rows = over(row)
    windowed = " over " in row["expression"]
    check(con, row, schema, rows, "ORDER BY x NULLS LAST" if windowed else "", aggregates=not windowed, windows=windowed)


def cells() -> Iterator[tuple[str, list[tuple[DataType, str, CastFormat]]]]:
    for row in rows_with("text", without="notation"):
        yield (
            json.loads(code(row["text"])),
            [(parse_type(kind), gives, CastFormat()) for kind, gives in row.items() if kind != "text"],
        )
    for row in rows_with("text", "notation"):
        options = dict(re.findall(r"(\w+)=`([^`]*)`", row["notation"]))
        words = {name: (value,) if name.endswith("words") else value for name, value in options.items()}
        yield json.loads(code(row["text"])), [(parse_type(row["type"]), row["gives"], CastFormat(**words))]


@pytest.mark.parametrize(("text", "readings"), list(cells()), ids=lambda cell: repr(cell) if isinstance(cell, str) else "")
def test_a_text_is_read_as_the_page_says(
    con: duckdb.DuckDBPyConnection, text: str, readings: list[tuple[DataType, str, CastFormat]]
) -> None:
    rows = f"(SELECT {literal(text, String())} AS cell FROM range(3))"  # several rows, so that nothing is computed in advance
    for kind, gives, written in readings:
        value, given = shown(con, Cast(kind, ColumnRef(String(), "cell"), True, written), rows)
        assert (kind, value) == (kind, gives)
        assert from_duckdb(given) == from_duckdb(duckdb_type(kind))
        strict = f"SELECT CAST({PRINTER.sql(Cast(kind, ColumnRef(String(), 'cell'), False, written))} AS VARCHAR) FROM {rows}"
        if gives == "null" and (kind != Json() or text != "null"):
            with pytest.raises(duckdb.InvalidInputException, match="does not fit"):
                con.execute(strict).fetchall()
        else:
            con.execute(strict).fetchall()


@pytest.mark.parametrize("word", ["true", "false", "null"])
def test_words_of_logic_are_booleans(word: str) -> None:
    schema = Schema((Column("ok", Boolean()),))
    assert parse_expression(f"ok is not distinct from {word}", schema).type == Boolean()
