"""Queries that nobody would write give the same rows on every engine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from tests.conformance.engines.adapters import Adapter
from tests.conformance.engines.tables import fill
from tests.conformance.select.conftest import plain, repr_of
from tests.conformance.select.test_random_queries import queries

from headrace.business.model.schema import Schema
from headrace.business.model.types import Integer, String
from headrace.business.processing.relation import Dataset
from headrace.business.processing.select import bind_select

N, S = Integer(32), String()
TABLES: dict[str, tuple[Schema, list[dict[str, Any]]]] = {
    "t": (Schema.of(a=N, b=N, s=S), [dict(zip("abs", row, strict=True)) for row in [(1, 10, "x"), (2, 20, "y"), (None, 30, "x"), (2, 5, "z"), (3, 10, "x"), (4, None, None)]]),
    "u": (Schema.of(a=N, c=N, k=S), [dict(zip("ack", row, strict=True)) for row in [(2, 7, "x"), (3, 8, "y"), (None, 9, "x"), (5, 7, None), (2, 6, "z")]]),
    "e": (
        Schema.of(id=N, boss=N, name=S, pay=N),
        [dict(zip(("id", "boss", "name", "pay"), row, strict=True)) for row in [(1, None, "Ada", 90), (2, 1, "Bob", 60), (3, 1, "Cid", 70), (4, 2, "Dot", 40)]],
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def filled(engines: Mapping[str, Adapter]) -> Mapping[str, Adapter]:
    for engine in engines.values():
        fill(engine, TABLES)
    return engines


@given(text=queries())
@settings(max_examples=40, deadline=None, database=None, suppress_health_check=list(HealthCheck))
def test_the_same_rows(text: str, filled: Mapping[str, Adapter]) -> None:
    relation = bind_select(text, {name: Dataset(schema, name) for name, (schema, _) in TABLES.items()})
    answers = []
    for engine in filled.values():
        assert engine.relation_problems(relation) == []
        rows = engine.fetch(engine.statement([("q", relation)], "q", {name: engine.identifier(name) for name in TABLES}))
        answers.append(sorted((tuple(map(plain, row)) for row in rows), key=repr_of))
    first, *others = answers
    assert all(rows == first for rows in others), text
