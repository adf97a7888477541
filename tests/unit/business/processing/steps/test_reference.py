"""The reference page says what the steps say of themselves."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path

from headrace.business.processing.steps.reference import steps_page

PAGE = Path(__file__).parents[5] / "docs" / "reference" / "steps.md"


def test_the_page_is_current():
    steps = [entry.load() for entry in entry_points(group="headrace.steps")]
    assert PAGE.read_text() == steps_page(steps), (
        "write it anew with `python -m headrace.business.processing.steps.reference > docs/reference/steps.md`"
    )


def test_every_step_is_registered_under_its_own_name():
    found = {entry.name: entry.load() for entry in entry_points(group="headrace.steps")}
    assert len(found) == 20
    assert all(step.kind == name for name, step in found.items())
