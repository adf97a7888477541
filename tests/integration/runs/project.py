"""A project folder with a pipeline in it, for tests: written, run, and asked what became of its rows."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import yaml

from headrace import bootstrap
from headrace.application.cli.invocation import invoke
from headrace.application.queries.quarantine import find_held
from headrace.application.queries.runs import RunView
from headrace.business.model.definition import Loaded

Row = Sequence[Any]


class Project:
    """One folder, one `pipeline.yaml`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "pipeline.yaml"

    def data(self, name: str, header: Sequence[str], rows: Iterable[Row]) -> Path:
        """Write a CSV file; None is an empty cell."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", newline="", encoding="utf-8") as file:
            out = csv.writer(file, lineterminator="\n")
            out.writerow(header)
            out.writerows(rows)
        return path

    def text(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def define(self, **parts: Any) -> Project:
        """Write the definition: `sources`, `steps`, `checks`, `sinks`, `params`, `tests`."""
        self.file.write_text(yaml.safe_dump({"version": 1, "pipeline": "p", **parts}, sort_keys=False, allow_unicode=True))
        return self

    def one(self, contract: Mapping[str, Any] | None = None, path: str = "in.csv", **parts: Any) -> Project:
        """A pipeline of one source `rows` into one file."""
        source: dict[str, Any] = {"file": {"path": path}}
        if contract is not None:
            source["contract"] = contract
        return self.define(sources={"rows": source}, **({"sinks": [{"name": "out", "file": "out.csv"}]} | parts))

    def load(self, **params: str) -> Loaded:
        return bootstrap.load(self.file, params)

    def run(self, **options: Any) -> RunView:
        return bootstrap.run(self.load(), **options)

    def cli(self, *arguments: str) -> int:
        return invoke(arguments, lambda: bootstrap)

    def replay(self, mended: Path | None = None, run_id: str = "latest", dataset: str | None = None) -> RunView:
        return bootstrap.replay(self.load(), find_held(self.store, run_id, dataset), mended)

    @property
    def store(self) -> Any:
        return bootstrap.event_store(self.folder)

    def published(self, name: str = "out.csv") -> list[dict[str, str]]:
        """The rows of a CSV file, or of all CSV files of a folder."""
        path = self.folder / name
        files = sorted(path.rglob("*.csv")) if path.is_dir() else [path]
        return [row for file in files for row in csv.DictReader(io.StringIO(file.read_bytes().decode(), newline=""))]

    def multiset(self, name: str = "out.csv") -> Counter[tuple[str, ...]]:
        return Counter(tuple(row.values()) for row in self.published(name))

    def held(self, run: RunView, dataset: str = "rows") -> list[dict[str, Any]]:
        """What a run held back, with the cells as they came under `cells`."""
        path = run.sources[dataset].get("quarantine")
        if path is None:
            return []
        with duckdb.connect() as con:
            found = con.execute("SELECT * FROM read_parquet(?) ORDER BY file, record", [path])
            names = [d[0] for d in found.description]
            rows = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
        return [{**row, "cells": json.loads(row["raw"]) if row["raw"] is not None else None} for row in rows]

    def reasons(self, run: RunView, dataset: str = "rows") -> dict[int, list[str]]:
        return {row["record"]: row["reasons"] for row in self.held(run, dataset)}


def query(path: Path, sql: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(path), read_only=True) as con:
        return con.execute(sql).fetchall()
