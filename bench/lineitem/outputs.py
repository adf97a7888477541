"""Whether contestants wrote the same: counts, sums, and an order-free hash of the good rows, the bad rows and the totals.

Names of columns that a tool adds (row numbers, run, rule versions) do not count; values and reasons do.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import duckdb

RAW = (
    "l_orderkey l_partkey l_suppkey l_linenumber l_quantity l_extendedprice l_discount l_tax l_returnflag l_linestatus "
    "l_shipdate l_commitdate l_receiptdate l_shipinstruct l_shipmode l_comment"
).split()

#: One written form for every column, whatever types a tool chose.
GOOD = {
    **{name: f"{name}::BIGINT" for name in ("l_orderkey", "l_partkey", "l_suppkey", "l_linenumber", "days_on_the_way")},
    **{name: f"round({name}, 2)::DECIMAL(15, 2)" for name in ("l_quantity", "l_extendedprice", "l_discount", "l_tax")},
    **{name: f"{name}::DATE" for name in ("l_shipdate", "l_commitdate", "l_receiptdate")},
    **{name: name for name in ("l_returnflag", "l_linestatus", "l_shipinstruct", "l_shipmode", "l_comment")},
    "revenue": "round(revenue, 4)::DECIMAL(18, 4)",
    "is_late": "is_late::BOOLEAN",
}
TOTALS = {
    **{name: name for name in ("l_returnflag", "l_linestatus", "l_shipmode")},
    **{name: f"{name}::BIGINT" for name in ("lines", "late")},
    "quantity": "round(quantity, 2)::DECIMAL(18, 2)",
    "revenue": "round(revenue, 2)::DECIMAL(18, 2)",
    "discount": "round(discount, 9)::DECIMAL(18, 9)",
}


def fingerprint(folder: Path) -> dict[str, Any]:
    """What a contestant's output comes to; equal outputs have equal fingerprints."""
    with duckdb.connect() as engine:

        def one(query: str) -> Any:
            row = engine.execute(query).fetchone()
            return row[0] if row and len(row) == 1 else row

        def hashed(rows: str, columns: dict[str, str]) -> Any:
            values = ", ".join(columns.values())
            return one(f"SELECT (count(*), sum(hash(({values}))::HUGEINT)::VARCHAR) FROM {rows}")

        bad, cell = held_back(folder)
        raw = {name: f"coalesce({cell.format(name)}, '')" for name in RAW} | {"reasons": "list_sort(reasons)"}
        reasons = f"SELECT reason, count(*) FROM (SELECT unnest(reasons) AS reason FROM {bad}) GROUP BY ALL ORDER BY ALL"
        return {
            "good": hashed(files(folder / "good"), GOOD),
            "bad": hashed(bad, raw),
            "totals": hashed(files(folder / "totals"), TOTALS),
            "reasons": dict(engine.execute(reasons).fetchall()),
            "revenue": str(one(f"SELECT round(sum(revenue), 2)::DECIMAL(18, 2) FROM {files(folder / 'totals')}")),
        }


def held_back(folder: Path) -> tuple[str, str]:
    """The bad rows, and how to get a raw cell of one: Headrace keeps them in its quarantine, the cells as a JSON object."""
    if (quarantine := folder / ".headrace" / "quarantine").exists():
        return f"read_parquet('{quarantine}/**/*.parquet')", "raw ->> '{}'"
    return files(folder / "bad"), "{}"


def files(path: Path) -> str:
    """A dataset is one file or a folder of them."""
    where = f"{path}.parquet" if path.with_suffix(".parquet").exists() else f"{path}/**/*.parquet"
    return f"read_parquet('{where}', union_by_name = true)"


def differences(left: dict[str, Any], right: dict[str, Any]) -> list[str]:
    return [f"{name}: {left[name]} against {right[name]}" for name in left if left[name] != right[name]]


if __name__ == "__main__":
    first, *others = sys.argv[1:]
    expected, wrong = fingerprint(Path(first)), 0
    for other in others:
        for line in (found := differences(expected, fingerprint(Path(other)))) or ["the same"]:
            print(f"{Path(first).name} and {Path(other).name}: {line}")
        wrong += len(found)
    sys.exit(bool(wrong))
