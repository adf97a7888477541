"""What `join` and `lookup` share: how the rows of two datasets find each other, and which columns come from the other one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from headrace.business.model.schema import Column, Schema
from headrace.business.processing.expressions.build import all_of, column, test
from headrace.business.processing.expressions.coercion import comparable
from headrace.business.processing.expressions.faults import BindError
from headrace.business.processing.expressions.ir import Expr
from headrace.business.processing.relation import Relation
from headrace.business.processing.steps.findings import Findings
from headrace.business.processing.steps.projection import project, ref
from headrace.records import record


@record
class Match:
    """A pair of columns that must be equal: ours, theirs, and the name that theirs gets beside ours."""

    left: Column
    right: Column
    beside: str


def match_columns(
    on: Sequence[str] | Mapping[str, str], left: Schema, right: Schema, other: str, findings: Findings
) -> list[Match]:
    """The pairs of columns that `on` names: a list for the same names on both sides, a mapping for ours and theirs."""
    matches = []
    for i, (ours, theirs) in enumerate(on.items() if isinstance(on, Mapping) else zip(on, on, strict=True)):
        place = ours if isinstance(on, Mapping) else i
        first = findings.column(left, ours, "on", place, on_key=isinstance(on, Mapping))
        second = right.resolve(theirs)
        if second is None:
            trial = Findings()
            trial.column(right, theirs)
            findings.add(f"there is no column `{theirs}` in `{other}`", "on", place, hint=trial.problems[0].hint)
        if first is None or second is None:
            continue
        match = Match(first, second, _unused(f"{other}.{second.name}", {*left.names, *right.names}))
        try:
            comparable(ref(first), ref(second))
        except BindError as error:
            message = f"`{first.name}` is of type {first.type}, and `{second.name}` of `{other}` of type {second.type}"
            findings.add(message, "on", place, hint=error.hint or "cast one of them before")
        matches.append(match)
    return matches


def equal(matches: Sequence[Match], right_types: Mapping[str, Expr]) -> Expr:
    """The condition that all pairs are equal. What is theirs stands there as a plain column."""
    return all_of(
        *(
            test("equal", comparable(ref(m.left), ref(m.right))[0], column(m.beside, right_types[m.beside].type))
            for m in matches
        )
    )


def partners(right: Relation, matches: Sequence[Match], taken: Mapping[str, Column]) -> tuple[Relation, Expr | None]:
    """The other dataset with the columns to match, under names of their own, and those that are taken, under their new
    names; and the condition under which its rows are partners of ours."""
    keys = {m.beside: comparable(ref(m.left), ref(m.right))[1] for m in matches}
    side = project(right, {**keys, **{new: ref(old) for new, old in taken.items()}})
    return side, equal(matches, keys) if matches else None


def nullable(schema: Schema) -> Schema:
    """The columns of a side that may have no row."""
    return Schema(tuple(replace(c, nullable=True) for c in schema))


def _unused(name: str, taken: set[str]) -> str:
    lowered = {t.lower() for t in taken}
    while name.lower() in lowered:
        name += "_"
    return name
