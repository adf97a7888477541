"""Checks on shares of rows: without a value, or for which a condition holds. No rows, no shares: `skipped`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import ClassVar

from pydantic import Field

from headrace.business.model.references import Sql
from headrace.business.model.schema import Schema
from headrace.business.ports import Measured, Verdict
from headrace.business.processing.expressions.ir import Expr
from headrace.business.validation.checks.audit import ShareLimits, exactly, remembering, share_judged
from headrace.business.validation.checks.measuring import reading, rows, values


class NullShare(ShareLimits):
    """Which share of the rows has no value in a column. An empty text and NaN are values."""

    kind: ClassVar[str] = "null_share"

    column: str

    def measures(self, schema: Schema) -> Mapping[str, Expr]:
        with reading(schema) as options:
            column = options.column(self.column, "column")
        return {"rows": rows(), "values": values(column)}

    def judge(self, measured: Measured) -> Verdict:
        return _judged(self, measured, "values", lambda rows, values: rows - values)


class RowShare(ShareLimits):
    """For which share of the rows a condition is true. A row for which it is null counts among all rows only."""

    kind: ClassVar[str] = "row_share"

    where: Sql = Field(description="The condition", examples=["dep_delay > 60"])

    def measures(self, schema: Schema) -> Mapping[str, Expr]:
        with reading(schema) as options:
            where = options.condition(self.where, "where")
        return {"rows": rows(), "matching": rows(where)}

    def judge(self, measured: Measured) -> Verdict:
        return _judged(self, measured, "matching", lambda _, matching: matching)


def _judged(check: ShareLimits, measured: Measured, counted: str, part: Callable[[int, int], int]) -> Verdict:
    """Judge the part of all rows that `part` makes of them and of what was counted, with earlier runs in mind."""
    earlier = [(v["rows"], v[counted]) for _, v in measured.history if v.get("rows") and v.get(counted) is not None]
    recover = None if check.recover is None else Fraction(check.recover)
    limits = remembering(exactly(check.bounds), recover, [Fraction(part(*pair), pair[0]) for pair in earlier])
    total, found = measured.values["rows"], measured.values[counted]
    return share_judged(part(total, found), total, limits, measured.values)
