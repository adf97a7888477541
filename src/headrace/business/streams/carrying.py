"""Row by row through a stream: the relations of steps that need no other row, with the watermark beside each row. Refuses the others."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from headrace.business.model.schema import Column, Schema
from headrace.business.processing.expressions.ir import Window
from headrace.business.processing.relation import (
    Dataset,
    Dedupe,
    Distinct,
    Filter,
    GroupBy,
    Join,
    Limit,
    Project,
    Relation,
    Sample,
    SetOperation,
    Sort,
    Unnest,
    Unpivot,
    expressions,
    subqueries,
)
from headrace.business.processing.steps.event_windows import WHOLE, whole
from headrace.business.processing.steps.projection import as_they_are, project
from headrace.business.streams.groups import WATERMARK
from headrace.errors import HeadraceError

_REFUSED: dict[type[Relation], tuple[str, str]] = {
    GroupBy: (
        "groups of a stream have no end",
        "use the step `aggregate` with a `window`, with `emit: change`, or by an event time",
    ),
    Dedupe: ("rows with the same key may come at any time", "say how long keys are remembered"),
    Distinct: ("rows that are alike may come at any time", "say by which key with `dedupe`"),
    Sort: ("a stream has no end to be sorted up to", "leave it out, or sort what you read of the target"),
    Limit: ("a stream would be over then", "use `filter`"),
    Sample: ("a sample is drawn of all rows", "use `filter`, for example with a hash of the key"),
}


class NotRowByRow(HeadraceError):
    """Why a relation cannot be computed row by row as rows come."""


def carried(relation: Relation, flowing: Collection[str]) -> Relation:
    """The relation with the column `WATERMARK` of the flowing dataset below behind its own. Raises `NotRowByRow`."""
    if any(flows(below, flowing) for below in subqueries(relation)):
        raise NotRowByRow(
            "a query inside of an expression would have to know all rows of a stream", hint="join the two instead"
        )
    match relation:
        case Dataset():
            return replace(relation, schema=_with(relation.schema))
        case Project():
            if any(isinstance(node, Window) for e in expressions(relation) for node in e.walk()):
                hint = "order by an event time and look back so many rows, as in `rows: [-9, 0]`; or use `aggregate` with a `window`"
                raise NotRowByRow("a window function looks at rows that may come later, or at all that ever came", hint=hint)
            below = carried(relation.input, flowing)
            return Project(_with(relation.schema), below, (*relation.columns, (WATERMARK, whole(WATERMARK))))
        case Filter() | Unnest() | Unpivot():
            return replace(relation, schema=_with(relation.schema), input=carried(relation.input, flowing))
        case Join():
            return _join(relation, flowing)
        case SetOperation(kind="union_all"):
            if not all(flows(part, flowing) for part in relation.parts):
                raise NotRowByRow(
                    "the rows of a dataset that is no stream would come again and again", hint="union streams alone"
                )
            schema = _with(relation.schema)
            parts = tuple(project(carried(part, flowing), as_they_are(schema)) for part in relation.parts)
            return replace(relation, schema=schema, parts=parts)
    reason, hint = _REFUSED.get(
        type(relation), ("this needs all rows of a stream", "use it in a batch pipeline behind the stream")
    )
    raise NotRowByRow(reason, hint=hint)


def _join(join: Join, flowing: Collection[str]) -> Relation:
    left, right = flows(join.left, flowing), flows(join.right, flowing)
    if left and right:
        hint = "say how far apart in time they may be with `within`, or that all are kept with `keep: forever`"
        raise NotRowByRow("a partner of a row may come at any time when both sides are streams", hint=hint)
    if left and join.how in ("inner", "left", "cross", "semi", "anti"):
        side, schema = carried(join.left, flowing), join.schema
        if join.how in ("semi", "anti"):
            return replace(join, schema=_with(schema), left=side)
        ours = side.schema.columns
        return replace(join, schema=Schema((*ours, *schema.columns[len(ours) - 1 :])), left=side)
    if right and join.how in ("inner", "right", "cross"):
        return replace(join, schema=_with(join.schema), right=carried(join.right, flowing))
    hint = "keep the rows of the stream: `how: left`, or `inner`"
    raise NotRowByRow(f"a {join.how} join has to know which rows of the other side never find a partner", hint=hint)


def flows(relation: Relation, flowing: Collection[str]) -> bool:
    return any(name in flowing for name in relation.datasets())


def _with(schema: Schema) -> Schema:
    return Schema((*schema.columns, Column(WATERMARK, WHOLE)))
