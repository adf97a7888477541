"""The reference page says what the checks say of themselves."""

from importlib.metadata import entry_points
from pathlib import Path

from headrace.business.ports import Check
from headrace.business.validation.checks.reference import checks_page

PAGE = Path(__file__).parents[5] / "docs" / "reference" / "checks.md"


def loaded():
    return {entry.name: entry.load() for entry in entry_points(group="headrace.checks") if entry.value.startswith("headrace.")}


def test_the_page_is_current():
    assert PAGE.read_text() == checks_page(loaded().values()), (
        "write it anew with `python -m headrace.business.validation.checks.reference > docs/reference/checks.md`"
    )


def test_every_check_is_registered_under_its_own_name():
    assert len(loaded()) == 17
    for name, check in loaded().items():
        assert check.kind == name
        assert all(hasattr(check, member) for member in ("measures", "judge"))
        assert "on_fail" in check.model_fields
    assert isinstance(loaded()["row_count"](min=1), Check)


def test_every_option_is_described():
    silent = [
        f"{n}.{o}"
        for n, c in loaded().items()
        for o, f in c.model_fields.items()
        if not f.description and o not in ("column", "columns")
    ]
    assert silent == []


def test_every_check_has_a_schema_for_editors():
    for check in loaded().values():
        assert check.model_json_schema()["additionalProperties"] is False
