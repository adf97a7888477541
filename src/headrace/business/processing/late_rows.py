"""The rows that come too late for every window of a step, as a dataset of their own: `<step>.late`. Not which those are."""

from __future__ import annotations

from headrace.business.model.windows import LATE
from headrace.business.processing.expressions.build import BOOLEAN, constant
from headrace.business.processing.plan import PlannedStep
from headrace.business.processing.relation import Filter, Relation
from headrace.business.processing.stateful import Groups, LateRows, Pairs, Stateful


def late_rows(step: str, relation: Relation) -> PlannedStep | None:
    """The dataset of the late rows of a step; None for a step that has none. In a batch all rows are there in time."""
    if not isinstance(relation, Stateful) or isinstance(relation.meaning, Pairs | LateRows):
        return None
    if isinstance(relation.meaning, Groups) and relation.meaning.window is None:
        return None
    rows = relation.meaning.rows
    none = Filter(rows.schema, rows, constant(False, BOOLEAN))
    return PlannedStep(f"{step}{LATE}", "late rows", Stateful(rows.schema, none, LateRows(step)))
