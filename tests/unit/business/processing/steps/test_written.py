"""The ways in which people write a step all come to the same step."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
import yaml
from pydantic import ValidationError

from headrace.business.processing.steps.python import PythonStep
from headrace.business.processing.steps.reference import examples

KINDS = ["aggregate", "cast", "clean", "dedupe", "derive", "filter", "join", "limit", "lookup", "pivot", "python", "rename", "sample", "select", "sort", "sql", "union", "unnest", "unpivot", "window"]  # fmt: skip


class _Yaml(yaml.SafeLoader):
    """YAML in which `on` is a word, as in definitions."""

    yaml_implicit_resolvers: ClassVar[Any] = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool" or first in "tTfF"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


SAME = [
    ("select", "carrier", {"columns": ["carrier"]}),
    ("filter", "flight > 0", {"condition": "flight > 0"}),
    ("filter", True, {"condition": "true"}),
    ("limit", 10, {"rows": 10, "offset": 0}),
    ("sort", "-flight", {"by": ["-flight"]}),
    ("sample", "10%", {"share": 0.1}),
    ("sample", 0.1, {"share": 0.1, "seed": 0}),
    ("derive", {"x": "1"}, {"columns": {"x": "1"}}),
    ("derive", {"x": 1, "y": 1.5, "z": False}, {"columns": {"x": "1", "y": "1.5e0", "z": "false"}}),
    ("derive", {"columns": "flight + 1"}, {"columns": {"columns": "flight + 1"}}),
    ("rename", {"carrier": "x"}, {"columns": {"carrier": "x"}}),
    ("cast", {"flight": "int64"}, {"columns": {"flight": {"to": "bigint"}}}),
    ("cast", {"flight": {"to": "int8", "invalid": None}}, {"columns": {"flight": {"to": "int8", "invalid": "null"}}}),
    ("dedupe", ["carrier", "flight"], {"key": ["carrier", "flight"]}),
    ("dedupe", None, {}),
    ("clean", {"trim": "*", "dedupe": "flight"}, {"trim": ["*"], "dedupe": {"key": ["flight"]}}),
    ("unnest", "tags", {"column": "tags"}),
    ("unpivot", ["a", "b"], {"columns": ["a", "b"], "name_to": "name", "value_to": "value"}),
    ("union", "airlines", {"with": ["airlines"]}),
    ("sql", "select 1 as a", {"query": "select 1 as a"}),
    ("python", "a:b", {"call": "a:b", "schema": "same"}),
    (
        "lookup",
        {"with": "u", "on": "k", "take": "n", "missing": None},
        {"with": "u", "on": ["k"], "take": ["n"], "missing": "null"},
    ),
]


@pytest.mark.parametrize(("kind", "short", "full"), SAME)
def test_short_and_full_forms_are_equal(bench, kind, short, full):
    assert bench.step(kind, short) == bench.step(kind, full)


def test_the_python_names_of_options_are_known_too(bench):
    made = type(bench.step("union", "airlines"))
    assert made(with_=("airlines",)) == bench.step("union", "airlines")


@pytest.mark.parametrize(
    ("kind", "written"),
    [
        ("limit", -1), ("limit", "ten"), ("limit", 2.5), ("sample", 2), ("sample", "200%"), ("sample", {"rows": -1}), ("sort", []),
        ("derive", {}), ("rename", {}), ("cast", {"a": "int33"}), ("cast", {"a": {"to": "int8", "invalid": "skip"}}), ("select", {"colums": ["a"]}),
        ("dedupe", {"key": "a", "keep": "best"}), ("dedupe", {"kee": "a"}), ("clean", {"trimm": ["a"]}), ("clean", {"clip": {"a": [1]}}),
        ("clean", {"case": {"a": "camel"}}), ("join", {"on": "a"}), ("join", {"with": "a", "on": "b", "how": "outer"}),
        ("lookup", {"with": "a", "on": "b"}), ("lookup", {"with": "a", "on": "b", "take": []}), ("window", {"columns": {}}),
        ("pivot", {"by": "a", "on": "b", "measure": "count(*)"}), ("pivot", {"by": "a", "on": "b", "values": [], "measure": "count(*)"}),
        ("unpivot", []), ("union", []), ("python", {"call": "a:b", "schema": {"x": "nope"}}), ("python", {"call": "a:b", "schema": {}}),
    ],
)  # fmt: skip
def test_options_that_mean_nothing_are_refused(bench, kind, written):
    with pytest.raises(ValidationError):
        bench.step(kind, written)


@pytest.mark.parametrize("kind", KINDS)
def test_the_examples_in_the_docstrings_are_good(bench, kind):
    made = type(bench.step(kind, next(written for k, written, _ in [*SAME, *MORE] if k == kind)))
    texts = examples(made)
    assert texts
    for text in texts:
        for step in yaml.load(text, _Yaml):
            ((name, written),) = step.items()
            assert name == kind
            made.model_validate(made.written(written))


MORE = [
    ("aggregate", {"measures": {"n": "count(*)"}}, None),
    ("join", {"with": "airlines", "on": "carrier"}, None),
    ("pivot", {"on": "flight", "values": [1], "measure": "count(*)"}, None),
    ("window", {"columns": {"n": "count(*)"}}, None),
]


@pytest.mark.parametrize(
    "written",
    [
        {
            "clean": {
                "trim": ["carrier"],
                "dedupe": {"key": ["carrier", "flight", "time_hour"], "keep": "last", "order_by": "time_hour"},
            }
        },
        {"derive": {"speed_mph": "distance / (dep_delay / 60.0)"}},
        {"sql": "select f.*, a.name as airline from flights f join airlines a using (carrier)"},
        {"filter": "dep_delay > 0"},
        {"limit": 10},
        {"sort": ["-dep_delay", "carrier"]},
    ],
)
def test_the_steps_of_the_first_pipeline_apply_as_written(bench, written):
    ((kind, value),) = written.items()
    assert len(bench.apply(kind, value).schema) >= 10


def test_a_function_that_has_a_name_is_the_same_step_as_its_name():
    from tests.unit.business.processing.steps import functions_for_steps

    given = PythonStep(call=functions_for_steps.double)
    assert given == PythonStep(call="tests.unit.business.processing.steps.functions_for_steps:double")
    assert given.model_dump(mode="json")["call"] == given.call


def test_a_function_without_a_name_is_kept_and_can_be_shown():
    step = PythonStep(call=lambda table: table)
    assert callable(step.call)
    assert "<lambda>" in step.model_dump(mode="json")["call"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_step_has_a_schema_for_editors(bench, kind):
    made = type(bench.step(kind, next(written for k, written, _ in [*SAME, *MORE] if k == kind)))
    properties = made.model_json_schema()["properties"]
    assert all(option.get("description") for option in properties.values())
