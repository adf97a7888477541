"""The laws of steps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from headrace import bootstrap
from headrace.business.inside import places
from headrace.business.model.schema import Schema
from headrace.business.ports import Step
from headrace.testing.laws import demand
from headrace.testing.sessions import files_of, session_of, unwatched
from headrace.testing.stand_ins import Row, RowsSource, loaded_of


def step_conforms(step: Any, project: Path, **inputs: RowsSource) -> list[Row]:
    """The step is pure, and the engine gives exactly the columns and types that it promised. The first input is the one before it.

    Returns the rows that come out, for tests on what the step means.
    """
    demand(isinstance(step, Step), f"{type(step).__name__} has not all that a step needs: kind, apply")
    loaded = loaded_of(project, files_of(project, **inputs), (step,), (), ())
    planned = bootstrap.plan(loaded).steps[-1]
    demand(
        planned.relation == bootstrap.plan(loaded).steps[-1].relation, "`apply` gives another relation when it is called again"
    )
    with session_of(loaded, project) as session:
        staged = session.stage(planned.name, project / ".kit" / "session" / "staged", unwatched)
        rows = list(session.rows(planned.name, 10_000))
        file = bootstrap.catalog().source("file").model_validate({"path": list(places(staged))})
        found: Schema = file.scan(project).schema  # type: ignore[attr-defined]  # files are scannable
    promised = [(c.name, str(c.type)) for c in planned.schema]
    demand([(c.name, str(c.type)) for c in found] == promised, f"promised: {promised}; came: {[str(c) for c in found]}")
    demand(staged.rows == len(rows), "rows that are staged and rows that are read differ in number")
    for column in planned.schema:
        demand(
            column.nullable or all(row[column.name] is not None for row in rows),
            f"`{column.name}` holds a null, and promised none",
        )
    return rows
