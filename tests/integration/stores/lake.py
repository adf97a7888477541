"""A bucket on a real S3 server, and a project whose `headrace.toml` has the connection `lake` to it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import obstore
from obstore.store import S3Store
from tests.integration.seaweed_server import KEY, SECRET, SeaweedServer

from headrace import bootstrap
from headrace.business.connections import Profile
from headrace.business.ports import FileScan
from headrace.infrastructure.connectors.file_source import FileSource
from headrace.infrastructure.connectors.stores.object_connections import S3Connection
from headrace.security.secrets import Secret


@dataclass
class Lake:
    server: SeaweedServer
    bucket: str
    project: Path

    @property
    def client(self) -> S3Store:
        return self.server.client(self.bucket)

    def profile(self, **changed: Any) -> Profile[S3Connection]:
        given = {"endpoint": self.server.endpoint, "access_key": Secret(KEY), "secret_key": Secret(SECRET), **changed}
        return Profile("lake", S3Connection(**given), self.project)

    def settings(self, **changed: str) -> None:
        options = {
            "kind": "s3",
            "endpoint": self.server.endpoint,
            "access_key": KEY,
            "secret_key": SECRET,
            "bucket": self.bucket,
        }
        lines = [f"{key} = {json.dumps(value)}" for key, value in {**options, **changed}.items()]
        (self.project / "headrace.toml").write_text("\n".join(["[connections.lake]", *lines]))

    def put(self, key: str, data: bytes | Path) -> None:
        obstore.put(self.client, key, data)

    def put_rows(self, key: str, query: str, options: str = "FORMAT parquet") -> Path:
        """The rows of a query as a file there, and here."""
        path = self.project / f"made-{key.replace('/', '-')}"
        with duckdb.connect() as con:
            con.execute(f"COPY ({query}) TO '{path}' ({options})")
        self.put(key, path)
        return path

    def keys(self, folder: str) -> list[str]:
        return sorted(o["path"] for page in obstore.list(self.client, folder) for o in page)

    def scan(self, *paths: str, connection: Profile[S3Connection] | None = None, **options: Any) -> FileScan:
        source = FileSource(path=paths, connection=connection or self.profile(), **options)
        found = source.scan(self.project)
        assert isinstance(found, FileScan)
        return found

    def run(self, definition: str, params: Mapping[str, str] | None = None) -> Any:
        """Carry a definition out, and what was seen of it."""
        file = self.project / "pipeline.yaml"
        file.write_text(definition.replace("BUCKET", self.bucket))
        return bootstrap.run(bootstrap.load(file, params))


def fetched(scan: FileScan) -> list[bytes]:
    """The files, whole."""
    assert scan.fetch is not None
    scan.fetch(scan.files, scan.schema.names)
    return [Path(file.path).read_bytes() for file in scan.files]
