"""Checks that count: rows, different values, repeated keys. Not shares of rows (see `shares`)."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field

from headrace.business.model.references import Sql
from headrace.business.model.schema import Schema
from headrace.business.model.types import Json
from headrace.business.ports import Measured, Verdict
from headrace.business.processing.expressions.ir import Expr
from headrace.business.validation.checks.audit import AuditCheck, CountLimits, judged, remembering
from headrace.business.validation.checks.bounds import Count, Share
from headrace.business.validation.checks.measuring import complete, distinct, reading, rows, values
from headrace.business.validation.checks.wording import count, percent


class RowCount(CountLimits):
    """How many rows there are, or how many of them a condition holds for.

    An empty dataset has 0 rows, and is judged like any other. A row for which the condition is null does not count.
    """

    kind: ClassVar[str] = "row_count"

    where: Sql | None = Field(
        None, description="Count only the rows for which this condition is true", examples=["distance > 0"]
    )

    def measures(self, schema: Schema) -> Mapping[str, Expr]:
        with reading(schema) as options:
            where = options.condition(self.where, "where")
        return {"rows": rows(where)}

    def judge(self, measured: Measured) -> Verdict:
        found = measured.values["rows"]
        limits = remembering(self.bounds, self.recover, _earlier(measured, "rows"))
        return judged(limits.hold(found), count(found, "row"), limits.words(), measured.values)


class DistinctCount(CountLimits):
    """How many different values a column has. Null is no value; an empty dataset has 0."""

    kind: ClassVar[str] = "distinct_count"

    column: str

    def measures(self, schema: Schema) -> Mapping[str, Expr]:
        with reading(schema) as options:
            column = options.column(self.column, "column")
        return {"distinct": distinct(column)}

    def judge(self, measured: Measured) -> Verdict:
        found = measured.values["distinct"]
        limits = remembering(self.bounds, self.recover, _earlier(measured, "distinct"))
        return judged(limits.hold(found), count(found, "different value"), limits.words(), measured.values)


def _earlier(measured: Measured, name: str) -> list[int]:
    """What earlier runs counted, oldest first."""
    return [int(values[name]) for _, values in measured.history if values.get(name) is not None]


def _names(written: Any) -> Any:
    return [written] if isinstance(written, str) else written


class Unique(AuditCheck):
    """Whether the values of one column, or of several together, are all different.

    What is counted are the **surplus** rows: those that would have to go for every value to stand once (rows minus
    different values). Three rows with one value are 2 surplus rows. A row with a null among the columns has no key and does
    not count. Text is compared as it is: case, accents and trailing spaces make a difference.
    """

    kind: ClassVar[str] = "unique"
    shorthand: ClassVar[str | None] = "columns"

    columns: Annotated[
        tuple[str, ...], BeforeValidator(_names, json_schema_input_type=str | tuple[str, ...]), Field(min_length=1)
    ]
    max: Count = Field(0, description="Tolerate so many surplus rows")
    max_share: Share | None = Field(
        None, description="Tolerate this share of surplus rows among those that have a key, instead of `max`"
    )

    def measures(self, schema: Schema) -> Mapping[str, Expr]:
        with reading(schema) as options:
            columns = [options.column(name, "columns", i) for i, name in enumerate(self.columns)]
            for i, column in enumerate(columns):
                if isinstance(column.type, Json):
                    options.refuse(f"`{column.name}` holds JSON, which has no equality", ("columns", i))
            if len(set(self.columns)) < len(self.columns):
                options.refuse("a column is named twice", ("columns",))
            if self.max_share is not None and self.max:
                options.refuse("`max` and `max_share` both say how many to tolerate", ("max_share",), "give one of them")
        having = values(columns[0]) if len(columns) == 1 else rows(complete(*columns))
        return {"rows": having, "distinct": distinct(*columns)}

    def judge(self, measured: Measured) -> Verdict:
        having, different = measured.values["rows"], measured.values["distinct"]
        surplus = having - different
        observed = count(surplus, "surplus row")
        if surplus:
            observed += f" ({having:,} rows, {different:,} different)"
        found = {**measured.values, "surplus": surplus}
        if self.max_share is not None:
            holds = Fraction(surplus) <= Fraction(self.max_share) * having
            return judged(holds, observed, f"at most {percent(self.max_share)} surplus", found)
        return judged(
            surplus <= self.max, observed, f"at most {count(self.max, 'surplus row')}" if self.max else "all different", found
        )
