"""The catalogue is closed, each entry is complete, and its reference page is current."""

from __future__ import annotations

from pathlib import Path

import pytest

from headrace.business.processing.expressions import catalog
from headrace.business.processing.expressions.faults import BindError
from headrace.business.processing.expressions.function import Function
from headrace.business.processing.expressions.reference import reference
from headrace.business.processing.expressions.signatures import parameters

PAGE = Path(__file__).parents[5] / "docs" / "reference" / "functions.md"


def test_the_reference_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference(), (
        "write it anew: python -c 'from headrace.business.processing.expressions.reference import reference; print(reference(), end=\"\")' > "
        "docs/reference/functions.md"
    )


@pytest.mark.parametrize("entry", catalog.FUNCTIONS, ids=lambda entry: entry.name)
def test_every_entry_says_everything(entry: Function) -> None:
    declared, result = parameters(entry.signature)
    assert all(p.name and p.kind for p in declared)
    assert result
    assert entry.meaning.endswith((".", ")"))
    assert entry.example
    assert entry.gives
    assert (entry.kind == "operator") == (entry.written is not None)


def test_names_are_unique() -> None:
    names = [name for entry in catalog.FUNCTIONS for name in (entry.name, *entry.aliases)]
    assert len(names) == len(set(names))


def test_functions_are_found_whatever_their_case_and_by_their_other_names() -> None:
    assert catalog.function("LENGTH").name == "length"
    assert catalog.function("substr").name == "substring"


@pytest.mark.parametrize(
    ("name", "hint"),
    [("lenght", "`length`"), ("now", "repeatable"), ("random", "random"), ("read_parquet", "source"), ("and", "a and b")],
)
def test_what_is_not_in_it_is_explained(name: str, hint: str) -> None:
    with pytest.raises(BindError) as refused:
        catalog.function(name)
    assert hint in (refused.value.hint or "")
