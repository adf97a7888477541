"""Lake tables as targets of the kit, read by the libraries that others read them with."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
from deltalake import DeltaTable
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.table import Table
from tests.conformance.sinks.scratch import scratch
from tests.conformance.sinks.targets import Row, Target, plain

from headrace.infrastructure.connectors.lakes.delta_sink import DeltaSink
from headrace.infrastructure.connectors.lakes.iceberg_sink import IcebergSink


class LakeTarget(Target):
    """A table whose versions take each other's place by a commit, without any lock."""

    def query(self, sql: str) -> list[Row]:
        rows = self.read()
        if rows is None:
            return []
        with scratch() as con:
            con.register("rows", rows)
            return [tuple(map(plain, r)) for r in con.execute(sql).fetchall()]

    def read(self) -> pa.Table | None:
        """All rows of the newest version, as a stranger reads them."""
        raise NotImplementedError

    def version(self) -> Any:
        raise NotImplementedError

    def shown(self) -> Any:
        return sorted(self.query("SELECT * FROM rows"), key=repr), self.sink("append").ledger(self.home)

    def state(self) -> Any:
        return *self.shown(), self.version()


class DeltaTarget(LakeTarget):
    plugin: ClassVar[type[Any]] = DeltaSink

    @property
    def path(self) -> Path:
        return self.home / "out"

    def place(self) -> dict[str, Any]:
        return {"path": str(self.path)}

    def read(self) -> pa.Table | None:
        return pa.table(DeltaTable(self.path).scan()) if DeltaTable.is_deltatable(str(self.path)) else None

    def version(self) -> int | None:
        return DeltaTable(self.path).version() if DeltaTable.is_deltatable(str(self.path)) else None

    def remove(self) -> None:
        shutil.rmtree(self.path)


class IcebergTarget(LakeTarget):
    """A table of a catalog in an SQLite file."""

    plugin: ClassVar[type[Any]] = IcebergSink

    def place(self) -> dict[str, Any]:
        return {"warehouse": str(self.home / "lake"), "table": "sales.out"}

    @property
    def catalog(self) -> SqlCatalog:
        return SqlCatalog("default", uri=f"sqlite:///{self.home}/lake/catalog.sqlite", warehouse=f"file://{self.home}/lake")

    def _table(self) -> Table | None:
        if not (self.home / "lake" / "catalog.sqlite").exists():
            return None
        with closing(self.catalog) as catalog:
            return catalog.load_table("sales.out") if catalog.table_exists("sales.out") else None

    def read(self) -> pa.Table | None:
        table = self._table()
        return table.scan().to_arrow() if table else None

    def version(self) -> Any:
        table = self._table()
        return table.metadata_location if table else None

    def remove(self) -> None:
        with closing(self.catalog) as catalog:
            catalog.drop_table("sales.out")
