"""Finds the rows on every edge of the graph: by arithmetic where it can, by counting only where it must. And checks the balance."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from headrace.business.engine import Ingested
from headrace.business.processing.plan import Plan, PlannedStep
from headrace.errors import Unbalanced

Count = Callable[[Sequence[str]], Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class StepRows:
    """The rows of one step: in from each input, out, and what became of the difference."""

    step: PlannedStep
    inputs: Mapping[str, int]
    rows: int
    filtered: int
    added: int


def rows_of_steps(plan: Plan, known: Mapping[str, int], dropped: Mapping[str, int], count: Count) -> list[StepRows]:
    """The rows of every step. `known` are those of sources and staged results, `dropped` what deduplication removed.

    Raises `Unbalanced` when a step that cannot change the number of rows did, or one that only drops rows added some.
    """
    rows = _solve(plan, dict(known), dropped)
    needed = {name for step in plan.steps if step.name in _used(plan) for name in (step.name, *step.relation.datasets())}
    if unknown := [name for name in needed if name not in rows]:
        rows |= count(sorted(unknown))
        rows = _solve(plan, rows, dropped)
    return [
        _balanced(step, rows) for step in plan.steps if step.name in rows and all(n in rows for n in step.relation.datasets())
    ]


def _used(plan: Plan) -> set[str]:
    """The steps whose rows end somewhere: in a staged result or in a check."""
    used = {*plan.staged, *(c.dataset for c in plan.checks)}
    for step in reversed(plan.steps):
        if step.name in used:
            used |= set(step.relation.datasets())
    return used


def _solve(plan: Plan, rows: dict[str, int], dropped: Mapping[str, int]) -> dict[str, int]:
    """Carry numbers along the edges on which they cannot change, both ways, until nothing new comes of it."""
    changed = True
    while changed:
        changed = False
        for step in plan.steps:
            source = step.relation.datasets()[0]
            loss = 0 if step.rows == "same" else dropped.get(step.name)
            if loss is None:
                continue
            if source in rows and step.name not in rows:
                rows[step.name], changed = rows[source] - loss, True
            elif step.name in rows and source not in rows:
                rows[source], changed = rows[step.name] + loss, True
    return rows


def _balanced(step: PlannedStep, rows: Mapping[str, int]) -> StepRows:
    inputs = {name: rows[name] for name in step.relation.datasets()}
    first, out = next(iter(inputs.values())), rows[step.name]
    if step.rows == "same" and out != first:
        raise Unbalanced(f"step `{step.name}` was given {first} rows and gave {out}")
    if step.rows == "fewer" and out > first:
        raise Unbalanced(f"step `{step.name}` only drops rows, yet was given {first} and gave {out}")
    fewer = step.rows == "fewer"
    return StepRows(
        step, inputs, out, filtered=first - out if fewer else 0, added=0 if fewer else max(0, out - sum(inputs.values()))
    )


def check_source(found: Ingested) -> None:
    """Every record that was read has exactly one fate."""
    fates = found.good + found.quarantined + found.dropped + found.filtered
    if found.read != fates:
        raise Unbalanced(
            f"{found.dataset}: {found.read} rows were read, but {found.good} good + {found.quarantined} quarantined + "
            f"{found.dropped} dropped + {found.filtered} filtered are {fates}"
        )
