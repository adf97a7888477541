"""Writes the rows that are held back: all reasons, rule versions, source position, and the text of the cells. Not who decides."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb

from headrace.business.engine import Example, QuarantineTarget
from headrace.business.model.contract import OnViolation
from headrace.business.model.types import String
from headrace.business.processing.plan import PlannedSource
from headrace.business.validation.compiled import UNREADABLE
from headrace.infrastructure.engines.duckdb.checked import Checked
from headrace.infrastructure.engines.duckdb.late import Late
from headrace.infrastructure.engines.duckdb.literals import identifier, literal
from headrace.infrastructure.engines.duckdb.reading import OpenScan


class Quarantine:
    """The rows of one dataset that broke rules, gathered in a table before they are written."""

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        source: PlannedSource,
        checked: Checked,
        late: Late,
        scan: OpenScan,
        project: Path,
    ) -> None:
        self.con, self.source, self.checked, self.late, self.scan = con, source, checked, late, scan
        self.table = identifier(f"held {source.name}")
        files = [_place(f.name, project) for f in getattr(source.scan, "files", ())]
        self.files: Sequence[str] = files or [source.origin]

    def gather(self, rejected: str | None) -> None:
        """Collect what broke anything, with file, record number, reasons and raw text."""
        self._held_rows()
        self._recall_raw_text()
        self.con.execute(f"CREATE TEMP TABLE {self._ranks} AS SELECT file, rank FROM {self.table}")
        numbers = self.scan.record_numbers(self._ranks)
        self.con.execute(f"ALTER TABLE {self.table} ADD COLUMN record BIGINT")
        self.con.execute(
            f"UPDATE {self.table} AS h SET record = n.record FROM ({numbers}) AS n WHERE h.file = n.file AND h.rank = n.rank"
        )
        if rejected is not None:
            self.con.execute(
                f"INSERT INTO {self.table} BY NAME SELECT -1 AS r, file, record, text, [{literal(UNREADABLE, String())}] AS reasons, "
                f"'quarantine' AS action, reason || ': ' || message AS note FROM {rejected}"
            )
        self.files = self.scan.placed(self.table) or self.files

    @property
    def _ranks(self) -> str:
        return identifier(f"ranks {self.source.name}")

    def _held_rows(self) -> None:
        broke = f"{self.checked.any_bit()} OR {self.late.breaks(('fail', 'quarantine', 'drop', 'warn'))}"
        first = f'(SELECT "#file", min(rowid) AS first FROM {self.checked.table} GROUP BY "#file")'
        reasons = self.checked.reasons()
        if self.late.any:
            names = ", ".join(literal(rule.name, String()) for rule in self.late.rules)
            late = f'(SELECT "row", list([{names}][rule + 1] ORDER BY rule) AS late FROM {self.late.table} GROUP BY "row")'
            reasons = f"list_concat({reasons}, coalesce(l.late, []))"
            join = f'LEFT JOIN {late} AS l ON l."row" = c.rowid'
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

    def write(self, target: QuarantineTarget) -> int:
        """Write the rows that are held back to a Parquet file, if there are any; their number."""
        names = f"[{', '.join(literal(f, String()) for f in self.files)}]"
        versions = _versions(self.source)
        prefix = literal(f"{target.run_id}/{self.source.name}/", String())
        select = f"""SELECT sha256({prefix} || file || '/' || coalesce(record, 0)) AS id,
            {literal(target.run_id, String())} AS run_id, {literal(target.pipeline, String())} AS pipeline,
            {literal(self.source.name, String())} AS dataset, {names}[coalesce(file, 0) + 1] AS file, record, reasons,
            list_transform(reasons, lambda r: {versions}[r]) AS versions, raw, text, note
            FROM {self.table} WHERE action IN ('quarantine', 'fail') ORDER BY file, record"""
        rows = self.con.execute(f"SELECT count(*) FROM {self.table} WHERE action IN ('quarantine', 'fail')").fetchall()[0]
        if rows and rows[0]:
            target.path.parent.mkdir(parents=True, exist_ok=True)
            part = target.path.with_name(f".{target.path.name}.part")
            self.con.execute(f"COPY ({select}) TO {literal(str(part), String())} (FORMAT parquet)")
            part.replace(target.path)
        return int(rows[0]) if rows else 0

    def rows(self) -> Sequence[Mapping[str, Any]]:
        """All of them, for tests of a definition."""
        found = self.con.execute(f"SELECT record, reasons, action, raw FROM {self.table} ORDER BY file, record").fetchall()
        return [
            {"record": record, "reasons": reasons, "action": action, "cells": json.loads(raw) if raw else {}}
            for record, reasons, action, raw in found
        ]

    def examples(self) -> Sequence[Example]:
        """For each reason the first row that has it."""
        found = self.con.execute(
            f"""SELECT reason, arg_min((file, record, raw, text), (file, record))
            FROM (SELECT *, unnest(reasons) AS reason FROM {self.table}) GROUP BY reason ORDER BY reason"""
        ).fetchall()
        return [_example(reason, tuple(row.values()) if isinstance(row, dict) else row, self.files) for reason, row in found]


def _place(path: str, project: Path) -> str:
    """A file as people know it: from the project folder, where it lies in there."""
    root = project.resolve()
    return Path(path).relative_to(root).as_posix() if Path(path).is_relative_to(root) else path


def _example(reason: str, row: tuple[int | None, int | None, str | None, str | None], files: Sequence[str]) -> Example:
    file, record, raw, text = row
    return Example(reason, files[file or 0], record, json.loads(raw) if raw else {}, text)


def _versions(source: PlannedSource) -> str:
    rules = (*source.contract.rules, *source.contract.late)
    pairs = ", ".join(f"{literal(r.name, String())}: {literal(r.version, String())}" for r in rules)
    unreadable = f"{literal(UNREADABLE, String())}: '1'"
    return f"MAP {{{pairs + ', ' if pairs else ''}{unreadable}}}"
