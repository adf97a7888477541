"""What the engine snowflake prints gives on fakesnow what DuckDB gives: every function, cast and aggregate that it does not refuse, but for
what the page on engines names as not proved."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest
from tests.conformance.engines import test_aggregates as aggregates
from tests.conformance.engines.adapters import Adapter, duckdb_engine, evaluate
from tests.conformance.engines.cases import bound, calls, rows
from tests.conformance.engines.edges import EDGES, KINDS
from tests.conformance.engines.on_fakesnow import snowflake_engine
from tests.conformance.engines.tables import fill, result, steps
from tests.conformance.engines.test_casts import FORMATS, SOURCES, casts
from tests.conformance.engines.test_functions import SCALARS, alike

from headrace.business.model.schema import Schema
from headrace.business.model.types import DataType, Decimal, Float, Integer, String, parse_type
from headrace.business.processing.expressions.catalog import FUNCTIONS
from headrace.business.processing.expressions.function import Function
from headrace.business.processing.expressions.ir import Cast, CastFormat, ColumnRef, Constant, Expr
from headrace.business.processing.expressions.parse import parse_expression
from headrace.infrastructure.engines.snowflake.types import type_problem
from headrace.infrastructure.loading.engine_proof import left_out

#: Calls whose arguments have to be literals there, over the texts of `edges`.
LITERAL_CALLS = (
    "replace(a, 'a', 'xy')", "replace(a, '\\', '/')", "substring(a, 2)", "substring(a, 1, 3)", "substring(a, 40, 2)", "left(a, 2)",
    "left(a, 0)", "right(a, 3)", "lpad(a, 12, 'ab')", "rpad(a, 2, '.')", "repeat(a, 2)", "repeat(a, 0)", "split_part(a, ',', 2)",
    "split_part(a, 'a', 1)", "position(a, '0')", "regexp_replace(a, '[0-9]+', '#')", "regexp_replace(a, '\\s+', ' ')",
    "a like '%\\_%'", "a like 'a!%%' escape '!'", "concat('a', null, a)", "concat_ws('-', a, null, 'b')", "a in ('a', 'é', null)",
    "nullif(a, '')", "coalesce(null, a, 'x')", "case when a > 'a' then 'more' when a = 'a' then 'same' else 'less' end",
    "md5(a) = md5(a || '')", "try_cast(a as int32) + 1 > 5", "round(try_cast(a as decimal(10, 3)), 1)",
)  # fmt: skip

#: Types of columns that are kept there as others are that are tried.
ALIKE = {"int8", "uint8", "enum(red, Blue, é)"}

Engines = Mapping[str, Adapter]


@pytest.fixture(scope="module")
def engines() -> Iterator[Engines]:
    with duckdb_engine() as duckdb, snowflake_engine() as snowflake:
        yield {duckdb.name: duckdb, snowflake.name: snowflake}


def outcomes(
    engine: Adapter, expressions: Sequence[Expr], schema: Schema, given: Sequence[Mapping[str, Any]]
) -> list[list[str]]:
    """What each expression gives in each row, in as few statements as end well; `error` where one ends in an error."""
    try:
        return evaluate(engine, expressions, schema, given)
    except engine.error:
        if len(expressions) > 1:
            parts = [outcomes(engine, [e], schema, given) for e in expressions]
            return [[part[i][0] for part in parts] for i in range(len(given))]
        if len(given) == 1:
            return [["error"]]
        middle = len(given) // 2
        return [*outcomes(engine, expressions, schema, given[:middle]), *outcomes(engine, expressions, schema, given[middle:])]


def unlike(
    engines: Engines, expressions: Mapping[str, Expr], schema: Schema, given: Sequence[Mapping[str, Any]], same: Any
) -> list[str]:
    first, other = (outcomes(engine, list(expressions.values()), schema, given) for engine in engines.values())
    return [
        f"{text} of {row}: {one} and {two}"
        for row, ones, twos in zip(given, first, other, strict=True)
        for text, one, two in zip(expressions, ones, twos, strict=True)
        if not same(one, two)
    ]


def is_tried(kind: DataType) -> bool:
    return str(kind) not in left_out("types") and type_problem(kind) is None


def able(engine: Adapter, expression: Expr) -> bool:
    return not engine.problems(expression) and all(is_tried(node.type) for node in expression.walk())


@pytest.mark.parametrize(
    "function", [f for f in SCALARS if f.name not in left_out("functions")], ids=lambda function: function.name
)
def test_functions_give_the_same(engines: Engines, function: Function) -> None:
    found: dict[tuple[tuple[str, str], ...], dict[str, Expr]] = defaultdict(dict)
    for text, columns in calls(function):
        if (made := bound(function, text, columns)) is not None and able(engines["snowflake"], made[0]):
            found[tuple(columns.items())][text] = made[0]
    differing: list[str] = []
    for columns, expressions in found.items():
        kinds = dict(columns)
        if all(is_tried(KINDS[kind]) and kind not in ALIKE for kind in kinds.values()):
            schema = Schema.of(**{name: KINDS[kind] for name, kind in kinds.items()})
            differing += unlike(engines, expressions, schema, rows(kinds)[::6], lambda one, two: alike(function, one, two))
    # Of nulls DuckDB makes zeros where it rounds to tens what has no digit before the point.
    assert [line for line in differing if not ("round(a, -" in line and "None" in line)] == []


def test_calls_with_literals_give_the_same(engines: Engines) -> None:
    schema = Schema.of(a=String())
    expressions = {text: parse_expression(text, schema) for text in LITERAL_CALLS}
    assert {text: engines["snowflake"].problems(e) for text, e in expressions.items() if engines["snowflake"].problems(e)} == {}
    given = [{"a": value} for value in [None, *EDGES["string"]]]
    assert unlike(engines, expressions, schema, given, lambda one, two: one == two) == []


@pytest.mark.parametrize("source", [s for s in SOURCES if is_tried(KINDS[s]) and s != "timestamptz"])
def test_casts_give_the_same(engines: Engines, source: str) -> None:
    kind = KINDS[source]
    expressions = {str(e.type): e for e in casts(source) if able(engines["snowflake"], e)}
    if str(kind) in left_out("texts_of"):
        expressions.pop("string", None)
    if source == "string":
        formats = ((name, how) for name, how in FORMATS.items() if how.pattern is None)
        written: list[tuple[str, CastFormat]] = [*formats]
        expressions |= {f"{name} {how}": Cast(parse_type(name), ColumnRef(kind, "a"), True, how) for name, how in written}
    # What a decimal of 38 digits has before its point may be more than fakesnow can round.
    given = [
        {"a": v}
        for v in [None, *EDGES[source]]
        if not (isinstance(kind, Decimal) and kind.precision == 38 and v and abs(v) > 10**18)
    ]
    assert unlike(engines, expressions, Schema.of(a=kind), given, lambda one, two: one == two) == []


@pytest.mark.parametrize("text", ["5.7", "1_000", "0x1F", "2023-02-29", "yesterday", "NaN", "on", ""])
def test_a_strict_cast_that_fails_ends_the_statement(engines: Engines, text: str) -> None:
    for kind in ("int64", "date", "boolean", "timestamptz", "decimal(5, 2)"):
        strict = Cast(parse_type(kind), ColumnRef(String(), "a"))
        given = [{"a": "none of the type"}, {"a": text}]
        for engine in engines.values():
            lenient = Cast(parse_type(kind), ColumnRef(String(), "a"), True)
            fits = evaluate(engine, [lenient], Schema.of(a=String()), given[1:]) != [["null"]]
            assert outcomes(engine, [strict], Schema.of(a=String()), given)[0] == ["error"]
            assert (outcomes(engine, [strict], Schema.of(a=String()), given[1:]) != [["error"]]) == fits


def test_whole_numbers_that_do_not_fit_are_errors_however_deep(engines: Engines) -> None:
    """The bounds of all parts are asked for, and the statement does not double with each."""
    schema = Schema.of(a=Integer(64), b=Integer(64))
    deep = parse_expression(" + ".join(["a"] * 24) + " - b", schema)
    assert len(engines["snowflake"].expression(deep)) < 40_000
    for expression in (parse_expression("a + b - b", schema), deep):
        given = [{"a": 2**63 - 1, "b": 1}, {"a": 3, "b": 1}, {"a": None, "b": 1}]
        first, other = (outcomes(engine, [expression], schema, given) for engine in engines.values())
        assert first == other
        assert first[0] == ["error"]


AGGREGATES = [f for f in FUNCTIONS if f.kind in ("aggregate", "window")]


@pytest.mark.parametrize("function", AGGREGATES, ids=lambda function: function.name)
def test_aggregates_and_windows_give_the_same(engines: Engines, function: Function) -> None:
    snowflake = engines["snowflake"]
    windowed = function.kind == "window"
    frame = " over (partition by k order by a, i rows between 1 preceding and current row)"
    for kind in ("string", "float64", "decimal(5, 2)", *(("boolean",) if "bool" in function.name else ())):
        for over in (frame,) if windowed else ("", frame):
            found = {
                text: aggregates.bound(text + over, kind, aggregates=not over, windows=bool(over))
                for text in aggregates.calls(function)
                if "distinct" not in text or function.name not in left_out("distinct")
            }
            # Not whether a type is tried: the sum of small numbers is small, though its type is wide.
            expressions = {text: e for text, e in found.items() if e is not None and not snowflake.problems(e)}
            for given in aggregates.groups(kind)[4 if over else 1 :] if expressions else ():
                order = {name: f" ORDER BY {engine.identifier('#')}" if over else "" for name, engine in engines.items()}
                first, other = (
                    aggregates.columns(engine, list(expressions.values()), kind, given, order[name])
                    for name, engine in engines.items()
                )
                for (text, e), one, two in zip(expressions.items(), first, other, strict=True):
                    assert aggregates.same(function, e, one, two), f"{text}{over} of {kind} {given}: {one} and {two}"


def test_what_is_refused_says_why(engines: Engines) -> None:
    schema = Schema.of(a=String(), x=Float(64), n=Integer(64), d=parse_type("decimal(20, 10)"))
    said = {
        "cast(x as string)": "Snowflake writes floats otherwise",
        "substring(a, n)": "takes only literals",
        "d * d": "Snowflake rounds this product",
        "regexp_matches(a, '(?i)é')": "what Snowflake does not have",
        "regexp_extract(a, 'x')": "has no `regexp_extract`",
        "strptime(a, '%Y')": "has no `strptime`",
        "cast(x as float32)": "floats of 64 bits",
        "string_split(a, ',')": "arrays hold values without a type",
    }
    for text, why in said.items():
        assert why in "; ".join(engines["snowflake"].problems(parse_expression(text, schema))), text


def test_a_literal_keeps_every_character(engines: Engines) -> None:
    texts = ["\\", "\\n", "'", "''", "a\nb\tc\r", 'q"', "\\\\x41", "𝄞", "\v\f", "%_$$"]
    for engine in engines.values():
        assert evaluate(engine, [Constant(String(), text) for text in texts], Schema.of(a=String()), [{"a": "x"}]) == [
            [f"str {text!r}" for text in texts]
        ]


#: Steps that make columns under names that they read beside it.
RENAMING: tuple[tuple[Mapping[str, Any], ...], ...] = (
    ({"filter": "k > 0 and s <> 'b'"}, {"derive": {"k": "k * -1", "s": "upper(s)"}}),
    ({"derive": {"k": "k + 1", "twice": "k * 2"}}, {"filter": "k > 2"}),
    ({"aggregate": {"by": {"s": "upper(s)"}, "measures": {"k": "sum(k)", "n": "count(k)"}}}, {"filter": "k > 1"}),
    ({"rename": {"k": "s", "s": "k"}}, {"sort": "k desc"}, {"limit": 3}),
    ({"sql": "select upper(s) as s, -k as k from t where s in (select s from t where k > 0) order by s, k limit 4"},),
    ({"window": {"partition_by": "s", "order_by": "k", "columns": {"k2": "sum(k)"}}}, {"derive": {"k": "k2", "k2": "k"}}),
)


@pytest.mark.parametrize("written", RENAMING, ids=lambda written: " ".join(kind for step in written for kind in step))
def test_a_name_that_is_given_is_never_one_that_is_read(engines: Engines, written: Sequence[Mapping[str, Any]]) -> None:
    schema = Schema.of(k=Integer(32), s=String())
    tables = {"t": (schema, [{"k": i - 2, "s": word} for i, word in enumerate(["a", "b", "A", "a", None, "c", "b"])])}
    found = []
    for engine in engines.values():
        names = fill(engine, tables)
        made = steps(written, tables)
        assert [why for _, relation in made for why in engine.relation_problems(relation)] == []
        found.append(sorted(result(engine, made, names)))
    assert found[0] == found[1]
    assert found[0]
