from __future__ import annotations

import importlib
from typing import Any

import pytest

from headrace.business.model.schema import Column, Schema
from headrace.business.model.types import Date, Float, Integer, Json, List, String, Timestamp
from headrace.business.processing.relation import Dataset, Relation
from headrace.errors import DefinitionError

FLIGHTS = Schema(
    (
        Column("carrier", String(), False),
        Column("flight", Integer(32)),
        Column("dep_delay", Float(64)),
        Column("distance", Integer(32)),
        Column("time_hour", Timestamp()),
        Column("origin", String(), True, "public"),
        Column("tailnum", String(), True, "pii"),
        Column("tags", List(String())),
        Column("raw", Json()),
        Column("day", Date()),
    )
)
AIRLINES = Schema((Column("carrier", String(), False), Column("name", String(), True, "internal")))
AIRPORTS = Schema((Column("faa", String(), False), Column("lat", Float(64)), Column("origin", String())))


class Bench:
    """Applies steps as they are written over three datasets."""

    def __init__(self) -> None:
        self.inputs: dict[str, Relation] = {
            "flights": Dataset(FLIGHTS, "flights"), "airlines": Dataset(AIRLINES, "airlines"), "airports": Dataset(AIRPORTS, "airports"),
        }  # fmt: skip
        self.inputs["input"] = self.inputs["flights"]

    def step(self, kind: str, written: Any) -> Any:
        made = getattr(importlib.import_module(f"headrace.business.processing.steps.{kind}"), f"{kind.capitalize()}Step")
        return made.model_validate(made.written(written))

    def apply(self, kind: str, written: Any) -> Relation:
        relation: Relation = self.step(kind, written).apply(self.inputs)
        return relation

    def columns(self, kind: str, written: Any) -> list[str]:
        """What a step makes of the columns, those that pass as they are left out."""
        before = {str(c) for c in FLIGHTS}
        return [str(c) for c in self.apply(kind, written).schema if str(c) not in before]

    def problems(self, kind: str, written: Any) -> list[tuple[Any, ...]]:
        """Where and what: the path, the offset and the message of every problem."""
        with pytest.raises(DefinitionError) as caught:
            self.apply(kind, written)
        return [(p.path, p.offset, p.message) for p in caught.value.problems]

    def hints(self, kind: str, written: Any) -> list[str | None]:
        with pytest.raises(DefinitionError) as caught:
            self.apply(kind, written)
        return [p.hint for p in caught.value.problems]


@pytest.fixture
def bench() -> Bench:
    return Bench()
