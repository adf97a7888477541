"""Lake tables of tests: a sink and a source of each kind in each place, and how others write there, with nothing of ours."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import deltalake
import pyarrow as pa
from pyiceberg.catalog import Catalog
from pyiceberg.catalog.rest import RestCatalog
from pyiceberg.catalog.sql import SqlCatalog
from tests.conformance.sinks.targets import Row, stage
from tests.integration.seaweed_server import KEY, SECRET, SeaweedServer

from headrace.business.connections import Profile
from headrace.business.model.schema import Schema
from headrace.business.model.types import Integer, String
from headrace.business.ports import Staged
from headrace.infrastructure.connectors.lakes.delta_sink import DeltaSink
from headrace.infrastructure.connectors.lakes.delta_source import DeltaSource
from headrace.infrastructure.connectors.lakes.iceberg_connection import IcebergConnection
from headrace.infrastructure.connectors.lakes.iceberg_sink import IcebergSink
from headrace.infrastructure.connectors.lakes.iceberg_source import IcebergSource
from headrace.infrastructure.connectors.stores.object_connections import S3Connection

WAYS = ("delta", "iceberg", "delta on s3", "iceberg by rest", "iceberg by sql on s3")
SCHEMA = Schema.of(id=Integer(64), name=String())


@dataclass
class Lakes:
    """One table. `settings` is what headrace.toml says of the connection `lake`."""

    project: Path
    place: dict[str, Any]
    settings: dict[str, str]
    sink_kind: type[Any]
    source_kind: type[Any]
    others: Callable[[list[int]], None]
    """Append rows of these numbers, as another tool does."""
    version: Callable[[], Any]
    """What the version that is there now is asked for by."""

    def sink(self, mode: str, **more: Any) -> Any:
        key = {"key": ["id"]} if mode in ("merge", "scd2") else {}
        return self.sink_kind.model_validate({**self._where(), "mode": mode, **key, **more})

    def source(self, **more: Any) -> Any:
        return self.source_kind.model_validate({**self._where(), **more})

    def _where(self) -> dict[str, Any]:
        if not self.settings:
            return self.place
        kind: Any = IcebergConnection if self.settings["kind"] == "iceberg" else S3Connection
        options = {k: v for k, v in self.settings.items() if k != "kind"}
        return {**self.place, "connection": Profile("lake", kind.model_validate(options), self.project)}

    def write_settings(self) -> None:
        lines = [f"{name} = {json.dumps(value)}" for name, value in self.settings.items()]
        if lines:
            (self.project / "headrace.toml").write_text("\n".join(["[connections.lake]", *lines]))

    def written(self, **more: Any) -> str:
        """The options as they stand in a definition."""
        return json.dumps({**self.place, **({"connection": "lake"} if self.settings else {}), **more})

    def staged(self, name: str, rows: Sequence[Row], schema: Schema = SCHEMA) -> Staged:
        return stage(self.project / f"staged-{name}", list(rows), schema)

    def rows(self, *columns: str, **more: Any) -> list[Row]:
        """What the source gives, sorted."""
        scan = self.source(**more).scan(self.project)
        names = columns or tuple(scan.schema.names)
        found = [tuple(row[name] for name in names) for batch in scan.open() for row in batch.to_pylist()]
        return sorted(found, key=repr)


def make(way: str, project: Path, server: SeaweedServer | None) -> Lakes:
    if way.startswith("delta"):
        return _delta(project, server)
    return _iceberg(project, server, rest="rest" in way)


def _delta(project: Path, server: SeaweedServer | None) -> Lakes:
    if server is None:
        path, place, options, settings = str(project / "t"), "t", {}, {}
    else:
        path = place = f"s3://{server.new_bucket()}/tables/t"
        options = {
            "AWS_ENDPOINT_URL": server.endpoint,
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": "us-east-1",
            "AWS_ALLOW_HTTP": "true",
        }
        settings = {"kind": "s3", "endpoint": server.endpoint, "access_key": KEY, "secret_key": SECRET}

    def others(numbers: list[int]) -> None:
        deltalake.write_deltalake(path, _table(numbers), mode="append", storage_options=options)

    def version() -> int:
        return deltalake.DeltaTable(path, storage_options=options).version()

    return Lakes(project, {"path": place}, settings, DeltaSink, DeltaSource, others, version)


def _iceberg(project: Path, server: SeaweedServer | None, *, rest: bool) -> Lakes:
    place: dict[str, Any] = {"table": "sales.t"}
    settings: dict[str, str] = {}
    if server is None:
        place["warehouse"] = "lake"
    else:
        keys = {"endpoint": server.endpoint, "access_key": KEY, "secret_key": SECRET}
        where = {"uri": "sqlite:///catalog.sqlite", "warehouse": f"s3://{server.new_bucket()}/lake"}
        if rest:
            where = {"uri": server.catalog, "warehouse": f"s3://{server.new_table_bucket()}/", "credential": f"{KEY}:{SECRET}"}
        settings = {"kind": "iceberg", **where, **keys}

    def catalog() -> Catalog:
        if not settings:
            return SqlCatalog("default", uri=f"sqlite:///{project}/lake/catalog.sqlite", warehouse=f"file://{project}/lake")
        store = {
            "s3.endpoint": settings["endpoint"],
            "s3.access-key-id": KEY,
            "s3.secret-access-key": SECRET,
            "s3.region": "us-east-1",
        }
        if rest:
            given = {"uri": settings["uri"], "warehouse": settings["warehouse"], "credential": settings["credential"]}
            given["oauth2-server-uri"] = f"{settings['uri']}/v1/oauth/tokens"
            return RestCatalog("default", **given, **store)
        return SqlCatalog("default", uri=f"sqlite:///{project}/catalog.sqlite", warehouse=settings["warehouse"], **store)

    def others(numbers: list[int]) -> None:
        found = catalog()
        try:
            found.load_table("sales.t").append(_table(numbers))
        finally:
            found.close()

    def version() -> int:
        found = catalog()
        try:
            snapshot = found.load_table("sales.t").current_snapshot()
            assert snapshot is not None
            return snapshot.snapshot_id
        finally:
            found.close()

    return Lakes(project, place, settings, IcebergSink, IcebergSource, others, version)


def _table(numbers: list[int]) -> pa.Table:
    return pa.table({"id": pa.array(numbers, pa.int64()), "name": [f"other {n}" for n in numbers]})


def numbers_in(text: str) -> list[int]:
    return [int(n) for n in re.findall(r"\d+", text)]
