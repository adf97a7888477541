"""How columns of PostgreSQL travel."""

from __future__ import annotations

import pytest

from headrace.infrastructure.postgresql.columns import PostgresColumn, select


@pytest.mark.parametrize(
    ("oid", "modifier", "kind", "expression"),
    [
        (20, -1, "int64", '"a ""b"'),
        (1700, (10 << 16 | 2) + 4, "decimal(10, 2)", '"a ""b"::text'),
        (1700, (50 << 16 | 2) + 4, "string", '"a ""b"::text'),
        (1700, -1, "string", '"a ""b"::text'),
        (1082, -1, "date", '"a ""b"'),
        (1184, -1, "timestamptz", '"a ""b"'),
        (3802, -1, "json", '"a ""b"::text'),
        (1009, -1, "list<string>", 'ELSE "a ""b" END'),
        (99_999, -1, "string", '"a ""b"::text'),
    ],
)
def test_types_by_number(oid: int, modifier: int, kind: str, expression: str) -> None:
    column = PostgresColumn('a "b', oid, modifier)
    assert str(column.type) == kind
    assert column.expression.endswith(expression)


def test_a_query_may_end_with_a_comment() -> None:
    assert (
        select([PostgresColumn("a", 23, -1)], "SELECT 1 AS a -- one")
        == 'SELECT "a" AS "a" FROM (SELECT 1 AS a -- one\n) AS source'
    )
