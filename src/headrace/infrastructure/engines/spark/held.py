"""Gathers the rows that are held back: the executors write them out, and they are kept as every engine keeps them. Not how that is."""

from __future__ import annotations

from pathlib import Path

from headrace.business.model.contract import OnViolation
from headrace.business.processing.plan import PlannedSource
from headrace.business.validation.compiled import raw
from headrace.infrastructure.engines.duckdb import literals as duckdb
from headrace.infrastructure.engines.duckdb.held_rows import HeldRows
from headrace.infrastructure.engines.duckdb.reading import OpenScan
from headrace.infrastructure.engines.spark.area import Area, parts
from headrace.infrastructure.engines.spark.checked import FILE, NUMBER, Checked
from headrace.infrastructure.engines.spark.intake import Intake, relation
from headrace.infrastructure.engines.spark.late import HELD, LATE, Late
from headrace.infrastructure.engines.spark.naming import identifier, text


def gather(
    area: Area, intake: Intake, source: PlannedSource, checked: Checked, late: Late, scan: OpenScan, arrived: str, project: Path
) -> HeldRows:
    """Everything that broke a rule or could not be read. `arrived` has the cells of all rows as they came."""
    held = HeldRows(intake.con, source, scan, project)
    names = source.contract.raw_columns
    files = parts(area.write("held", source.name, _broken(checked, late, arrived)))
    cells = ", ".join(f"{duckdb.text(name)}, {duckdb.identifier(raw(name))}" for name in names)
    cells_text = f"CAST(json_object({cells}) AS VARCHAR)" if names else "NULL::VARCHAR"
    intake.con.execute(
        f"CREATE OR REPLACE TEMP TABLE {held.table} AS SELECT r, file, rank, reasons, {cells_text} AS raw, action, "
        f"NULL::VARCHAR AS text, NULL::VARCHAR AS note FROM {relation(files)}"
    )
    held.number(scan.rejected())
    return held


def _broken(checked: Checked, late: Late, arrived: str) -> str:
    first = f"(SELECT {FILE}, min({NUMBER}) AS first FROM {late.checked_rows} GROUP BY {FILE})"
    reasons = checked.reasons()
    if late.any:
        names = ", ".join(text(rule.name) for rule in late.rules)
        found = f"transform(coalesce({LATE}, CAST(array() AS ARRAY<INT>)), rule -> element_at(array({names}), rule + 1))"
        reasons = f"concat({reasons}, {found})"
    broke = f"{checked.any_bit()} OR {late.breaks((*HELD, 'warn'))}"
    cells = "".join(f", a.{identifier(raw(n))}" for n in checked.source.contract.raw_columns)
    return (
        f"SELECT c.{NUMBER} AS r, CAST(c.{FILE} AS BIGINT) AS file, c.{NUMBER} - f.first AS rank, c.reasons, c.action{cells} "
        f"FROM (SELECT *, {reasons} AS reasons, {_action(checked, late)} AS action FROM {late.rows} WHERE {broke}) AS c "
        f"JOIN {first} AS f ON f.{FILE} = c.{FILE} JOIN {arrived} AS a ON a.{NUMBER} = c.{NUMBER}"
    )


def _action(checked: Checked, late: Late) -> str:
    def breaks(action: OnViolation) -> str:
        return f"({checked.breaks([action])} OR {late.breaks([action])})"

    return (
        f"CASE WHEN {breaks('fail')} THEN 'fail' WHEN {breaks('quarantine')} THEN 'quarantine' "
        f"WHEN {breaks('drop')} THEN 'drop' ELSE 'warn' END"
    )
