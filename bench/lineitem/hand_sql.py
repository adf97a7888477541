"""The work by hand: plain DuckDB SQL as a good engineer writes it, one table after another. The 1.00 of every ratio.

With `--strict` every cast has a guard, so that `5.7`, `1e3` and `0x1F` are no integers and `1996-2-3` is no date, as Headrace's
contracts have it. `try_cast` alone reads all of these; this data has none of them, so both give the same files.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import duckdb

CHECKED = """
CREATE TABLE checked AS
SELECT *,
    list_filter([
        CASE WHEN l_orderkey IS NULL THEN 'l_orderkey.required' END,
        CASE WHEN l_orderkey IS NOT NULL AND orderkey IS NULL THEN 'l_orderkey.type' END,
        CASE WHEN l_partkey IS NULL THEN 'l_partkey.required' END,
        CASE WHEN l_partkey IS NOT NULL AND partkey IS NULL THEN 'l_partkey.type' END,
        CASE WHEN l_suppkey IS NOT NULL AND suppkey IS NULL THEN 'l_suppkey.type' END,
        CASE WHEN l_linenumber IS NOT NULL AND linenumber IS NULL THEN 'l_linenumber.type' END,
        CASE WHEN l_quantity IS NOT NULL AND quantity IS NULL THEN 'l_quantity.type' END,
        CASE WHEN quantity NOT BETWEEN 1 AND 50 THEN 'l_quantity.between' END,
        CASE WHEN l_extendedprice IS NOT NULL AND extendedprice IS NULL THEN 'l_extendedprice.type' END,
        CASE WHEN extendedprice <= 0 THEN 'l_extendedprice.above' END,
        CASE WHEN l_discount IS NOT NULL AND discount IS NULL THEN 'l_discount.type' END,
        CASE WHEN discount NOT BETWEEN 0 AND 1 THEN 'l_discount.between' END,
        CASE WHEN l_tax IS NOT NULL AND tax IS NULL THEN 'l_tax.type' END,
        CASE WHEN tax NOT BETWEEN 0 AND 0.08 THEN 'l_tax.between' END,
        CASE WHEN returnflag IS NULL THEN 'l_returnflag.required' END,
        CASE WHEN returnflag NOT IN ('A', 'N', 'R') THEN 'l_returnflag.in' END,
        CASE WHEN l_linestatus NOT IN ('O', 'F') THEN 'l_linestatus.in' END,
        CASE WHEN l_shipdate IS NOT NULL AND shipdate IS NULL THEN 'l_shipdate.type' END,
        CASE WHEN l_commitdate IS NOT NULL AND commitdate IS NULL THEN 'l_commitdate.type' END,
        CASE WHEN l_receiptdate IS NOT NULL AND receiptdate IS NULL THEN 'l_receiptdate.type' END,
        CASE WHEN NOT regexp_matches(l_shipinstruct, '^[A-Z]+( [A-Z]+)*$') THEN 'l_shipinstruct.matches' END,
        CASE WHEN receiptdate < shipdate THEN 'received_after_sent' END,
        CASE WHEN shipmode NOT IN ('AIR', 'FOB', 'MAIL', 'RAIL', 'REG AIR', 'SHIP', 'TRUCK') THEN 'known_shipmode' END
    ], lambda reason: reason IS NOT NULL) AS reasons
FROM (
    SELECT *,
        try_cast(l_orderkey AS BIGINT) AS orderkey,
        try_cast(l_partkey AS BIGINT) AS partkey,
        try_cast(l_suppkey AS BIGINT) AS suppkey,
        try_cast(l_linenumber AS INTEGER) AS linenumber,
        try_cast(l_quantity AS DECIMAL(15, 2)) AS quantity,
        try_cast(l_extendedprice AS DECIMAL(15, 2)) AS extendedprice,
        try_cast(l_discount AS DECIMAL(15, 2)) AS discount,
        try_cast(l_tax AS DECIMAL(15, 2)) AS tax,
        nullif(trim(l_returnflag), '') AS returnflag,
        try_cast(l_shipdate AS DATE) AS shipdate,
        try_cast(l_commitdate AS DATE) AS commitdate,
        try_cast(l_receiptdate AS DATE) AS receiptdate,
        upper(trim(l_shipmode)) AS shipmode
    FROM read_csv('{data}', all_varchar = true, header = true, delim = ',', quote = '"')
)
"""

BAD = """
COPY (
    SELECT l_orderkey, l_partkey, l_suppkey, l_linenumber, l_quantity, l_extendedprice, l_discount, l_tax, l_returnflag,
        l_linestatus, l_shipdate, l_commitdate, l_receiptdate, l_shipinstruct, l_shipmode, l_comment, reasons
    FROM checked WHERE len(reasons) > 0
) TO '{out}/bad.parquet' (FORMAT parquet)
"""

CLEANED = """
CREATE TABLE cleaned AS
SELECT orderkey AS l_orderkey, partkey AS l_partkey, suppkey AS l_suppkey, linenumber AS l_linenumber,
    quantity AS l_quantity, extendedprice AS l_extendedprice, discount AS l_discount, tax AS l_tax,
    returnflag AS l_returnflag, l_linestatus, shipdate AS l_shipdate, commitdate AS l_commitdate,
    receiptdate AS l_receiptdate, l_shipinstruct, shipmode AS l_shipmode, trim(l_comment) AS l_comment,
    extendedprice * (1 - discount) AS revenue,
    date_diff('day', shipdate, receiptdate) AS days_on_the_way,
    receiptdate > commitdate AS is_late
FROM (
    SELECT *, row_number() OVER (PARTITION BY orderkey, linenumber ORDER BY shipdate) AS nth
    FROM checked WHERE len(reasons) = 0
) WHERE nth = 1
"""

GOOD = "COPY cleaned TO '{out}/good.parquet' (FORMAT parquet)"

TOTALS = """
COPY (
    SELECT l_returnflag, l_linestatus, l_shipmode, count(*) AS lines, sum(l_quantity) AS quantity, sum(revenue) AS revenue,
        avg(l_discount) AS discount, count(*) FILTER (WHERE is_late) AS late
    FROM cleaned GROUP BY ALL
) TO '{out}/totals.parquet' (FORMAT parquet)
"""


GUARDS = {
    "BIGINT": r"[+-]?\d+",
    "INTEGER": r"[+-]?\d+",
    "DECIMAL(15, 2)": r"[+-]?(\d+(\.\d{0,2}0*)?|\.\d{1,2}0*)",
    "DATE": r"\d{4}-\d\d-\d\d",
}


def guarded(statement: str) -> str:
    """Each `try_cast` of a text only where the text is written as plainly as its type."""

    def guard(cast: re.Match[str]) -> str:
        return f"CASE WHEN regexp_full_match({cast['column']}, '{GUARDS[cast['type']]}') THEN {cast[0]} END"

    return re.sub(r"try_cast\((?P<column>\w+) AS (?P<type>\w+(?:\([\d, ]+\))?)\)", guard, statement)


def main(data: Path, out: Path, *, strict: bool) -> None:
    out.mkdir(parents=True, exist_ok=True)
    checked = guarded(CHECKED) if strict else CHECKED
    with duckdb.connect() as engine:
        engine.execute("SET preserve_insertion_order = false")
        for statement in (checked, BAD, CLEANED, GOOD, TOTALS):
            engine.execute(statement.replace("{data}", str(data)).replace("{out}", str(out)))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), strict="--strict" in sys.argv[3:])
