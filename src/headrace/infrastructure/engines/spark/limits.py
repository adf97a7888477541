"""Whether a whole plan can be carried out on Spark, found before anything runs. What a single expression may not be stands in
`problems`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from headrace.business.processing.expressions.ir import Expr
from headrace.business.processing.plan import Plan, PlannedSource
from headrace.errors import Path, Problem
from headrace.infrastructure.engines.spark.problems import plan_problems, relation_problems
from headrace.infrastructure.engines.spark.types import type_problem


def problems_of(plan: Plan) -> Iterator[Problem]:
    for source in plan.sources:
        yield from _of_source(source, ("sources", source.name))
    places = {step.name: i for i, step in enumerate(plan.definition.steps)}
    for step in plan.steps:
        path: Path = ("steps", places[step.name])
        yield from (Problem(message, path) for message in relation_problems(step.relation))
    for i, check in enumerate(plan.checks):
        yield from _of_expressions((*check.measures.values(), *check.other_measures.values()), ("checks", i))


def _of_source(source: PlannedSource, path: Path) -> Iterator[Problem]:
    for column in dict.fromkeys((*source.scan.schema, *source.schema)):
        if why := type_problem(column.type):
            yield Problem(f"`{column.name}` is {column.type}: {why}", path)
    cells = [e for cell in source.contract.cells for e in (cell.tidied, cell.value) if e is not None]
    yield from _of_expressions([*cells, *(rule.violated for rule in source.contract.rules)], path)


def _of_expressions(expressions: Sequence[Expr], path: Path) -> Iterator[Problem]:
    messages = dict.fromkeys(message for e in expressions for message in plan_problems(e))
    yield from (Problem(message, path) for message in messages)
