"""Dirty TPC-H lineitem as CSV: clean rows from `tpchgen-cli`, ten kinds of errors put in by rule, so every count is known.

    python bench/lineitem/generate.py --rows 2000000 --out bench/data/lineitem.csv

The same arguments give the same bytes. It works part by part, so 10 GB need no more memory than 200 MB. Beside the file
stands `lineitem.json` with the counts that a right answer has.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import duckdb

ROWS_PER_SCALE = 6_001_215
PART_ROWS = 2_000_000

COLUMNS = (
    "l_orderkey l_partkey l_suppkey l_linenumber l_quantity l_extendedprice l_discount l_tax l_returnflag l_linestatus "
    "l_shipdate l_commitdate l_receiptdate l_shipinstruct l_shipmode l_comment"
).split()


@dataclass(frozen=True)
class Error:
    """One kind of error: rows whose place in the shuffle is in [first, first + 3) of a thousand have `column` spoilt."""

    name: str
    column: str
    text: str
    first: int
    reasons: tuple[str, ...]


# Neighbours overlap by one row in a thousand: those rows have two reasons, and both must be reported.
ERRORS = (
    Error("quantity is a word", "l_quantity", "'many'", 0, ("l_quantity.type",)),
    Error("price is negative", "l_extendedprice", "'-' || l_extendedprice", 2, ("l_extendedprice.above",)),
    Error("quantity out of range", "l_quantity", "'75'", 4, ("l_quantity.between",)),
    Error("discount above one", "l_discount", "'1.5'", 6, ("l_discount.between",)),
    Error("unknown ship mode", "l_shipmode", "'ROCKET'", 8, ("known_shipmode",)),
    Error("31 February", "l_shipdate", "'1996-02-31'", 10, ("l_shipdate.type",)),
    Error("received before it was sent", "l_receiptdate", "'1991-01-01'", 20, ("received_after_sent",)),
    Error("no part", "l_partkey", "NULL", 22, ("l_partkey.required",)),
    Error("blank return flag", "l_returnflag", "' '", 24, ("l_returnflag.required",)),
)
ERROR_PER_MILLE = 3
DUPLICATE_PER_MILLE = 30
DUPLICATES_FROM = 500

#: Dirt that cleaning mends: one ship mode in twenty has spaces around it and small letters.
MENDABLE = "CASE WHEN place % 20 = 13 THEN '  ' || lower(l_shipmode) || ' ' ELSE l_shipmode END"


def spoilt(column: str) -> str:
    sound = MENDABLE if column == "l_shipmode" else column
    cases = [
        f"WHEN place >= {e.first} AND place < {e.first + ERROR_PER_MILLE} THEN {e.text}" for e in ERRORS if e.column == column
    ]
    return f"CASE {' '.join(cases)} ELSE {sound} END AS {column}" if cases else f"{sound} AS {column}"


def counts(rows: int) -> dict[str, object]:
    """What a right answer has, for a number of sound rows that is a multiple of a thousand."""
    thousands = rows // 1000
    places = {place for e in ERRORS for place in range(e.first, e.first + ERROR_PER_MILLE)}
    duplicates = thousands * DUPLICATE_PER_MILLE
    return {
        "rows": rows + duplicates,
        "duplicates": duplicates,
        "bad": thousands * len(places),
        "good": rows - thousands * len(places),
        "reasons": {reason: thousands * ERROR_PER_MILLE for e in ERRORS for reason in e.reasons},
        "errors": {e.name: thousands * ERROR_PER_MILLE for e in ERRORS} | {"exact duplicate": duplicates},
    }


def generate(rows: int, out: Path) -> None:
    if rows % 1000:
        raise SystemExit("--rows must be a multiple of 1000, so that the counts are exact")
    out.parent.mkdir(parents=True, exist_ok=True)
    parts = max(1, rows // PART_ROWS)
    written = 0
    with tempfile.TemporaryDirectory(dir=out.parent) as folder, out.open("wb") as target:
        target.write((",".join(COLUMNS) + "\n").encode())
        for part in range(1, parts + 1):
            wanted = rows - written if part == parts else min(rows // parts // 1000 * 1000, rows - written)
            written += wanted
            clean, dirty = sound_part(Path(folder), rows, parts, part), Path(folder) / "dirty.csv"
            write_part(clean, dirty, wanted)
            with dirty.open("rb") as text:
                while block := text.read(1 << 22):
                    target.write(block)
    out.with_suffix(".json").write_text(json.dumps(counts(rows), indent=2))


def sound_part(folder: Path, rows: int, parts: int, part: int) -> Path:
    """One part of the sound table; some more rows than needed, since an order has a random number of lines."""
    tool = Path(sys.executable).with_name("tpchgen-cli")
    scale = rows * 1.02 / ROWS_PER_SCALE
    arguments = ["csv", "-s", f"{scale:.5f}", "--tables", "lineitem", "--quiet", "--output-dir", str(folder), "--overwrite"]
    split = ["--parts", str(parts), "--part", str(part)] if parts > 1 else []
    subprocess.run([tool, *arguments, *split], check=True)
    return folder / "lineitem" / f"lineitem.{part}.csv" if parts > 1 else folder / "lineitem.csv"


def write_part(clean: Path, dirty: Path, rows: int) -> None:
    """The first `rows` rows with their errors, then the rows that were sent twice."""
    with duckdb.connect() as engine:
        engine.execute("SET preserve_insertion_order = true")
        engine.execute(
            f"""
            CREATE TABLE placed AS
            SELECT *, (line * 7919) % 1000 AS place FROM (
                SELECT *, row_number() OVER () AS line
                FROM read_csv('{clean}', all_varchar = true, header = true) LIMIT {rows}
            )"""
        )
        if engine.execute("SELECT count(*) FROM placed").fetchone() != (rows,):
            raise SystemExit(f"the generator gave fewer than {rows} rows")
        twice = f"place >= {DUPLICATES_FROM} AND place < {DUPLICATES_FROM + DUPLICATE_PER_MILLE}"
        columns = ", ".join(spoilt(column) for column in COLUMNS)
        engine.execute(
            f"""
            COPY (
                SELECT * EXCLUDE (line, again) FROM (
                    SELECT {columns}, line, 0 AS again FROM placed
                    UNION ALL
                    SELECT {columns}, line, 1 AS again FROM placed WHERE {twice}
                ) ORDER BY again, line
            ) TO '{dirty}' (FORMAT csv, HEADER false)"""
        )
    clean.unlink()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--out", type=Path, default=Path("bench/data/lineitem.csv"))
    options = parser.parse_args()
    generate(options.rows, options.out)
    print(f"{options.out}: {options.out.stat().st_size / 1e6:,.0f} MB, {counts(options.rows)['rows']:,} rows")
