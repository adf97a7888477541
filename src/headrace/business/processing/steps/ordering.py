"""Orderings as people write them: `carrier`, `-dep_delay`, `dep_delay desc nulls first`. Nulls come last unless it says otherwise."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from headrace.business.model.schema import Schema
from headrace.business.processing.expressions.ir import Constant, Expr, SortKey
from headrace.business.processing.steps.findings import Findings
from headrace.business.processing.steps.projection import ref
from headrace.records import record

_TERM = re.compile(r"(?P<value>.*?)(?:\s+(?P<way>asc|desc))?(?:\s+nulls\s+(?P<nulls>first|last))?", re.IGNORECASE | re.DOTALL)
_NAME = re.compile(r'[^\W\d]\w*|"(?:[^"]|"")+"')


@record
class Term:
    """One ordering, and whether it was said where nulls go."""

    key: SortKey
    nulls_said: bool

    def reversed(self) -> Term:
        """The other way round. Nulls keep their place at the end, unless it was said where they go."""
        nulls_first = not self.key.nulls_first if self.nulls_said else False
        return replace(self, key=replace(self.key, descending=not self.key.descending, nulls_first=nulls_first))


def read_terms(terms: Sequence[str], schema: Schema, findings: Findings, *path: str | int) -> list[Term]:
    """The orderings of these texts; each is a column, or an expression, perhaps with a direction."""
    found = (_read(text, schema, findings, *path, i) for i, text in enumerate(terms))
    return [term for term in found if term is not None]


def _read(text: str, schema: Schema, findings: Findings, *path: str | int) -> Term | None:
    value, minus, way, nulls = _taken_apart(text, schema)
    expression = _value(value, text.find(value), schema, findings, *path)
    if expression is None:
        return None
    if minus and way:
        findings.add("`-` already says that the greatest comes first", *path, hint=f"write `{value} {way}` or `-{value}`")
    if isinstance(expression, Constant):
        findings.add("a constant orders nothing", *path, hint="name a column")
    elif not expression.type.is_ordered:
        findings.add(f"`{value}` is of type {expression.type}, which has no order", *path)
    return Term(SortKey(expression, minus or way == "desc", nulls == "first"), nulls_said=nulls is not None)


def _taken_apart(text: str, schema: Schema) -> tuple[str, bool, str | None, str | None]:
    """What is ordered by, whether a `-` stands before it, the direction, and the place of nulls."""
    match = _TERM.fullmatch(text.strip())
    if text in schema or match is None:
        return text, False, None, None
    value, way, nulls = match["value"], match["way"], match["nulls"]
    minus = value.startswith("-") and value not in schema
    return value.removeprefix("-").lstrip() if minus else value, minus, way and way.lower(), nulls and nulls.lower()


def _value(value: str, offset: int, schema: Schema, findings: Findings, *path: str | int) -> Expr | None:
    if value in schema or _NAME.fullmatch(value):
        name = value if value in schema or not value.startswith('"') else value[1:-1].replace('""', '"')
        column = findings.column(schema, name, *path)
        return ref(column) if column else None
    trial = Findings()
    expression = trial.expression(value, schema)
    for problem in trial.problems:
        findings.add(
            problem.message, *path, hint=problem.hint, offset=None if problem.offset is None else problem.offset + offset
        )
    return expression


def total_order(keys: Sequence[SortKey], schema: Schema, equal: Sequence[str]) -> tuple[SortKey, ...]:
    """The order with all columns behind it that it does not name, so that no two different rows tie. Rows that are compared
    have the same values in the columns `equal`."""
    named = {*equal, *(name for key in keys if (name := key.expression.reads()) is not None)}
    return (*keys, *(SortKey(ref(column)) for column in schema if column.name not in named))
