"""The targets that the kit puts through its paces: how to make a sink for each, and how to look at what is there."""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import duckdb
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
from tests.conformance.sinks.scratch import scratch

from headrace.business.model.schema import Schema
from headrace.business.model.types import Boolean, Date, Decimal, Float, Integer, String, Timestamp
from headrace.business.ports import Checkpoint, Fence, InputFile, Position, Publisher, Staged
from headrace.infrastructure.connectors.duckdb_sink import DuckDBSink
from headrace.infrastructure.connectors.duckdb_types import duckdb_type
from headrace.infrastructure.connectors.file_sink import FileSink
from headrace.infrastructure.connectors.postgres_sink import PostgresSink
from headrace.infrastructure.connectors.sqlite_sink import SQLiteSink
from headrace.infrastructure.formats.parquet_checksums import add_checksums
from headrace.infrastructure.sql_text import quoted

MODES = ("append", "replace", "merge", "scd2")
SCHEMA = Schema.of(
    id=Integer(32),
    part=String(),
    name=String(),
    amount=Decimal(15, 2),
    ratio=Float(64),
    day=Date(),
    seen=Timestamp(True),
    good=Boolean(),
)
Row = tuple[Any, ...]


def row(number: int, name: str | None = "", amount: str = "1.10") -> Row:
    """A row, as text that DuckDB casts to the schema."""
    return (
        number,
        f"p{number % 3}",
        name,
        amount,
        number / 7,
        "2013-11-03",
        f"2013-11-03 06:30:00.{number % 1000:03}+00",
        number % 2 == 0,
    )


def stage(folder: Path, rows: list[Row], schema: Schema = SCHEMA, files: int = 1) -> Staged:
    """Rows at rest, as a run leaves them: Parquet with page checksums."""
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    with scratch() as con:
        columns = ", ".join(f"{quoted(c.name)} {duckdb_type(c.type)}" for c in schema)
        for i in range(files):
            part = rows[i::files]
            con.execute(f"CREATE OR REPLACE TEMP TABLE rows ({columns})")
            if part:
                marks = "(" + ", ".join("?" for _ in schema) + ")"
                con.execute(f"INSERT INTO rows VALUES {', '.join([marks] * len(part))}", [value for r in part for value in r])
            raw, path = folder / f"{i}.raw", folder / f"{i}.parquet"
            con.execute(f"COPY rows TO '{raw}' (FORMAT parquet)")
            add_checksums(raw, path)
            raw.unlink()
            made.append(path)
    return Staged(tuple(made), schema, len(rows), sum(p.stat().st_size for p in made))


def checkpoint(name: str, *, pipeline: str = "flights", day: int = 1, fence: Fence | None = None) -> Checkpoint:
    at = datetime(2024, 1, 1, 12, tzinfo=UTC) + timedelta(days=day)
    return Checkpoint(
        name,
        pipeline,
        f"run-{name}",
        at,
        {"source": (InputFile(f"in/{name}.csv", 10, 1, "ab" * 32),)},
        {"cursor": Position(name)},
        fence,
    )


@dataclass
class Target(ABC):
    """One kind of target below `home`."""

    home: Path
    options: Mapping[str, Any] = field(default_factory=dict)
    plugin: ClassVar[type[Any]]
    impatient: ClassVar[Mapping[str, Any]] = {}
    """The options with which the sink waits for nobody."""

    def anew(self, home: Path) -> Target:
        """A target of the same kind of which nothing is there yet."""
        home.mkdir()
        return replace(self, home=home)

    def sink(self, mode: str, **more: Any) -> Publisher:
        made: Publisher = self.plugin.model_validate(self.spec(mode, **more))
        return made

    def spec(self, mode: str, **more: Any) -> dict[str, Any]:
        """The options, as a definition would have them."""
        key = {"key": ["id"]} if mode in ("merge", "scd2") else {}
        return {**self.place(), **self.options, "mode": mode, **key, **more}

    @abstractmethod
    def place(self) -> dict[str, Any]: ...

    @abstractmethod
    def query(self, sql: str) -> list[Row]:
        """Rows of `SELECT ... FROM rows`."""

    @abstractmethod
    def remove(self) -> None:
        """Let the rows be gone, as a person would."""

    @abstractmethod
    def state(self) -> Any:
        """All that must not change when nothing is published."""

    def shown(self) -> Any:
        """All of the state that readers see."""
        return self.state()

    def rows(self, columns: str = "id, name, CAST(amount AS VARCHAR)") -> list[Row]:
        return sorted(self.query(f"SELECT {columns} FROM rows"), key=repr)


