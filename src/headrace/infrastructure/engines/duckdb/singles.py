"""Checks, before a join that promises at most one partner for each row, that the promise is kept."""

from __future__ import annotations

import duckdb

from headrace.business.processing.expressions.ir import Call, ColumnRef, Expr
from headrace.business.processing.relation import Join
from headrace.errors import NonRetryableError
from headrace.infrastructure.engines.duckdb.literals import identifier


def check_single(con: duckdb.DuckDBPyConnection, join: Join, right: str, step: str) -> None:
    """Raises when a combination of the right side's join columns stands there more than once."""
    names = set(join.right.schema.names)
    keys = sorted(e.name for e in _equalities(join.condition) if e.name in names)
    if not keys:
        return
    columns = ", ".join(map(identifier, keys))
    complete = " AND ".join(f"{identifier(k)} IS NOT NULL" for k in keys)
    found = con.execute(
        f"SELECT {columns}, count(*) FROM ({right}) WHERE {complete} GROUP BY ALL HAVING count(*) > 1 ORDER BY ALL LIMIT 1"
    ).fetchall()
    for *values, count in found:
        shown = ", ".join(f"{k} = {v!r}" for k, v in zip(keys, values, strict=True))
        raise NonRetryableError(
            f"step `{step}`: {count} rows on the right side have {shown}, so the join would multiply rows",
            hint="say `expect: any` if that is meant, or make the right side unique first (`clean: {dedupe: ...}`)",
        )


def _equalities(condition: Expr | None) -> list[ColumnRef]:
    if isinstance(condition, Call) and condition.function == "and":
        return [column for part in condition.args for column in _equalities(part)]
    if isinstance(condition, Call) and condition.function == "equal":
        return [e for e in condition.args if isinstance(e, ColumnRef)]
    return []
