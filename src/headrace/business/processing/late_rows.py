"""The rows that come too late for a step, as datasets of their own: `<step>.late`. Not which those are."""

from __future__ import annotations

from collections.abc import Iterator

from headrace.business.model.windows import LATE, LATE_LEFT, LATE_RIGHT
from headrace.business.processing.expressions.build import BOOLEAN, constant
from headrace.business.processing.plan import PlannedStep
from headrace.business.processing.relation import Filter, Relation
from headrace.business.processing.stateful import Copies, Groups, LateRows, Pairs, Sequences, Stateful


def late_rows(step: str, relation: Relation) -> Iterator[PlannedStep]:
    """The datasets of the late rows of a step: of a join one for each side, `<step>.left.late` and `<step>.right.late`. In a batch all
    rows are there in time."""
    match relation:
        case Stateful(meaning=Pairs() as pairs):
            yield _late(step + LATE_LEFT, pairs.left, LateRows(step, "left"))
            yield _late(step + LATE_RIGHT, pairs.right, LateRows(step, "right"))
        case Stateful(meaning=Groups(window=None)):
            return
        case Stateful(meaning=Groups() | Copies() | Sequences() as meaning):
            yield _late(step + LATE, meaning.rows, LateRows(step))


def _late(name: str, rows: Relation, meaning: LateRows) -> PlannedStep:
    none = Filter(rows.schema, rows, constant(False, BOOLEAN))
    return PlannedStep(name, "late rows", Stateful(rows.schema, none, meaning))
