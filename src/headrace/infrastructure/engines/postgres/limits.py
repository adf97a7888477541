"""Whether a whole plan can be carried out in PostgreSQL, found before anything runs. What a single expression may not be stands in
`problems`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from headrace.business.model.schema import Schema
from headrace.business.processing.expressions.ir import Expr
from headrace.business.processing.plan import Plan, PlannedSource
from headrace.business.validation.compiled import raw, tidy
from headrace.errors import Path, Problem
from headrace.infrastructure.engines.postgres.literals import LONGEST_NAME
from headrace.infrastructure.engines.postgres.problems import name_problem, plan_problems, relation_problems
from headrace.infrastructure.engines.postgres.types import type_problem

#: The most columns of a table, and of what a statement computes on the way to it.
MOST_COLUMNS = 1600
#: Every table has columns of these names already.
_SYSTEM = {"ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"}


def problems_of(plan: Plan) -> Iterator[Problem]:
    for source in plan.sources:
        yield from _of_source(source, ("sources", source.name))
        yield from _of_names(source.schema, ("sources", source.name))
    places = {step.name: i for i, step in enumerate(plan.definition.steps)}
    for step in plan.steps:
        path: Path = ("steps", places[step.name])
        yield from (Problem(message, path) for message in relation_problems(step.relation))
        yield from _of_names(step.schema, path)
    for i, check in enumerate(plan.checks):
        yield from _of_expressions((*check.measures.values(), *check.other_measures.values()), ("checks", i))


def _of_source(source: PlannedSource, path: Path) -> Iterator[Problem]:
    contract = source.contract
    arriving = Schema(tuple(c for c in source.scan.schema if c.name in source.columns_read))
    for column in (*arriving, *(c for c in source.schema if c.name in source.needed)):
        if why := type_problem(column.type):
            yield Problem(f"`{column.name}` is {column.type}: {why}", path)
    ours = [*map(raw, arriving.names), *(tidy(cell.column.name) for cell in contract.cells if cell.tidied is not None)]
    for name in ours:
        if len(name.encode()) > LONGEST_NAME:
            hint = "give it a shorter one, or run the pipeline with `engine: duckdb`"
            yield Problem(f"`{name.split(' ', 1)[1]}` is too long a name for PostgreSQL to judge the column", path, hint)
    if len(ours) + len(contract.cells) + len(contract.rules) > MOST_COLUMNS:
        hint = "read fewer columns, or run the pipeline with `engine: duckdb`"
        yield Problem(f"{len(arriving):,} columns are more than PostgreSQL can judge at once", path, hint)
    read = [cell for cell in contract.cells if cell.source in source.columns_read]
    cells = [e for cell in read for e in (cell.tidied, cell.value) if e is not None]
    yield from _of_expressions([*cells, *(rule.violated for rule in contract.rules)], path)


def _of_expressions(expressions: Sequence[Expr], path: Path) -> Iterator[Problem]:
    messages = dict.fromkeys(message for e in expressions for message in plan_problems(e))
    yield from (Problem(message, path) for message in messages)


def _of_names(schema: Schema, path: Path) -> Iterator[Problem]:
    for name in schema.names:
        if name in _SYSTEM:
            yield Problem(f"every table of PostgreSQL has a column `{name}` of its own", path, "rename the column")
        elif why := name_problem(name):
            yield Problem(why, path)
