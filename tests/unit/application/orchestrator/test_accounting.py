"""Rows on every edge: what arithmetic gives, what must be counted, and what does not balance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from tests.unit.application.orchestrator.stand_ins import StandInSink, StandInSource

from headrace.application.orchestrator.accounting import check_source, rows_of_steps
from headrace.business.engine import Ingested
from headrace.business.model.definition import Definition, SinkDefinition, SourceDefinition, StepDefinition
from headrace.business.model.schema import Schema
from headrace.business.model.types import Integer, String
from headrace.business.ports import Scan
from headrace.business.processing.plan import Plan, Resolved
from headrace.business.processing.planning import build_plan
from headrace.business.processing.steps.aggregate import AggregateStep
from headrace.business.processing.steps.derive import DeriveStep
from headrace.business.processing.steps.filter import FilterStep
from headrace.errors import Unbalanced


def plan_of(*steps: StepDefinition, sinks: Sequence[str] = ()) -> Plan:
    definition = Definition(
        pipeline="p",
        sources={"a": SourceDefinition(plugin=StandInSource())},
        steps=steps,
        sinks=tuple(SinkDefinition(name=f"to_{s}", from_=s, plugin=StandInSink()) for s in sinks),
    )
    return build_plan(definition, {"a": Resolved(Scan(Schema.of(x=Integer(64), word=String())))})


def derive(name: str) -> StepDefinition:
    return StepDefinition(name=name, plugin=DeriveStep.model_validate({"columns": {name: "x + 1"}}))


def keep(name: str) -> StepDefinition:
    return StepDefinition(name=name, plugin=FilterStep.model_validate(FilterStep.written("x > 0")))


def never(datasets: Sequence[str]) -> Mapping[str, int]:
    raise AssertionError(f"counted {datasets}, which arithmetic gives")


def test_a_chain_with_one_filter_needs_no_counting() -> None:
    plan = plan_of(derive("d"), keep("k"), derive("e"), sinks=["e"])
    rows = rows_of_steps(plan, {"a": 100, "e": 60}, {}, never)
    assert [(r.step.name, r.inputs, r.rows, r.filtered) for r in rows] == [
        ("d", {"a": 100}, 100, 0),
        ("k", {"d": 100}, 60, 40),
        ("e", {"k": 60}, 60, 0),
    ]


def test_between_two_filters_only_the_edge_in_doubt_is_counted() -> None:
    asked: list[str] = []

    def count(datasets: Sequence[str]) -> Mapping[str, int]:
        asked.extend(datasets)
        return {"k": 80}

    plan = plan_of(keep("k"), keep("m"), sinks=["m"])
    rows = rows_of_steps(plan, {"a": 100, "m": 60}, {}, count)
    assert asked == ["k"]
    assert [r.filtered for r in rows] == [20, 20]


def test_an_aggregate_says_how_many_went_in_and_came_out() -> None:
    by_word = AggregateStep.model_validate({"by": ["word"], "measures": {"n": "count(*)"}})
    plan = plan_of(derive("d"), StepDefinition(name="g", plugin=by_word), sinks=["g"])
    rows = rows_of_steps(plan, {"a": 100, "g": 7}, {}, never)
    assert [(r.rows, r.filtered, r.added) for r in rows] == [(100, 0, 0), (7, 0, 0)]


def test_a_step_that_may_not_change_the_number_of_rows_and_did_is_told_of() -> None:
    plan = plan_of(derive("d"), sinks=["d"])
    with pytest.raises(Unbalanced, match="given 100 rows and gave 99"):
        rows_of_steps(plan, {"a": 100, "d": 99}, {}, never)


def test_a_filter_that_adds_rows_is_told_of() -> None:
    with pytest.raises(Unbalanced, match="only drops rows"):
        rows_of_steps(plan_of(keep("k"), sinks=["k"]), {"a": 5, "k": 6}, {}, never)


def test_a_source_of_which_a_row_is_missing_is_told_of() -> None:
    check_source(Ingested("a", read=10, good=6, quarantined=2, dropped=1, filtered=1, broken=0))
    with pytest.raises(Unbalanced, match="10 rows were read"):
        check_source(Ingested("a", read=10, good=6, quarantined=2, dropped=1, filtered=0, broken=0))
