"""The catalogue: ranking and looking around. Each needs `over (order by ...)`; aggregates may stand before `over` as well."""

from __future__ import annotations

from headrace.business.processing.expressions.function import STRICT, Function

_WINDOW = "Windows"


def _over(signature: str, meaning: str, example: str, gives: str, nulls: str = "never null") -> Function:
    return Function(signature, meaning, example, gives, _WINDOW, "window", nulls)


#: The examples are the value in the third of three rows whose `x` is 10, 20 and 20.
FUNCTIONS = (
    _over("row_number() -> int64", "1, 2, 3 in order. Rows that are equal in the order come in any order: order by more, to make it repeatable.", "row_number() over (order by x, y)", "3"),
    _over("rank() -> int64", "One more than the rows before it; equal rows have the same rank, and then numbers are left out.", "rank() over (order by x)", "2"),
    _over("dense_rank() -> int64", "One more than the different values before it.", "dense_rank() over (order by x)", "2"),
    _over("percent_rank() -> float64", "`(rank - 1) / (rows - 1)`; 0 for a single row.", "percent_rank() over (order by x)", "0.5"),
    _over("cume_dist() -> float64", "The share of rows that are before it or equal.", "cume_dist() over (order by x)", "1.0"),
    _over("ntile(parts: constant int64) -> int64", "The number of the part when the rows are dealt, in order, into so many nearly equal parts; the first ones are larger.", "ntile(2) over (order by x, y)", "2"),
    _over("lag(value: any, [offset: constant int64], [default: any]) -> any", "The value so many rows before (1, unless said); the default, or null, when there is none.", "lag(x) over (order by x, y)", "20", "null when that row's value is null"),
    _over("lead(value: any, [offset: constant int64], [default: any]) -> any", "The value so many rows after (1, unless said); the default, or null, when there is none.", "lead(x, 1, 0) over (order by x, y)", "0", "null when that row's value is null"),
    _over("first_value(value: any) -> any", "The value of the first row of the frame.", "first_value(x) over (order by x)", "10", "null when that row's value is null"),
    _over("last_value(value: any) -> any", "The value of the last row of the frame, which ends at the current row unless said otherwise.", "last_value(y) over (order by x, y)", "3", "null when that row's value is null"),
    _over("nth_value(value: any, place: constant int64) -> any", "The value of that row of the frame; null when it has fewer.", "nth_value(x, 2) over (order by x, y)", "20", STRICT),
)  # fmt: skip
