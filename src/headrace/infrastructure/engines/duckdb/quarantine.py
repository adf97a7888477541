"""Gathers the rows that are held back from a checked table, with all reasons and the text of their cells. Not how they are written."""

from __future__ import annotations

from pathlib import Path

from headrace.business.model.contract import OnViolation
from headrace.business.model.types import String
from headrace.business.processing.plan import PlannedSource
from headrace.infrastructure.duckdb_connection import Connection
from headrace.infrastructure.engines.duckdb.checked import Checked
from headrace.infrastructure.engines.duckdb.held_rows import HeldRows
from headrace.infrastructure.engines.duckdb.late import Late
from headrace.infrastructure.engines.duckdb.literals import identifier, literal
from headrace.infrastructure.engines.duckdb.reading import OpenScan


class Quarantine(HeldRows):
    """The rows of a checked table that broke rules."""

    def __init__(
        self, con: Connection, source: PlannedSource, checked: Checked, late: Late, scan: OpenScan, project: Path
    ) -> None:
        super().__init__(con, source, scan, project)
        self.checked, self.late = checked, late

    def gather(self, rejected: str | None) -> None:
        """Collect what broke anything, with file, record number, reasons and raw text."""
        self._held_rows()
        self._recall_raw_text()
        self.number(rejected)

    def _held_rows(self) -> None:
        broke = f"{self.checked.any_bit()} OR {self.late.breaks(('fail', 'quarantine', 'drop', 'warn'))}"
        first = f'(SELECT "#file", min(rowid) AS first FROM {self.checked.table} GROUP BY "#file")'
        reasons = self.checked.reasons()
        if self.late.any:
            names = ", ".join(literal(rule.name, String()) for rule in self.late.rules)
            late = f"(SELECT r, list([{names}][rule + 1] ORDER BY rule) AS late FROM {self.late.table} GROUP BY r)"
            reasons = f"list_concat({reasons}, coalesce(l.late, []))"
            join = f"LEFT JOIN {late} AS l ON l.r = c.rowid"
        else:
            join = ""
        self.con.execute(
            f"""CREATE TEMP TABLE {self.table} AS
            SELECT c.rowid AS r, c."#file" AS file, c.rowid - f.first AS rank, {reasons} AS reasons, c."#raw" AS raw,
                   CASE WHEN {self._breaks("fail")} THEN 'fail' WHEN {self._breaks("quarantine")} THEN 'quarantine'
                        WHEN {self._breaks("drop")} THEN 'drop' ELSE 'warn' END AS action,
                   NULL::VARCHAR AS text, NULL::VARCHAR AS note
            FROM (SELECT *, rowid FROM {self.checked.table} WHERE {broke}) AS c JOIN {first} AS f ON c."#file" = f."#file" {join}"""
        )

    def _breaks(self, action: OnViolation) -> str:
        return f"({self.checked.breaks([action])} OR {self.late.breaks([action])})"

    def _recall_raw_text(self) -> None:
        """Read again the text of rows that only a late rule found: the scan had let go of it, because it had nothing against them."""
        missing = self.con.execute(f"SELECT 1 FROM {self.table} WHERE raw IS NULL LIMIT 1").fetchall()
        if not missing:
            return
        cells = ", ".join(f"{literal(name, String())}, {identifier(name)}" for name in self.source.contract.raw_columns)
        self.con.execute(
            f"""UPDATE {self.table} AS h SET raw = s.raw FROM (
                SELECT "#:n" - 1 AS r, CAST(json_object({cells}) AS VARCHAR) AS raw
                FROM (SELECT *, row_number() OVER () AS "#:n" FROM {self.scan.relation}) AS s
                SEMI JOIN (SELECT r + 1 AS "#:n" FROM {self.table} WHERE raw IS NULL) AS m USING ("#:n")
            ) AS s WHERE h.r = s.r AND h.raw IS NULL"""
        )
