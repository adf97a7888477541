"""The window functions of the catalogue in Spark's SQL."""

from __future__ import annotations

from collections.abc import Sequence

from headrace.business.processing.expressions.ir import Call
from headrace.infrastructure.engines.spark.calling import as_result, small
from headrace.infrastructure.engines.sql.dialect import Lowering

#: Spark gives these a frame of its own, and refuses any other, though it means nothing to them.
FRAMELESS = ("row_number", "rank", "dense_rank", "percent_rank", "cume_dist", "ntile", "lag", "lead")


def _look(name: str) -> Lowering:
    """`lag` or `lead`: the offset in 32 bits, the default as the type of the value."""

    def lower(e: Call, args: Sequence[str]) -> str:
        parts = [args[0], *(small(args[1], e.args[1]) for _ in args[1:2]), *(as_result(default, e) for default in args[2:])]
        return f"{name}({', '.join(parts)})"

    return lower


WINDOWS: dict[str, Lowering] = {
    **{name: f"{name}()" for name in ("row_number", "rank", "dense_rank", "percent_rank", "cume_dist")},
    "ntile": lambda e, args: f"ntile({small(args[0], e.args[0])})",
    "lag": _look("lag"), "lead": _look("lead"),
    "first_value": "first_value({0})", "last_value": "last_value({0})",
    "nth_value": lambda e, args: f"nth_value({args[0]}, {small(args[1], e.args[1])})",
}  # fmt: skip
