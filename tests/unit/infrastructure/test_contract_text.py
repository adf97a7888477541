"""Contracts as YAML: short, with remarks, and read back as they were."""

from hypothesis import given
from hypothesis import strategies as st

from headrace.business.model.contract import Contract
from headrace.infrastructure.contract_text import to_yaml
from headrace.infrastructure.loading.reading import read_document

TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=12)


def read(text):
    return Contract.model_validate(read_document(text, "contract.yaml").data)


def test_a_column_is_a_line_with_its_remark_behind_it():
    contract = Contract.model_validate(
        {
            "columns": {"id": {"type": "int64", "required": True}, "no": {"type": "string", "in": ["yes", "1e5"]}},
            "key": ["id", "no"],
            "rules": {"later": {"expression": "a > b", "on_violation": "warn"}, "short": "a > 0"},
            "on_violation": "drop",
            "description": "Every departure: from New York",
        }
    )
    text = to_yaml(contract, {"id": "1 to 9", "no": "two words"}, "9 rows were looked at")
    assert text.splitlines() == [
        "# 9 rows were looked at",
        "description: 'Every departure: from New York'",
        "key: [id, 'no']",
        "columns:",
        "  id: {type: int64, required: true}         # 1 to 9",
        "  'no': {type: string, in: ['yes', '1e5']}  # two words",
        "rules:",
        "  later:",
        "    expression: a > b",
        "    on_violation: warn",
        "  short:",
        "    expression: a > 0",
        "on_violation: drop",
    ]
    assert read(text) == contract


def test_a_remark_that_does_not_fit_stands_above():
    contract = Contract.model_validate({"columns": {"a": {"in": ["x" * 50, "y" * 50]}}})
    assert to_yaml(contract, {"a": "two words"}).splitlines()[:2] == ["columns:", "  # two words"]


def test_an_empty_contract():
    assert to_yaml(Contract()) == "columns: {}\n"


@given(st.dictionaries(TEXTS.filter(bool), TEXTS, max_size=3), TEXTS)
def test_names_and_remarks_cannot_break_the_text(remarks, about):
    contract = Contract.model_validate({"columns": {name: {"description": remark} for name, remark in remarks.items()}})
    assert read(to_yaml(contract, remarks, about)) == contract


def test_checks_follow_as_a_comment():
    text = to_yaml(Contract(), checks=[{"row_count": {"min": 1}}, {"name": "x", "unique": {"columns": ["a"]}}])
    assert text.splitlines()[1:] == [
        "# These look at the dataset as a whole. They belong under `checks:` in the definition of a pipeline:",
        "#   - {row_count: {min: 1}}",
        "#   - {name: x, unique: {columns: [a]}}",
    ]
    assert read(text) == Contract()
