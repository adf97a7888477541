"""What the page on engines says yes to is carried out by every engine, and gives the same; what it says no to is said why."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date
from typing import Any

import pytest
from tests.conformance.engines.adapters import Adapter, readable, shown
from tests.conformance.engines.on_fakesnow import snowflake_engine
from tests.conformance.engines.tables import fill, result

from headrace.business.model.schema import Schema
from headrace.business.model.types import DataType, Integer, String
from headrace.infrastructure.loading.engine_features import EXPRESSIONS, STEPS, TABLES
from headrace.infrastructure.loading.engine_matrix import ENGINES, answers_of, answers_of_steps, parsed, relations, tables_of

ROWS: dict[str, tuple[Schema, list[dict[str, Any]]]] = {
    "t": (
        TABLES["t"],
        [
            {"k": 1, "s": "a", "f": 0.5, "d": date(2024, 2, 29), "l": ["x", None], "j": '{"a": [1]}'},
            {"k": 2, "s": "ab-12", "f": float("nan"), "d": None, "l": [], "j": "[]"},
            {"k": None, "s": '{"a": [1, "é"]}', "f": -1.0, "d": date(1, 1, 1), "l": None, "j": None},
            {"k": 2, "s": "[1, 2.50]", "f": 7.25, "d": date(9999, 12, 31), "l": ["b", "a"], "j": "1"},
            {"k": -3, "s": "7", "f": None, "d": None, "l": [""], "j": "null"},
        ],
    ),
    "u": (TABLES["u"], [{"k": 1, "s": "a", "n": "z"}, {"k": 2, "s": "NA", "n": None}, {"k": 5, "s": None, "n": "a"}]),
    "few": (Schema.of(k=Integer(32), s=String()), [{"k": 1, "s": "a"}, {"k": None, "s": None}]),
}


@pytest.fixture(scope="module")
def filled(engines: Mapping[str, Adapter]) -> Iterator[Mapping[str, Adapter]]:
    with snowflake_engine() as snowflake:
        every = {**engines, snowflake.name: snowflake}
        for name, engine in every.items():
            fill(engine, without(ENGINES[name].refused))
        assert every.keys() | {"spark"} == ENGINES.keys()  # which has a suite of its own, in few statements
        yield every


def without(refused: Callable[[DataType], str | None]) -> dict[str, tuple[Schema, list[dict[str, Any]]]]:
    """The tables without the columns that an engine refuses."""
    kept = {name: (Schema(tuple(c for c in schema if not refused(c.type))), rows) for name, (schema, rows) in ROWS.items()}
    return {name: (schema, [{c: row[c] for c in schema.names} for row in rows]) for name, (schema, rows) in kept.items()}


def able(engines: Mapping[str, Adapter], answers: Mapping[str, str]) -> Iterator[Adapter]:
    assert answers["duckdb"] == ""
    yield from (engine for name, engine in engines.items() if not answers[name])


@pytest.mark.parametrize("name", STEPS)
def test_steps_give_the_same(filled: Mapping[str, Adapter], name: str) -> None:
    for engine in able(filled, answers_of_steps(STEPS[name])):
        made = relations(STEPS[name], tables_of(ENGINES[engine.name], STEPS[name]))
        meant, rows = (
            result(each, made, {table: each.identifier(table) for table in ROWS}, digits=12)
            for each in (filled["duckdb"], engine)
        )
        assert meant
        assert (rows, engine.name) == (meant, engine.name) if name.startswith("sort") else sorted(rows) == sorted(meant)


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_expressions_give_the_same(filled: Mapping[str, Adapter], name: str) -> None:
    expression, text = parsed(EXPRESSIONS[name]), EXPRESSIONS[name]
    answers = answers_of(text)
    if "json of bytes" in name or "cast(s as json)" in text:
        text = text.replace("cast(s", "try_cast(s")
        expression = parsed(text)
    found = []
    for engine in able(filled, answers):
        rows = engine.fetch(
            f"SELECT {readable(engine.expression(expression), expression.type, engine)} FROM {engine.identifier('t')}"
        )
        found.append(sorted(shown(value, expression.type) for (value,) in rows))
    assert all(values == found[0] for values in found)
