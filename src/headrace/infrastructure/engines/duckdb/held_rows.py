"""The rows that are held back, on their way into a Parquet file: all reasons, rule versions, source position, and the text of the
cells. Not who decides, nor where they come from.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from headrace.business.engine import Example, QuarantineTarget
from headrace.business.model.types import String
from headrace.business.processing.plan import PlannedSource
from headrace.business.validation.compiled import UNREADABLE
from headrace.infrastructure.duckdb_connection import Connection
from headrace.infrastructure.engines.duckdb.literals import identifier, literal
from headrace.infrastructure.engines.duckdb.reading import OpenScan


class HeldRows:
    """The rows of one dataset that broke rules. Whoever knows them fills `table`: `r, file, rank, reasons, raw, action, text, note`,
    where `rank` counts the accepted records of a file from 0, and `raw` are the cells as a JSON object."""

    def __init__(self, con: Connection, source: PlannedSource, scan: OpenScan, project: Path) -> None:
        self.con, self.source, self.scan = con, source, scan
        self.table = identifier(f"held {source.name}")
        files = [_place(f.name, project) for f in getattr(source.scan, "files", ())]
        self.files: Sequence[str] = files or [source.origin]

    def number(self, rejected: str | None) -> None:
        """Find out which record each row was, and put those beside that could not be read."""
        ranks = identifier(f"ranks {self.source.name}")
        self.con.execute(f"CREATE TEMP TABLE {ranks} AS SELECT file, rank FROM {self.table}")
        numbers = self.scan.record_numbers(ranks)
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
