"""A project whose rows are counted: numbered rows in files, one in fifty bad, published to a target of every kind."""

from __future__ import annotations

import csv
import json
import sqlite3
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import duckdb
import psycopg
import yaml

from headrace import bootstrap
from headrace.application.orchestrator.scheduler import request_for
from headrace.bus.store import UNKNOWN
from headrace.infrastructure.storage.database import Database
from headrace.infrastructure.storage.event_log import EventLog
from headrace.infrastructure.storage.run_queue import DatabaseRunQueue

Modes = Mapping[str, str]
Rows = Counter[tuple[Any, ...]]

APPENDED: Modes = {"files": "append", "duckdb": "merge", "sqlite": "append", "postgres": "merge"}
MERGED: Modes = {"files": "merge", "duckdb": "append", "sqlite": "merge", "postgres": "append"}
SINKS = tuple(APPENDED)
ROWS, BAD_EVERY = 150, 50


@dataclass
class Counted:
    """One folder with one pipeline. `postgres` is a database for its targets, and for its state where that is asked for."""

    folder: Path
    postgres: str
    state: Literal["sqlite", "postgres"] = "sqlite"
    modes: Modes = field(default_factory=lambda: APPENDED)
    settings: Mapping[str, Any] = field(default_factory=dict)
    parts: Mapping[str, Any] = field(default_factory=dict)
    """More of the definition, over what is there."""
    fed: int = 0

    def __post_init__(self) -> None:
        settings = {"lease_seconds": 30, "attempts": 100, "threads": 1} | dict(self.settings)
        if self.state == "postgres":
            settings["database_url"] = self.postgres
        (self.folder / "in").mkdir(parents=True)
        (self.folder / "headrace.toml").write_text("".join(f"{k} = {json.dumps(v)}\n" for k, v in settings.items()))
        self.define(**self.parts)

    def define(self, **parts: Any) -> None:
        """Write the definition."""
        contract = {"columns": {"id": {"type": "int64", "required": True}, "v": {"type": "int64"}}}
        rows = {"file": {"path": "in/*.csv"}, "incremental": {"by": "file"}, "contract": contract}
        definition = {
            "version": 1,
            "pipeline": "counted",
            "sources": {"rows": rows},
            "steps": [{"derive": {"twice": "v * 2"}}],
            "checks": [{"row_count": {"min": 1}}],
            "sinks": self.sinks(),
        }
        self.file.write_text(yaml.safe_dump(definition | parts, sort_keys=False))

    def by_part(self) -> None:
        """Let each run read one file, the one that it is asked for, so that several may go on at once."""
        document = yaml.safe_load(self.file.read_text())
        source = document["sources"]["rows"]
        del source["incremental"]
        source["file"]["path"] = "in/${params.part}.csv"
        self.define(
            sources={"rows": source},
            params={"part": {"type": "string", "required": True}},
            concurrency=6,
            retry={"attempts": 50},
        )

    def feed_and_ask(self) -> str:
        """Another file, and a run for it."""
        self.feed()
        return self.ask(part=f"{self.fed:04}")

    def sinks(self) -> list[dict[str, Any]]:
        options: dict[str, dict[str, Any]] = {
            "files": {"file": {"path": "out/files/", "format": "parquet"}},
            "duckdb": {"duckdb": {"path": "out/rows.duckdb", "table": "counted"}},
            "sqlite": {"sqlite": {"path": "out/rows.sqlite", "table": "counted"}},
            "postgres": {"postgres": {"url": self.postgres, "table": "counted"}},
        }
        for name, mode in self.modes.items():
            (plugin,) = options[name].values()
            plugin |= {"mode": mode} | ({"key": ["id"]} if mode == "merge" else {})
        return [{"name": name, **options[name]} for name in self.modes]

    @property
    def file(self) -> Path:
        return self.folder / "pipeline.yaml"

    @property
    def out(self) -> Path:
        return self.folder / "out"

    @cached_property
    def database(self) -> Database:
        """One connection to the state, as long as the project is looked at."""
        return bootstrap.database(self.folder)

    @property
    def store(self) -> EventLog:
        return EventLog(self.database)

    @property
    def queue(self) -> DatabaseRunQueue:
        return DatabaseRunQueue(self.database)

    # Feeding it and asking for runs ----------------------------------------------------------------------------------

    def feed(self, rows: int = ROWS) -> None:
        """Another file of rows."""
        first = self.fed * ROWS
        self.fed += 1
        part = self.folder / "fresh.part"
        with part.open("w", newline="") as file:
            out = csv.writer(file, lineterminator="\n")
            out.writerow(["id", "v"])
            out.writerows((i, "bad" if i % BAD_EVERY == 0 else i % 7) for i in range(first, first + rows))
        part.rename(self.folder / "in" / f"{self.fed:04}.csv")

    def ask(self, priority: int = 0, **params: str) -> str:
        """A run that any worker may carry out; its id."""
        loaded = bootstrap.load(self.file, params)
        request = request_for(loaded.definition, loaded.project, bootstrap.kept(loaded), params, "command", None, UNKNOWN)
        return self.queue.submit(replace(request, priority=priority))

    # What there is, and what there should be -------------------------------------------------------------------------

    @property
    def expected(self) -> Rows:
        return Counter((i, i % 7, i % 7 * 2) for i in range(self.fed * ROWS) if i % BAD_EVERY)

    @property
    def bad(self) -> int:
        return self.fed * ROWS // BAD_EVERY

    def targets(self) -> dict[str, Rows]:
        """The rows that each target holds now, as a reader sees them."""
        readers = {"files": self._files, "duckdb": self._duckdb, "sqlite": self._sqlite, "postgres": self._postgres}
        return {name: Counter(readers[name]()) for name in self.modes}

    def _files(self) -> list[tuple[Any, ...]]:
        files = [str(f) for f in (self.out / "files").rglob("*.parquet")]
        with duckdb.connect() as con:
            return con.execute("SELECT id, v, twice FROM read_parquet(?)", [files]).fetchall() if files else []

    def _duckdb(self) -> list[tuple[Any, ...]]:
        path = self.out / "rows.duckdb"
        if not path.exists():
            return []
        with duckdb.connect(str(path), read_only=True) as con:
            there = con.execute("SELECT 1 FROM duckdb_tables() WHERE table_name = 'counted'").fetchall()
            return con.execute("SELECT id, v, twice FROM counted").fetchall() if there else []

    def _sqlite(self) -> list[tuple[Any, ...]]:
        path = self.out / "rows.sqlite"
        if not path.exists():
            return []
        con = sqlite3.connect(path)
        try:
            there = con.execute("SELECT 1 FROM sqlite_master WHERE name = 'counted'").fetchall()
            return con.execute("SELECT id, v, twice FROM counted").fetchall() if there else []
        finally:
            con.close()

    def _postgres(self) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.postgres) as con:
            there = con.execute("SELECT to_regclass('public.counted') IS NOT NULL").fetchall()[0][0]
            return con.execute("SELECT id, v, twice FROM public.counted").fetchall() if there else []
