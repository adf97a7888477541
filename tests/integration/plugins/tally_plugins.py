"""A small package of somebody else's: a source, a step, a check and a sink. Tests build it and install it with pip."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from headrace.business.model.types import parse_type
from headrace.business.processing.steps.derive import DeriveStep
from headrace.business.validation.checks.measuring import reading
from headrace.plugin import (
    Batch,
    Checkpoint,
    Column,
    Measured,
    Plugin,
    Position,
    Publication,
    Relation,
    Schema,
    Staged,
    Verdict,
)


class Numbers(Plugin):
    """The whole numbers below a bound."""

    kind: ClassVar[str] = "numbers"
    shorthand: ClassVar[str | None] = "below"
    bounded: ClassVar[bool] = True

    below: int = Field(ge=0, description="The first number that does not come")

    def partitions(self, project: Path) -> Sequence[str]:
        return ["all"]

    def schema_of(self, project: Path) -> Schema:
        return Schema((Column("n", parse_type("int64")),))

    def read(self, project: Path, partition: str, after: Position | None) -> Iterator[Batch]:
        import pyarrow as pa

        numbers = list(range(int(after or 0), self.below))
        yield Batch(pa.record_batch({"n": pa.array(numbers, pa.int64())}), Position(str(self.below)))


class Double(Plugin):
    """Twice a column, under a new name."""

    kind: ClassVar[str] = "double"
    shorthand: ClassVar[str | None] = "column"

    column: str

    def apply(self, inputs: Mapping[str, Relation]) -> Relation:
        return DeriveStep.model_validate({"columns": {f"{self.column}_twice": f"{self.column} * 2"}}).apply(inputs)


class Even(Plugin):
    """That every value of a column is even."""

    kind: ClassVar[str] = "even"
    shorthand: ClassVar[str | None] = "column"

    column: str
    on_fail: Literal["block", "warn"] = "block"

    def measures(self, schema: Schema) -> Mapping[str, Any]:
        with reading(schema) as options:
            name = options.numbers(self.column, "column").name
            odd = options.aggregate(f'count(*) filter (where "{name}" % 2 <> 0)', "column")
        return {"odd": odd}

    def judge(self, measured: Measured) -> Verdict:
        odd = measured.values["odd"]
        return Verdict("pass" if odd == 0 else "fail", f"{odd} odd", "none odd")


class Lines(Plugin):
    """A file of JSON lines, with its ledger in the first."""

    kind: ClassVar[str] = "lines"
    shorthand: ClassVar[str | None] = "path"

    path: str

    def target(self, project: Path) -> str:
        return self.path

    def problems(self, schema: Schema) -> Iterable[str]:
        return ()

    def guarantee(self) -> str:
        return "exactly once: rows and ledger are one file"

    def ledger(self, project: Path) -> Sequence[Checkpoint]:
        file = project / self.path
        if not file.exists():
            return ()
        name, pipeline, run, at = json.loads(file.read_text().partition("\n")[0])
        return (Checkpoint(name, pipeline, run, datetime.fromisoformat(at)),)

    def publish(self, project: Path, staged: Staged, checkpoint: Checkpoint) -> Publication:
        import pyarrow.parquet as pq

        if any(c.name == checkpoint.name for c in self.ledger(project)):
            return Publication(self.path, already=True)
        rows = [row for file in staged.files for row in pq.read_table(file).to_pylist()]
        head = [checkpoint.name, checkpoint.pipeline, checkpoint.run_id, checkpoint.at.isoformat()]
        part = project / f".{self.path}.part"
        part.write_text("\n".join(map(json.dumps, [head, *rows])) + "\n")
        part.replace(project / self.path)
        return Publication(self.path, inserted=len(rows))
