"""A format for tests of generated messages: JSON as the standard library writes it, a list of objects where a message holds several."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa

from headrace.business.model.plugin import Plugin
from headrace.business.model.schema import Schema


class JsonStandIn(Plugin):
    kind: ClassVar[str] = "json_stand_in"

    block: bool = False

    def scan(self, declared: Schema, project: Path) -> Any:
        raise AssertionError("nothing is read here")

    def reader(self, schema: Schema, project: Path) -> Any:
        raise AssertionError("nothing is read here")

    def writer(self, schema: Schema, project: Path) -> JsonStandIn:
        return self

    def write(self, rows: pa.RecordBatch) -> pa.Array:
        written = [json.dumps(row, default=str) for row in rows.to_pylist()]
        return pa.array(["\n".join(written)] if self.block else written, pa.string()).cast(pa.binary())
