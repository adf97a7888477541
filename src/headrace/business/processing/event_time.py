"""Which column of a relation says when its rows happened: that of its source's watermark, as long as it is passed on as it is."""

from __future__ import annotations

from headrace.business.processing.expressions.ir import ColumnRef
from headrace.business.processing.relation import Dataset, GroupBy, Project, Relation
from headrace.business.processing.stateful import Stateful


def event_time(relation: Relation) -> str | None:
    """The name that it has here; None where there is none. Of several inputs the first one counts."""
    match relation:
        case Dataset():
            return relation.time
        case Stateful():
            return None
        case Project():
            below = event_time(relation.input)
            passed = [n for n, e in relation.columns if isinstance(e, ColumnRef) and not e.outer and e.name == below]
            return passed[0] if passed else None
        case GroupBy():
            below = event_time(relation.input)
            return next((n for n, e in relation.keys if isinstance(e, ColumnRef) and e.name == below), None)
        case _:
            below = event_time(relation.inputs[0]) if relation.inputs else None
            return below if below in relation.schema else None
