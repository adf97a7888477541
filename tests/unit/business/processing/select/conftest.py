"""Two small datasets that share a column name."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from headrace.business.model.schema import Column, Schema
from headrace.business.model.types import Date, Integer, String
from headrace.business.processing.relation import Dataset, Relation

FLIGHTS = (
    Column("Carrier", String(), nullable=False, classification="internal"),
    Column("flight", Integer(32), nullable=False),
    Column("delay", Integer(32)),
    Column("day", Date(), nullable=False),
)
AIRLINES = (Column("carrier", String(), nullable=False), Column("name", String(), nullable=False, classification="public"))


@pytest.fixture(scope="session")
def datasets() -> Mapping[str, Relation]:
    return {"flights": Dataset(Schema(FLIGHTS), "flights"), "airlines": Dataset(Schema(AIRLINES), "airlines")}
