"""The step `window`: new columns that look at the rows around. Rows stay as they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from pydantic import Field

from headrace.business.model.plugin import Plugin
from headrace.business.processing.expressions.faults import ExpressionError
from headrace.business.processing.expressions.ir import ColumnRef, Expr, Window
from headrace.business.processing.expressions.windows import parse_windows
from headrace.business.processing.relation import Relation
from headrace.business.processing.stateful import Stateful
from headrace.business.processing.steps.findings import Findings
from headrace.business.processing.steps.looking_back import sequences
from headrace.business.processing.steps.options import Expression, Name, Names, Terms
from headrace.business.processing.steps.ordering import read_terms
from headrace.business.processing.steps.projection import as_they_are, project


class WindowStep(Plugin):
    """Adds columns that are computed over the rows of the same partition, in an order.

    `partition_by`, `order_by` and `rows` hold for every aggregate and ranking function that has no `over (...)` of its own.
    Without `rows`, an order makes aggregates run up to the current row and those equal to it, as in SQL.

    A stream can look back, in the order of an event time: `lag`, and aggregates over so many rows before (`rows: [-9, 0]`) or a
    length of time (`over (... range between interval '1 hour' preceding and current row)`). A row is given out when the
    watermark has passed its time, so that none can come before it. Let the order end with what tells rows of the same time apart.

    ```yaml
    - window:
        partition_by: [carrier]
        order_by: [time_hour]
        columns: {nth: row_number(), before: lag(dep_delay), share: distance / sum(distance) over (partition by carrier)}
    - window: {order_by: day, rows: [-6, 0], columns: {weekly_mean: avg(flights)}}
    - window: {partition_by: [seller], order_by: [expires, id], rows: [-9, 0], columns: {mean_of_ten: avg(price)}}
    ```
    """

    kind: ClassVar[str] = "window"

    columns: Mapping[Name, Expression] = Field(description="An expression for each new column", min_length=1)
    partition_by: Names = Field((), description="The columns that make a partition; all rows are one unless said")
    order_by: Terms = Field((), description="The order within a partition, as in `sort`, by columns")
    rows: tuple[int | None, int | None] | None = Field(
        None, description="The first and the last row that aggregates see, counted from the current one; null for no end"
    )

    def apply(self, inputs: Mapping[str, Relation]) -> Relation:
        below, findings = inputs["input"], Findings()
        partition = [c.name for c in findings.columns(below.schema, self.partition_by, "partition_by")]
        keys = [term.key for term in read_terms(self.order_by, below.schema, findings, "order_by")]
        for i, key in enumerate(keys):
            if not isinstance(key.expression, ColumnRef):
                findings.add("the order of a window is by columns", "order_by", i, hint="derive the column before")
        if self.rows is not None and None not in self.rows and self.rows[0] > self.rows[1]:  # type: ignore[operator]
            findings.add("the first row comes after the last", "rows", hint="write [first, last], as in [-6, 0]")
        findings.settle()
        columns = as_they_are(below.schema)
        for name, text in self.columns.items():
            findings.distinct([(name, ("columns", name))], taken=[n for n in columns if n != name])
            try:
                expression = parse_windows(text, below.schema, partition, keys, self.rows)
            except ExpressionError as error:
                findings.add(error.message, "columns", name, hint=error.hint, offset=error.offset)
                continue
            if not any(isinstance(e, Window) for e in expression.walk()):
                findings.add("this looks at its own row only", "columns", name, hint="use the step `derive`")
            columns[name] = expression
        findings.settle()
        beside = project(below, columns, _counted(columns))
        back = sequences(below, beside)
        return beside if back is None else Stateful(beside.schema, beside, back)


def _counted(columns: Mapping[str, Expr]) -> Sequence[str]:
    """The columns that number or rank rows, and have a value in each."""
    names = ("row_number", "rank", "dense_rank", "percent_rank", "cume_dist", "ntile", "count", "count_if")
    return [name for name, e in columns.items() if isinstance(e, Window) and getattr(e.call, "function", None) in names]
