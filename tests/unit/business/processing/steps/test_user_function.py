from __future__ import annotations

import sys

import pytest

from headrace.business.processing.steps.user_function import UserFunction
from headrace.errors import NonRetryableError


@pytest.fixture
def project(tmp_path):
    (tmp_path / "steps").mkdir()
    (tmp_path / "steps" / "geography.py").write_text(
        "def locate(table, *others, radius=1):\n    return [table, others, radius]\n"
    )
    (tmp_path / "headrace_test_module.py").write_text(
        "class Group:\n    @staticmethod\n    def f(table):\n        return table + 1\n"
    )
    (tmp_path / "headrace_test_broken.py").write_text("import headrace_test_absent\n")
    yield tmp_path
    for name in ("headrace_test_module", "headrace_test_broken"):
        sys.modules.pop(name, None)


def test_a_file_is_looked_for_in_the_project(project):
    found = UserFunction("steps/geography.py:locate", (("radius", 5),)).at(project)
    assert found("a", "b") == ["a", ("b",), 5]


def test_a_module_is_looked_for_in_the_project_and_the_path_stays_as_it_was(project):
    before = list(sys.path)
    assert UserFunction("headrace_test_module:Group.f").at(project)(1) == 2
    assert sys.path == before


def test_making_one_imports_nothing():
    made = UserFunction("tests.unit.business.processing.steps.never_imported:f")
    assert made.at(made.project).call == made.call
    assert "tests.unit.business.processing.steps.never_imported" not in sys.modules


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("headrace_no_such_module:f", "there is no module `headrace_no_such_module`"),
        ("steps/nope.py:f", "there is no file `steps/nope.py`"),
        ("steps/geography.py:locte", "there is no function `locte` in `steps/geography.py`\n    did you mean `locate`?"),
        ("tests.unit.business.processing.steps.functions_for_steps:NOT_A_FUNCTION", "is no function"),
    ],
)
def test_what_is_not_there_is_said(project, call, message):
    with pytest.raises(NonRetryableError) as caught:
        UserFunction(call).at(project).found()
    assert message in str(caught.value)
    assert caught.value.hint


def test_what_a_module_lacks_is_not_called_the_module(project):
    with pytest.raises(ModuleNotFoundError, match="headrace_test_absent"):
        UserFunction("headrace_test_broken:f").at(project).found()
