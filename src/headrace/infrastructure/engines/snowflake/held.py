"""Gathers the rows that are held back from a checked table of the database: they alone leave it, to be written as every engine writes
them. Not how that is.
"""

from __future__ import annotations

from pathlib import Path

from headrace.business.model.contract import OnViolation
from headrace.business.model.schema import Column, Schema
from headrace.business.model.types import Integer, String
from headrace.business.processing.plan import PlannedSource
from headrace.business.validation.compiled import raw
from headrace.infrastructure.engines.duckdb.held_rows import HeldRows
from headrace.infrastructure.engines.duckdb.reading import OpenScan
from headrace.infrastructure.engines.snowflake.checked import FILE, Checked
from headrace.infrastructure.engines.snowflake.dialect import DIALECT
from headrace.infrastructure.engines.snowflake.intake import ROW, Intake
from headrace.infrastructure.engines.snowflake.late import Late
from headrace.infrastructure.sql_text import literal, quoted

_OWN = Schema(
    (
        Column("r", Integer(64)),
        Column("file", Integer(64)),
        Column("rank", Integer(64)),
        Column("reasons", String()),
        Column("action", String()),
    )
)


def gather(
    intake: Intake, source: PlannedSource, checked: Checked, late: Late, scan: OpenScan, arrived: str | None, project: Path
) -> HeldRows:
    """Everything that broke a rule or could not be read. `arrived` is a relation with the cells of all rows as they came; without
    one the checked table has them."""
    held = HeldRows(intake.con, source, scan, project)
    names = source.contract.raw_columns
    columns = (Column(raw(name), source.scan.schema[name].type) for name in names)
    fetched = intake.fetch(_broken(checked, late, arrived), Schema((*_OWN, *columns)))
    cells = ", ".join(f"{literal(name)}, {quoted(raw(name))}" for name in names)
    text = f"CAST(json_object({cells}) AS VARCHAR)" if names else "NULL::VARCHAR"
    reasons = "string_split(substr(reasons, 2), chr(10))"  # each stands behind a line break
    intake.con.execute(
        f"CREATE OR REPLACE TEMP TABLE {held.table} AS SELECT r, file, rank, {reasons} AS reasons, {text} AS raw, action, "
        f"NULL::VARCHAR AS text, NULL::VARCHAR AS note FROM {fetched}"
    )
    held.number(scan.rejected())
    return held


def _broken(checked: Checked, late: Late, arrived: str | None) -> str:
    first = f'(SELECT {FILE}, MIN({ROW}) AS "first" FROM {checked.table} GROUP BY {FILE})'
    reasons, beside = checked.reasons(), ""
    if late.any:
        names = " ".join(f"WHEN {i} THEN {DIALECT.literal(chr(10) + rule.name, String())}" for i, rule in enumerate(late.rules))
        listed = f'LISTAGG(CASE "rule" {names} END, \'\') WITHIN GROUP (ORDER BY "rule")'
        beside = f' LEFT JOIN (SELECT "r", {listed} AS "reasons" FROM {late.table} GROUP BY "r") AS l ON l."r" = c.{ROW}'
        reasons = f"{reasons} || COALESCE(l.\"reasons\", '')"
    if arrived:
        beside += f" JOIN {arrived} AS a ON a.{ROW} = c.{ROW}"
    broke = f"{checked.any_bit()} OR {late.breaks(('fail', 'quarantine', 'drop', 'warn'))}"
    cells = "".join(
        f", {'a' if arrived else 'c'}.{quoted(raw(n))} AS {quoted(raw(n))}" for n in checked.source.contract.raw_columns
    )
    return (
        f'SELECT c.{ROW} AS "r", c.{FILE} AS "file", c.{ROW} - f."first" AS "rank", {reasons} AS "reasons", '
        f'{_action(checked, late)} AS "action"{cells} FROM (SELECT * FROM {checked.table} WHERE {broke}) AS c '
        f"JOIN {first} AS f ON f.{FILE} = c.{FILE}{beside}"
    )


def _action(checked: Checked, late: Late) -> str:
    def breaks(action: OnViolation) -> str:
        condition = f"({checked.breaks([action])} OR {late.breaks([action])})"
        return condition.replace(f"{ROW} IN", f"c.{ROW} IN")

    return (
        f"CASE WHEN {breaks('fail')} THEN 'fail' WHEN {breaks('quarantine')} THEN 'quarantine' "
        f"WHEN {breaks('drop')} THEN 'drop' ELSE 'warn' END"
    )
