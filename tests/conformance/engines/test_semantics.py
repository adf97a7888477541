"""Every row of every table of docs/specs/semantics.md, run on every engine: the page is the test."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from tests.conformance.engines.adapters import Adapter, readable, shown

from headrace.business.model.schema import Column, Schema
from headrace.business.model.types import Boolean, DataType, Enum, Interval, Json, List, String, parse_type
from headrace.business.processing.expressions.ir import Cast, CastFormat, ColumnRef, Expr
from headrace.business.processing.expressions.parse import ExpressionError, parse_expression

PAGE = Path(__file__).parents[3] / "docs" / "specs" / "semantics.md"
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


Engines = Mapping[str, Adapter]
NOTHING = "(SELECT 1 AS nothing) AS nothing"


def evaluated(engine: Adapter, expression: Expr, rows: str, last: str = "") -> str:
    """A value as the page shows it."""
    sql = engine.expression(expression)
    kind = expression.type
    assert engine.has_type(sql, kind, rows), sql
    if isinstance(kind, Interval | List):
        return on_page(engine.fetch(f"SELECT {readable(sql, kind, engine)} FROM {rows} {last}")[-1][0], kind)
    if str(kind).startswith("struct"):
        return str(engine.fetch(f"SELECT CAST({sql} AS VARCHAR) FROM {rows} {last}")[-1][0] or "null")
    written = sql if isinstance(kind, String) else engine.expression(Cast(String(), expression))
    ((value,),) = engine.fetch(f"SELECT {written} FROM {rows} {last}")[-1:]
    if value is None:
        return "null"
    return "'" + value.replace("'", "''") + "'" if isinstance(kind, String | Enum) else value


def on_page(value: object, kind: DataType) -> str:
    """A list as the page writes it, and an interval by its parts."""
    if value is None or isinstance(kind, Interval):
        return shown(value, kind)
    assert isinstance(value, list)
    return "[" + ", ".join("NULL" if item is None else str(item) or "''" for item in value) + "]"


def check(engines: Engines, row: Row, schema: Schema, rows: Mapping[str, str], last: str = "", **allowed: bool) -> None:
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
    for engine in carrying_out(engines, expression):
        if gives == "error":
            with pytest.raises(engine.error):
                engine.fetch(f"SELECT {engine.expression(expression)} FROM {rows[engine.name]} {last}")
            continue
        meant = shown(gives, expression.type) if isinstance(expression.type, Interval) and gives != "null" else gives
        assert (engine.name, evaluated(engine, expression, rows[engine.name], last)) == (engine.name, meant)


def carrying_out(engines: Engines, expression: Expr) -> Iterator[Adapter]:
    """The engines that carry it out. Nothing on the page is refused by an engine but structs."""
    for engine in engines.values():
        problems = engine.problems(expression)
        assert all("struct" in problem for problem in problems), problems
        if not problems:
            yield engine


@pytest.mark.parametrize("row", rows_with("expression", "gives", without="x"), ids=lambda row: code(row["expression"]))
def test_an_expression_gives_what_the_page_says(engines: Engines, row: Row) -> None:
    check(engines, row, Schema(), dict.fromkeys(engines, NOTHING))


def over(row: Row, engine: Adapter) -> tuple[Schema, str]:
    written, _, values = code(row["x"]).partition(":")
    kind = parse_type(written)
    items = [v.strip() for v in values.split(",") if v.strip()]
    if not items:
        return Schema.of(x=kind), f"(SELECT {engine.literal(None, kind)} AS x WHERE false) AS t"
    cast = engine.type_name(kind)
    listed = ", ".join(f"(CAST({engine.literal(None if v == 'null' else v, String())} AS {cast}))" for v in items)
    return Schema.of(x=kind), f"(VALUES {listed}) AS t(x)"


@pytest.mark.parametrize("row", rows_with("x", "expression"), ids=lambda row: f"{code(row['x'])}-{code(row['expression'])}")
def test_an_aggregate_or_window_gives_what_the_page_says(engines: Engines, row: Row) -> None:
    made = {name: over(row, engine) for name, engine in engines.items()}
    schema = next(iter(made.values()))[0]
    windowed = " over " in row["expression"]
    rows = {name: text for name, (_, text) in made.items()}
    check(engines, row, schema, rows, "ORDER BY x NULLS LAST" if windowed else "", aggregates=not windowed, windows=windowed)


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
def test_a_text_is_read_as_the_page_says(engines: Engines, text: str, readings: list[tuple[DataType, str, CastFormat]]) -> None:
    for kind, gives, written in readings:
        expression = Cast(kind, ColumnRef(String(), "cell"), True, written)
        for engine in carrying_out(engines, expression):
            # Several rows, so that nothing is computed in advance.
            rows = f"(SELECT {engine.literal(text, String())} AS cell FROM generate_series(1, 3)) AS t"
            assert (engine.name, kind, evaluated(engine, expression, rows)) == (engine.name, kind, gives)
            sql = engine.expression(Cast(kind, ColumnRef(String(), "cell"), False, written))
            strict = f"SELECT {readable(sql, kind, engine)} FROM {rows}"
            if gives == "null" and (kind != Json() or text != "null"):
                with pytest.raises(engine.error, match="does not fit"):
                    engine.fetch(strict)
            else:
                engine.fetch(strict)


@pytest.mark.parametrize("word", ["true", "false", "null"])
def test_words_of_logic_are_booleans(word: str) -> None:
    schema = Schema((Column("ok", Boolean()),))
    assert parse_expression(f"ok is not distinct from {word}", schema).type == Boolean()
