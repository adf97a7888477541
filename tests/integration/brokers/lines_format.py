"""A format of one text column, a message for each row: what brokers do with messages needs no more."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa

from headrace.business.model.plugin import Plugin
from headrace.business.model.schema import Column, Schema
from headrace.business.model.types import String

TEXT = Schema((Column("text", String()),))


class Lines(Plugin):
    kind: ClassVar[str] = "lines"

    def scan(self, declared: Any, project: Path) -> Any:
        raise AssertionError("these tests read payloads")

    reader = scan

    def writer(self, schema: Schema, project: Path) -> Lines:
        return self

    def write(self, rows: pa.RecordBatch) -> pa.Array:
        return rows.column(0).cast(pa.binary())


LINES = Lines()


def rows(*texts: str) -> pa.Table:
    return pa.table({"text": pa.array(texts, pa.string())})
