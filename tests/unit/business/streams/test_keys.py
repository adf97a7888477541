"""By which columns a join finds its pairs: equations in one type, and nothing that could fail on a row without a partner."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from headrace.business.model.schema import Column, Schema
from headrace.business.model.types import Integer, String, Timestamp
from headrace.business.processing.expressions.build import cast, column
from headrace.business.processing.relation import Dataset
from headrace.business.processing.stateful import Stateful
from headrace.business.processing.steps.join import JoinStep
from headrace.business.streams.keys import Keys, matched_keys

OURS = Dataset(
    Schema((Column("at", Timestamp()), Column("k", Integer(32)), Column("name", String()), Column("upto", Timestamp()))),
    "ours", "at", ("at",),
)  # fmt: skip
THEIRS = Dataset(
    Schema((Column("at", Timestamp()), Column("k", Integer(64)), Column("name", String()))), "theirs", "at", ("at",)
)


def keys(on: Any, **options: Any) -> tuple[Keys, Keys]:
    step = JoinStep.model_validate({"with": "theirs", "on": on, "suffix": "_2", **options})
    joined = step.apply({"input": OURS, "theirs": THEIRS})
    assert isinstance(joined, Stateful)
    return matched_keys(joined.meaning.found, OURS, THEIRS)  # type: ignore[union-attr]


WIDE = cast(column("k", Integer(32)), Integer(64))
NARROW, K, NAME = column("k", Integer(32)), column("k", Integer(64)), column("name", String())


@pytest.mark.parametrize(
    ("on", "ours", "theirs"),
    [
        (["k"], (WIDE,), (K,)),
        (["name", "k"], (NAME, WIDE), (NAME, K)),
        ("k = k_2 and name <> name_2", (WIDE,), (K,)),
        ("name_2 = name", (NAME,), (NAME,)),
        ("upper(name) = name_2 and k = k_2", (WIDE,), (K,)),
        ("cast(name as int64) = k_2", (), ()),
        ("name = name_2 or k = k_2", (), ()),
        ("k < k_2", (), ()),
    ],
)
def test_what_has_to_be_equal_is_known_of_both_sides(on: Any, ours: Keys, theirs: Keys) -> None:
    assert keys(on, within=timedelta(minutes=1)) == (ours, theirs)


def test_a_join_for_ever_is_found_by_its_columns_as_well() -> None:
    assert keys(["name"], keep="forever") == ((NAME,), (NAME,))
