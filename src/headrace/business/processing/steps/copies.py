"""The first of rows that are copies of each other for a time, as relations that every engine has. Not what a stream does."""

from __future__ import annotations

from headrace.business.processing.expressions.build import any_of, column, is_null, test
from headrace.business.processing.expressions.ir import Call, Expr, SortKey, Window
from headrace.business.processing.relation import Filter, Relation
from headrace.business.processing.stateful import Copies
from headrace.business.processing.steps.event_windows import TIME, WHOLE, microseconds, number, subtract, whole, with_columns
from headrace.business.processing.steps.ordering import total_order
from headrace.business.processing.steps.projection import as_they_are, project, ref

#: When the row of the same key before it happened.
BEFORE = "#:before"


def first_copies(copies: Copies) -> Relation:
    """The rows before which none of their key was for so long."""
    schema = copies.rows.schema
    placed = with_columns(copies.rows, {TIME: microseconds(ref(schema[copies.time]))})
    keys = tuple(ref(schema[name]) for name in copies.key)
    order = (SortKey(whole(TIME)), *total_order([], schema, copies.key))
    seen = with_columns(placed, {BEFORE: Window(WHOLE, Call(WHOLE, "lag", (whole(TIME),)), keys, order)})
    return project(Filter(seen.schema, seen, is_first(copies, subtract(whole(TIME), whole(BEFORE)))), as_they_are(schema))


def is_first(copies: Copies, since: Expr) -> Expr:
    """Whether a row is no copy, of the time that has passed since the one before; null for the first."""
    unknown = [is_null(column(name, copies.rows.schema[name].type)) for name in copies.key]
    apart = Call(WHOLE, "abs", (since,))
    return any_of([is_null(since), test("greater_or_equal", apart, number(copies.within)), *unknown])
