"""Proposes types for columns of text: one is proposed when every filled cell of a sample is that type's strict notation.

Careful by choice: `00123` is a text, because a number would lose its zeros; so is a column with a word for "nothing" in it, such
as NA, because only a person knows that it means nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from headrace.business.model.types import Boolean, DataType, Date, Float, Integer, String, Timestamp
from headrace.business.ports import ArrowFileScan, ArrowScan, DelimitedScan, JsonScan, Scan
from headrace.infrastructure.duckdb_connection import Connection
from headrace.infrastructure.engines.duckdb.casts import lenient
from headrace.infrastructure.engines.duckdb.literals import identifier
from headrace.infrastructure.engines.duckdb.reading import open_scan

_MOMENT = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d"

#: Tried in this order; the first that fits is proposed. The pattern is a rough one, for a first glance at a few rows, because
#: the exact notations cost an engine more to plan than to check.
CANDIDATES: tuple[tuple[DataType, re.Pattern[str]], ...] = (
    (Boolean(), re.compile(r"(?i:true|false)")),
    (Integer(64), re.compile(r"[+-]?\d+")),
    (Float(64), re.compile(r"[+-]?[\d.]+(?:[eE][+-]?\d+)?")),
    (Date(), re.compile(r"\d{4}-\d\d-\d\d")),
    (Timestamp(), re.compile(rf"{_MOMENT}(?::[\d.]+)?")),
    (Timestamp(zone=True), re.compile(rf"{_MOMENT}.*(?:Z|[+-]\d\d:?\d*)")),
)

#: Rows that are glanced at.
_GLANCED = 50

#: One query for so many columns; a file may have thousands.
_COLUMNS_A_QUERY = 100

_SAMPLE = '"inferred from"'
_FROM = "inferring"


def infer(con: Connection, scan: Scan, sample_rows: int = 20_000) -> dict[str, DataType]:
    """The proposed type of each column. A typed scan has its types already."""
    if not (scan.text or (isinstance(scan, ArrowScan | ArrowFileScan) and scan.all_text)):
        return {column.name: column.type for column in scan.schema}
    opened = open_scan(con, sampled(scan), _FROM, sample=True)
    try:
        columns = ", ".join(identifier(name) for name in scan.schema.names)
        con.execute(
            f"CREATE OR REPLACE TEMP TABLE {_SAMPLE} AS SELECT {columns} FROM {opened.relation} LIMIT {int(sample_rows)}"
        )
        names = scan.schema.names
        found: dict[str, DataType] = {}
        for start in range(0, len(names), _COLUMNS_A_QUERY):
            found |= _fitting(con, names[start : start + _COLUMNS_A_QUERY])
        return found
    finally:
        con.execute(f"DROP TABLE IF EXISTS {_SAMPLE}")
        opened.close()


def _fitting(con: Connection, names: Sequence[str]) -> dict[str, DataType]:
    likely = _likely(con, names)
    verdicts = ", ".join(f"coalesce(bool_and({_fits(identifier(name), kind)}), false)" for name, kind in likely)
    row = con.execute(f"SELECT {verdicts} FROM {_SAMPLE}").fetchone() if likely else ()
    found: dict[str, DataType] = {}
    for (name, kind), fits in zip(likely, row or (), strict=True):
        if fits:
            found.setdefault(name, kind)
    return {name: found.get(name, String()) for name in names}


def _likely(con: Connection, names: Sequence[str]) -> list[tuple[str, DataType]]:
    """The types that the first rows do not rule out."""
    rows = con.execute(f"SELECT {', '.join(map(identifier, names))} FROM {_SAMPLE} LIMIT {_GLANCED}").fetchall()
    likely = []
    for i, name in enumerate(names):
        cells = [row[i] for row in rows if row[i]]
        likely += [(name, kind) for kind, pattern in CANDIDATES if all(pattern.fullmatch(cell) for cell in cells)]
    return likely


def _fits(column: str, kind: DataType) -> str:
    """Null for an empty cell, which says nothing."""
    fits = f"{lenient(column, String(), kind)} IS NOT NULL"
    if kind.is_number:
        fits = f"({fits} AND NOT regexp_matches({column}, '^[+-]?0[0-9]|[A-Za-z]{{3}}'))"
    return f"CASE WHEN {column} <> '' THEN {fits} END"


def sampled(scan: Scan) -> Scan:
    """The same scan of fewer files: enough of them to see every column."""
    if not isinstance(scan, DelimitedScan | JsonScan):
        return scan
    filled = tuple(file for file in scan.files if file.bytes)
    return replace(scan, files=filled[:_FILES] or scan.files[:1])


_FILES = 20
