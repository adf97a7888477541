"""Every rule of a contract gives the same verdict on every engine, and every check the same measures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.conformance.engines.adapters import Adapter, readable, shown, values_of
from tests.conformance.engines.edges import EDGES
from tests.conformance.engines.tables import fill
from tests.conformance.expressions.test_laws import iso, near_moments, near_numbers, ordinary
from tests.integration.checks.test_checks_on_duckdb import CASES
from tests.integration.checks.test_checks_on_duckdb import SCHEMA as MEASURED

from headrace.business.model.contract import Contract
from headrace.business.model.schema import Schema
from headrace.business.model.types import Float, String
from headrace.business.validation.compiled import CompiledContract, raw, tidy
from headrace.business.validation.contracts import compile_contract

COLUMNS = {
    "i": {"type": "int32", "required": True, "between": [-5, 2000]},
    "u": {"type": "uint8", "at_least": 1, "at_most": 200},
    "d": {"type": "decimal(9, 2)", "above": 0, "below": "999.99"},
    "f": {"type": "float64", "at_least": 0, "nulls": ["NA"]},
    "g": {"type": "float64", "decimal_mark": ",", "thousands_mark": ".", "below": 1000},
    "s": {"type": "string", "in": ["a", "é", "straße", ""], "length": {"min": 1, "max": 6}},
    "w": {"type": "string", "not_in": ["x"], "matches": "^[^0-9]*\\w$"},
    "e": {"type": "enum(red, Blue)", "required": True},
    "b": {"type": "boolean", "true_words": ["ja"], "false_words": ["nein"]},
    "day": {"type": "date", "between": ["1990-01-01", "2030-12-31"]},
    "old": {"type": "date", "format": "%d.%m.%Y"},
    "at": {"type": "timestamp", "at_most": "2030-01-01 00:00:00"},
    "z": {"type": "timestamptz"},
    "t": {"type": "time", "at_least": "06:00:00"},
    "j": {"type": "json"},
    "l": {"type": "list<int32>"},
}
RULES = {
    "in_order": {"expression": "day <= date(at) or i is null"},
    "words": {"expression": "lower(s) <> upper(w) and w >= s"},
}
TEXTS = st.one_of(
    st.none(),
    st.sampled_from(EDGES["string"]),
    near_numbers,
    near_moments,
    iso,
    ordinary,
    st.sampled_from(["red", "Blue", "ja", "Nein", "NA", "03.02.2013", "1.234,5", "07:30"]),
)


def contract() -> tuple[CompiledContract, Schema]:
    arriving = Schema.of(**dict.fromkeys(COLUMNS, String()))
    compiled, problems = compile_contract(Contract.model_validate({"columns": COLUMNS, "rules": RULES}), arriving, {}, {})
    assert problems == []
    return compiled, arriving


def verdicts(engine: Adapter, compiled: CompiledContract, rows: Sequence[Mapping[str, str | None]]) -> list[list[str]]:
    """For each row the cells as they were read, then of every rule whether it is broken."""
    for cell in compiled.cells:
        assert [why for e in (cell.tidied, cell.value) if e is not None for why in engine.problems(e)] == []
    name, print_ = engine.identifier, engine.expression
    schema = Schema.of(**{raw(column): String() for column in COLUMNS})
    given_rows = values_of(schema, [{raw(column): value for column, value in row.items()} for row in rows], engine)
    tidied = ", ".join(f"{print_(c.tidied)} AS {name(tidy(c.column.name))}" for c in compiled.cells if c.tidied is not None)
    typed = ", ".join(f"{print_(c.value)} AS {name(c.column.name)}" for c in compiled.cells)
    cells = [readable(name(c.column.name), c.column.type, engine) for c in compiled.cells]
    broken = [f"({print_(rule.violated)})" for rule in compiled.rules]
    found = engine.fetch(
        f"SELECT {', '.join([*cells, *broken])} FROM (SELECT *, {typed} FROM (SELECT *, {tidied} FROM {given_rows}) AS tidied) AS typed ORDER BY {name('#')}"
    )
    kinds = [c.column.type for c in compiled.cells]
    return [[shown(v, kinds[i]) if i < len(kinds) else str(v is True) for i, v in enumerate(row)] for row in found]


@settings(max_examples=6, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(rows=st.lists(st.fixed_dictionaries(dict.fromkeys(COLUMNS, TEXTS)), min_size=10, max_size=25))
def test_rules_judge_alike(engines: Mapping[str, Adapter], rows: list[dict[str, str | None]]) -> None:
    compiled, _ = contract()
    names = [*(f"cell {c.column.name}" for c in compiled.cells), *(rule.name for rule in compiled.rules)]
    first, *others = (verdicts(engine, compiled, rows) for engine in engines.values())
    for other in others:
        for row, ones, twos in zip(rows, first, other, strict=True):
            unlike = [(name, one, two) for name, one, two in zip(names, ones, twos, strict=True) if one != two]
            assert unlike == [], row


def test_every_kind_of_rule_is_among_them() -> None:
    compiled, _ = contract()
    kinds = {rule.name.partition(".")[2] for rule in compiled.rules}
    assert kinds >= {
        "type",
        "required",
        "in",
        "not_in",
        "between",
        "at_least",
        "at_most",
        "above",
        "below",
        "matches",
        "length",
    }


ROWS = [
    {"i": 1, "f": 0.5, "d": "10.00", "s": "a", "day": EDGES["date"][4], "at": EDGES["timestamp"][3], "b": True, 'odd "name"': 1},
    {"i": 2, "f": -0.0, "d": "0.10", "s": "B", "day": EDGES["date"][0], "at": EDGES["timestamp"][0], "b": None, 'odd "name"': 1},
    {"i": 2, "f": 2.25, "d": None, "s": "b ", "day": None, "at": None, "b": False, 'odd "name"': None},
    {"i": None, "f": None, "d": "-7.05", "s": None, "day": EDGES["date"][7], "at": EDGES["timestamp"][7], "b": True, 'odd "name"': 3},
]  # fmt: skip


@pytest.mark.parametrize("rows", [ROWS, [], ROWS[:1]], ids=["filled", "empty", "one"])
def test_checks_measure_alike(engines: Mapping[str, Adapter], rows: list[dict[str, object]]) -> None:
    for engine in engines.values():
        fill(engine, {"measured": (MEASURED, rows)})
    for check, _ in CASES:
        measures = check.measures(MEASURED)
        found = []
        for engine in engines.values():
            assert [why for e in measures.values() for why in engine.problems(e)] == []
            items = ", ".join(readable(engine.expression(e), e.type, engine) for e in measures.values())
            (row,) = engine.fetch(f"SELECT {items} FROM {engine.identifier('measured')}")
            found.append(
                [
                    _near(value) if e.type == Float(64) else shown(value, e.type)
                    for value, e in zip(row, measures.values(), strict=True)
                ]
            )
        assert all(values == found[0] for values in found), (check, found)


def _near(value: float | None) -> str:
    return str(value) if value is None or not math.isfinite(value) else f"{value:.12g}"
