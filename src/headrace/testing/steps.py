"""The laws of steps."""

from __future__ import annotations

from pathlib import Path

from headrace import bootstrap
from headrace.business.model.plugin import Plugin
from headrace.business.model.schema import Schema
from headrace.business.ports import Step
from headrace.testing.sessions import session_of, unwatched
from headrace.testing.stand_ins import Row, RowsSource, loaded_of


def step_conforms(step: Plugin, project: Path, **inputs: RowsSource) -> list[Row]:
    """The step is pure, and the engine gives exactly the columns and types that it promised. The first input is the one before it.

    Returns the rows that come out, for tests on what the step means.
    """
    assert isinstance(step, Step), f"{type(step).__name__} has not all that a step needs: kind, apply"
    loaded = loaded_of(project, inputs, (step,), (), ())
    planned = bootstrap.plan(loaded).steps[-1]
    assert planned.relation == bootstrap.plan(loaded).steps[-1].relation, (
        "`apply` gives another relation when it is called again"
    )
    with session_of(loaded, project) as session:
        staged = session.stage(planned.name, project / ".kit" / "staged", unwatched)
        rows = list(session.rows(planned.name, 10_000))
    file = bootstrap.catalog().source("file").model_validate({"path": str(project / ".kit" / "staged" / "*.parquet")})
    found: Schema = file.schema_of(project)  # type: ignore[attr-defined]  # every source has it
    promised = [(c.name, str(c.type)) for c in planned.schema]
    assert [(c.name, str(c.type)) for c in found] == promised, f"promised: {promised}; came: {[str(c) for c in found]}"
    assert staged.rows == len(rows)
    for column in planned.schema:
        assert column.nullable or all(row[column.name] is not None for row in rows), (
            f"`{column.name}` holds a null, and promised none"
        )
    return rows