class FileTarget(Target):
    plugin = FileSink

    @property
    def path(self) -> Path:
        return self.home / str(self.options.get("at", "out"))

    def place(self) -> dict[str, Any]:
        return {"path": str(self.path)}

    def spec(self, mode: str, **more: Any) -> dict[str, Any]:
        spec = super().spec(mode, **more)
        spec.pop("at", None)
        return spec

    def data_files(self) -> list[Path]:
        if self.path.is_file():
            return [self.path]
        return sorted(p for p in self.path.rglob("*") if p.is_file() and p.name[0] not in "._")

    def remove(self) -> None:
        for path in (self.path, self.path.with_name(f".{self.path.name}.manifest.json")):
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)

    def query(self, sql: str) -> list[Row]:
        """Reads as a stranger does: by a pattern, knowing nothing of the manifest."""
        files = self.data_files()
        if not files:
            return []
        with scratch() as con:
            con.execute(f"CREATE TEMP VIEW rows AS {self._scan(con, files)}")
            return [tuple(map(plain, r)) for r in con.execute(sql).fetchall()]

    def _scan(self, con: duckdb.DuckDBPyConnection, files: list[Path]) -> str:
        listed = "[" + ", ".join(f"'{f}'" for f in files) + "]"
        ending = files[0].name
        if ".csv" in ending:
            return f"SELECT * FROM read_csv({listed}, header = true, all_varchar = true, allow_quoted_nulls = false, union_by_name = true)"
        if ".jsonl" in ending:
            kinds = (
                {c.name: duckdb_type(c.type) for c in SCHEMA}
                | {"note": "VARCHAR", 'say "x"; drop': "VARCHAR", "select": "VARCHAR"}
                | {
                    "valid_from": "TIMESTAMPTZ",
                    "valid_to": "TIMESTAMPTZ",
                    "is_current": "BOOLEAN",
                }
            )
            columns = ", ".join(f"{quoted(name)}: '{kind}'" for name, kind in kinds.items())
            return f"SELECT * FROM read_json({listed}, format = 'newline_delimited', columns = {{{columns}}})"
        if ".arrow" in ending:
            tables = []
            for f in files:
                with pa.memory_map(str(f)) as source:
                    tables.append(pa.ipc.open_file(source).read_all())
            con.register("arrow_rows", pa.concat_tables(tables, promote_options="default"))
            return "SELECT * FROM arrow_rows"
        # Each file is opened once and every page of it verified.
        tables = [pq.ParquetFile(f, page_checksum_verification=True).read() for f in files]
        con.register("parquet_rows", pa.concat_tables(tables, promote_options="default"))
        return "SELECT * FROM parquet_rows"

    def state(self) -> Any:
        """Every byte and time below the target, and of the manifest beside a single file; but no litter beside it."""
        beside = self.path.with_name(f".{self.path.name}.manifest.json")
        found = [p for p in (self.path, *self.path.rglob("*"), beside) if p.exists()]
        return {
            str(p.relative_to(self.home)): (p.stat().st_mtime_ns, p.is_file() and hashlib.sha256(p.read_bytes()).hexdigest())
            for p in found
        }


class DuckDBTarget(Target):
    plugin = DuckDBSink

    @property
    def path(self) -> Path:
        return self.home / "out.duckdb"

    def place(self) -> dict[str, Any]:
        return {"path": str(self.path), "table": "analytics.flights"}

    def remove(self) -> None:
        with duckdb.connect(str(self.path)) as con:
            con.execute("DROP TABLE analytics.flights")

    def shown(self) -> Any:
        return self.state()[:2]

    def query(self, sql: str) -> list[Row]:
        if not self.path.exists():
            return []
        with duckdb.connect(str(self.path), read_only=True) as con:
            con.execute("SET TimeZone = 'UTC'")
            try:
                return [tuple(map(plain, r)) for r in con.execute(f"WITH rows AS (FROM analytics.flights) {sql}").fetchall()]
            except duckdb.CatalogException:
                return []

    def state(self) -> Any:
        ledger = list(self.sink("append").ledger(self.home))
        return (
            self.query("SELECT COLUMNS(*)::VARCHAR FROM rows ORDER BY ALL"),
            ledger,
            self.path.exists() and self.path.stat().st_mtime_ns,
        )


