"""Gathers the rows that are held back from a checked table of the database: they alone leave it, to be written as every engine writes
them. Not how that is.
"""

from __future__ import annotations

from pathlib import Path

from headrace.business.model.contract import OnViolation
from headrace.business.model.schema import Column, Schema
from headrace.business.model.types import Integer, List, String
from headrace.business.processing.plan import PlannedSource
from headrace.business.validation.compiled import raw
from headrace.infrastructure.engines.duckdb.held_rows import HeldRows
from headrace.infrastructure.engines.duckdb.reading import OpenScan
from headrace.infrastructure.engines.postgres.checked import FILE, Checked
from headrace.infrastructure.engines.postgres.dialect import DIALECT
from headrace.infrastructure.engines.postgres.intake import ROW, Intake
from headrace.infrastructure.engines.postgres.late import Late
from headrace.infrastructure.sql_text import literal, quoted

_OWN = Schema(
    (
        Column("r", Integer(64)),
        Column("file", Integer(64)),
        Column("rank", Integer(64)),
        Column("reasons", List(String())),
        Column("action", String()),
    )
)


def gather(
    intake: Intake, source: PlannedSource, checked: Checked, late: Late, scan: OpenScan, arrived: str | None, project: Path
) -> HeldRows:
    """Everything that broke a rule or could not be read. `arrived` is the table that has the cells of all rows as they came; without
    one the checked table has them."""
    held = HeldRows(intake.con, source, scan, project)
    names = _kept(source)
    columns = (Column(raw(name), source.scan.schema[name].type) for name in names)
    fetched = intake.fetch(_broken(checked, late, arrived), Schema((*_OWN, *columns)))
    cells = ", ".join(f"{literal(name)}, {quoted(raw(name))}" for name in names)
    text = f"CAST(json_object({cells}) AS VARCHAR)" if names else "NULL::VARCHAR"
    intake.con.execute(
        f"CREATE OR REPLACE TEMP TABLE {held.table} AS SELECT r, file, rank, reasons, {text} AS raw, action, "
        f"NULL::VARCHAR AS text, NULL::VARCHAR AS note FROM {fetched}"
    )
    held.number(scan.rejected())
    return held


def _broken(checked: Checked, late: Late, arrived: str | None) -> str:
    rank, first = f"c.{ROW} - 1", ""
    if len(getattr(checked.source.scan, "files", ())) > 1:
        rank = f"c.{ROW} - f.first"
        first = f" JOIN (SELECT {FILE}, min({ROW}) AS first FROM {checked.table} GROUP BY {FILE}) AS f ON f.{FILE} = c.{FILE}"
    reasons = checked.reasons()
    if late.any:
        names = ", ".join(DIALECT.literal(rule.name, String()) for rule in late.rules)
        found = f"SELECT array_agg((ARRAY[{names}]::text[])[rule + 1] ORDER BY rule) FROM {late.table} AS l WHERE l.r = c.{ROW}"
        reasons = f"{reasons} || coalesce(({found}), ARRAY[]::text[])"
    broke = f"{checked.few()} OR {late.breaks(('fail', 'quarantine', 'drop', 'warn'))}"
    cells = "".join(f", {'a' if arrived else 'c'}.{quoted(raw(n))}" for n in _kept(checked.source))
    beside = f" JOIN {arrived} AS a ON a.{ROW} = c.{ROW}" if arrived else ""
    return (
        f"SELECT c.{ROW} AS r, c.{FILE}::bigint AS file, {rank} AS rank, {reasons} AS reasons, "
        f"{_action(checked, late)} AS action"
        f"{cells} FROM (SELECT * FROM {checked.table} WHERE {broke}) AS c{first}{beside}"
    )


def _kept(source: PlannedSource) -> list[str]:
    """The columns whose cells are there: all, but where no rule can hold a row back."""
    return [name for name in source.contract.raw_columns if name in source.columns_read]


def _action(checked: Checked, late: Late) -> str:
    def breaks(action: OnViolation) -> str:
        condition = f"({checked.breaks([action])} OR {late.breaks([action])})"
        return condition.replace(f"{ROW} IN", f"c.{ROW} IN")

    return (
        f"CASE WHEN {breaks('fail')} THEN 'fail' WHEN {breaks('quarantine')} THEN 'quarantine' "
        f"WHEN {breaks('drop')} THEN 'drop' ELSE 'warn' END"
    )
