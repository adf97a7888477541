"""Checks on one number or value that sums a column up: min, max, mean, sum, quantile.

Nulls do not count. A column without values has no statistics: the check is `skipped`, and whether there must be rows is for
`row_count` to say. NaN sorts above every number, so a NaN in the data becomes the max, the mean and the sum, and lies within
no bounds; the min does not see it. Integers and decimals are compared exactly, floats as they are: `0.1 + 0.2` is more
than `0.3`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import Field

from headrace.business.model.schema import Schema
from headrace.business.model.types import DataType, Float
from headrace.business.ports import Measured, Verdict
from headrace.business.processing.expressions.build import constant
from headrace.business.processing.expressions.ir import ColumnRef, Expr
from headrace.business.validation.checks.audit import ValueLimits, judged, nothing_to_judge
from headrace.business.validation.checks.bounds import misfit
from headrace.business.validation.checks.measuring import Options, aggregate, reading
from headrace.business.validation.checks.wording import number


class _Statistic(ValueLimits):
    column: str

    def measures(self, schema: Schema) -> Mapping[str, Expr]:
        with reading(schema) as options:
            column = self._column(options)
        measure = self._measure(column)
        with reading(schema) as options:
            self._refuse_misfits(measure.type, options)
        return {"value": measure}

    def judge(self, measured: Measured) -> Verdict:
        found, limits = measured.values["value"], self.bounds
        if found is None:
            return nothing_to_judge("no values", limits.words(), measured.values)
        return judged(limits.hold(found), number(found), limits.words(), measured.values)

    def _column(self, options: Options) -> ColumnRef:
        return options.numbers(self.column, "column")

    @abstractmethod
    def _measure(self, column: Expr) -> Expr: ...

    def _refuse_misfits(self, kind: DataType, options: Options) -> None:
        written: list[tuple[tuple[str | int, ...], Any]] = [
            ((name,), getattr(self, name)) for name in ("at_least", "at_most", "above", "below")
        ]
        written += [(("between", i), bound) for i, bound in enumerate(self.between or ())]
        for path, bound in written:
            if bound is not None and (wrong := misfit(bound, kind)):
                options.refuse(wrong, path)


class Min(_Statistic):
    """The least value of a column: of numbers, texts (by code point), dates or times."""

    kind: ClassVar[str] = "min"

    def _column(self, options: Options) -> ColumnRef:
        return options.ordered(self.column, "column")

    def _measure(self, column: Expr) -> Expr:
        return aggregate("min", column)


class Max(_Statistic):
    """The greatest value of a column: of numbers, texts (by code point), dates or times."""

    kind: ClassVar[str] = "max"

    def _column(self, options: Options) -> ColumnRef:
        return options.ordered(self.column, "column")

    def _measure(self, column: Expr) -> Expr:
        return aggregate("max", column)


class Mean(_Statistic):
    """The arithmetic mean of a column of numbers, as a 64-bit float."""

    kind: ClassVar[str] = "mean"

    def _measure(self, column: Expr) -> Expr:
        return aggregate("avg", column)


class Sum(_Statistic):
    """The sum of a column of numbers: exact for integers and decimals. One that does not fit into 64 bits is an error."""

    kind: ClassVar[str] = "sum"

    def _measure(self, column: Expr) -> Expr:
        return aggregate("sum", column)


class Quantile(_Statistic):
    """A quantile of a column of numbers, interpolated between its two neighbours: `q: 0.5` is the median."""

    kind: ClassVar[str] = "quantile"

    q: Annotated[float, Field(ge=0, le=1)] = Field(description="The share of values that lie below", examples=[0.95])

    def _measure(self, column: Expr) -> Expr:
        return aggregate("quantile", column, constant(self.q, Float(64)))