class SQLiteTarget(Target):
    plugin = SQLiteSink
    impatient: ClassVar[Mapping[str, Any]] = {"busy_seconds": 0}

    @property
    def path(self) -> Path:
        return self.home / "out.sqlite"

    def place(self) -> dict[str, Any]:
        return {"path": str(self.path), "table": "flights"}

    def remove(self) -> None:
        with closing(sqlite3.connect(self.path)) as con:
            con.execute("DROP TABLE flights")

    def shown(self) -> Any:
        return self.state()[:2]

    def query(self, sql: str) -> list[Row]:
        if not self.path.exists():
            return []
        with closing(sqlite3.connect(self.path)) as con:
            if not con.execute("SELECT 1 FROM sqlite_master WHERE name = 'flights'").fetchall():
                return []
            return con.execute(f"WITH rows AS (SELECT * FROM flights) {sql}").fetchall()

    def state(self) -> Any:
        ledger = list(self.sink("append").ledger(self.home))
        return sorted(self.query("SELECT * FROM rows"), key=repr), ledger, self.path.exists() and self.path.stat().st_mtime_ns


@dataclass
class PostgresTarget(Target):
    url: str = ""
    plugin = PostgresSink

    def place(self) -> dict[str, Any]:
        return {"url": self.url, "table": "analytics.flights"}

    def anew(self, home: Path) -> Target:
        with psycopg.connect(self.url) as con:
            con.execute("DROP SCHEMA IF EXISTS analytics CASCADE")
        return super().anew(home)

    def remove(self) -> None:
        with psycopg.connect(self.url) as con:
            con.execute("DROP TABLE analytics.flights")

    def query(self, sql: str) -> list[Row]:
        with psycopg.connect(self.url) as con:
            if con.execute("SELECT to_regclass('analytics.flights')").fetchone() == (None,):
                return []
            return con.execute(f"WITH rows AS (SELECT * FROM analytics.flights) {sql}".encode()).fetchall()

    def state(self) -> Any:
        """Rows with the transactions that wrote them."""
        return sorted(self.query("SELECT * FROM rows"), key=repr), self._versions(), self.sink("append").ledger(self.home)

    def _versions(self) -> list[Row]:
        with psycopg.connect(self.url) as con:
            if con.execute("SELECT to_regclass('analytics.flights')").fetchone() == (None,):
                return []
            return sorted(con.execute("SELECT ctid::text, xmin::text FROM analytics.flights").fetchall())


def plain(value: Any) -> Any:
    return str(value) if isinstance(value, datetime) else value


FILES: dict[str, dict[str, Any]] = {
    "folder": {},
    "partitioned": {"partition_by": ["part"]},
    "csv": {"format": "csv"},
    "partitioned_csv": {"format": "csv", "partition_by": ["part", "day"], "compression": "gzip"},
    "jsonl": {"format": "jsonl"},
    "arrow": {"format": "arrow"},
    "one_parquet": {"at": "out.parquet"},
    "one_csv": {"at": "out.csv.gz"},
}
NAMES = (
    "folder",
    "partitioned",
    "csv",
    "jsonl",
    "arrow",
    "one_csv",
    "duckdb",
    "sqlite",
    "postgres",
    "mysql",
    "store",
    "delta",
    "iceberg",
)

#: One target for each way in which a state takes the place of another.
WAYS = (
    "folder",
    "partitioned_csv",
    "one_parquet",
    "duckdb",
    "sqlite",
    "postgres",
    "mysql",
    "store",
    "delta",
)

#: The same with their modes. Lake tables share the way, and differ in how they commit: appends are tried where publications are fenced.
WAYS_AND_MODES = [
    *((way, mode) for way in WAYS if way != "delta" for mode in MODES),
    ("delta", "merge"),
    ("iceberg", "merge"),
]


def make_target(name: str, home: Path, url: str = "") -> Target:
    if name in FILES:
        return FileTarget(home, FILES[name])
    if name == "store":
        from tests.conformance.sinks.store_target import StoreTarget

        return StoreTarget(home)
    if name in ("delta", "iceberg"):
        from tests.conformance.sinks.lake_targets import DeltaTarget, IcebergTarget

        return DeltaTarget(home) if name == "delta" else IcebergTarget(home)
    if name == "mysql":
        from tests.conformance.sinks.mysql_target import MySQLTarget

        return MySQLTarget(home, url=url)
    return {"duckdb": DuckDBTarget(home), "sqlite": SQLiteTarget(home), "postgres": PostgresTarget(home, url=url)}[name]
