"""A folder of an object store as a target of the kit, on a real S3 server that the environment leads to."""

from __future__ import annotations

import hashlib
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import obstore
from obstore.store import S3Store
from tests.conformance.sinks.scratch import scratch
from tests.conformance.sinks.targets import FileTarget, Row, Target, plain

from headrace.infrastructure.connectors.file_sink import FileSink


@dataclass
class StoreTarget(Target):
    """Below a prefix that is made of the target's home, which is another one in each test."""

    bucket: str = "kit"
    plugin = FileSink

    @property
    def prefix(self) -> str:
        return f"{hashlib.sha256(str(self.home).encode()).hexdigest()[:16]}/out"

    @property
    def client(self) -> S3Store:
        return S3Store(self.bucket, client_options={"allow_http": True}, virtual_hosted_style_request=False)

    def place(self) -> dict[str, Any]:
        return {"path": f"s3://{self.bucket}/{self.prefix}/"}

    def objects(self) -> dict[str, str]:
        """Every object below the target with its entity tag."""
        found = [o for page in obstore.list(self.client, self.prefix) for o in page]
        return {o["path"].removeprefix(f"{self.prefix}/"): str(o["e_tag"]) for o in found}

    def manifest(self) -> dict[str, Any]:
        try:
            return dict(json.loads(bytes(obstore.get(self.client, f"{self.prefix}/_manifest.json").bytes())))
        except FileNotFoundError:
            return {}

    def query(self, sql: str) -> list[Row]:
        """Reads as one who honours the manifest does."""
        paths = [file["path"] for file in self.manifest().get("files", [])]
        if not paths:
            return []
        with tempfile.TemporaryDirectory() as folder, scratch() as con:
            files = []
            for path in paths:
                files.append(Path(folder) / path)
                files[-1].parent.mkdir(parents=True, exist_ok=True)
                files[-1].write_bytes(bytes(obstore.get(self.client, f"{self.prefix}/{path}").bytes()))
            con.execute(f"CREATE TEMP VIEW rows AS {FileTarget(Path(folder))._scan(con, files)}")
            return [tuple(map(plain, r)) for r in con.execute(sql).fetchall()]

    def remove(self) -> None:
        obstore.delete(self.client, [f"{self.prefix}/{path}" for path in self.objects()])

    def state(self) -> Any:
        objects = {path: tag for path, tag in self.objects().items() if path != "_manifest.json"}
        return objects, {k: v for k, v in self.manifest().items() if k not in ("headrace", "written", "fences")}

    def litter(self) -> list[str]:
        """Objects that belong to no state."""
        own = {"_manifest.json", *(file["path"] for file in self.manifest().get("files", []))}
        return sorted(self.objects().keys() - own)
