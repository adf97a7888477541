"""The sink `delta`: a table of Delta Lake, changed by one commit together with its ledger."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, model_validator

from headrace.business.connections import Profile
from headrace.business.model.schema import Schema
from headrace.business.model.types import Boolean, Date, Decimal, Integer, String, Timestamp
from headrace.business.ports import ArrowScan, Checkpoint, Fence, Publication, Staged
from headrace.infrastructure.connectors.lakes import delta_types, publication
from headrace.infrastructure.connectors.lakes.delta_place import PATH, DeltaPlace, problem_with
from headrace.infrastructure.connectors.lakes.delta_table import DeltaLake, scanned
from headrace.infrastructure.connectors.ledger import checkpoints
from headrace.infrastructure.connectors.publishing import Names, PublishingOptions, repeated, unknown_columns
from headrace.infrastructure.connectors.snapshots import copied_arrow
from headrace.infrastructure.connectors.stores.places import StoreConnection
from headrace.infrastructure.sql_text import quoted


class DeltaSink(PublishingOptions):
    """A table of Delta Lake, in a folder of this machine or of an object store. It is made when it is not there."""

    kind: ClassVar[str] = "delta"
    shorthand: ClassVar[str | None] = "path"

    path: Annotated[str, Field(min_length=1, description=PATH)]
    connection: Profile[StoreConnection] | None = Field(
        None,
        description="The connection in headrace.toml by which the store is reached; when left out, what the environment says",
    )
    partition_by: Names = Field((), description="Columns that a new table is divided by; one that is there stays as it is")

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        if problem := problem_with(self.path, self.connection):
            raise ValueError(problem)
        return self

    def _lake(self, project: Path) -> DeltaLake:
        return DeltaLake(DeltaPlace(self.path, self.connection, project), self.partition_by)

    def target(self, project: Path) -> str:
        return f"{self._lake(project).place.shown} (delta)"

    def problems(self, schema: Schema) -> Iterable[str]:
        yield from self.option_problems(schema)
        yield from publication.problems(delta_types.stored, schema)
        yield from unknown_columns("partition_by", [c for c in self.partition_by if c not in self.history], schema)
        yield from repeated("partition_by", self.partition_by)
        for column in schema:
            if column.name in self.partition_by and not isinstance(
                column.type, Boolean | Date | Decimal | Integer | String | Timestamp
            ):
                yield f"partition_by: `{column.name}` is {column.type}, by which a table cannot be divided"
        if set(schema.names) <= set(self.partition_by):
            yield "partition_by: at least one column must be left for the files"
        if find_spec("deltalake") is None or find_spec("pyarrow") is None:
            yield "delta needs deltalake: pip install 'headrace[delta]'"

    def guarantee(self) -> str:
        return "exactly once: rows and ledger change by one commit, and readers see the version before it until it is there"

    def ledger(self, project: Path) -> Sequence[Checkpoint]:
        table = self._lake(project).open()
        return checkpoints(table.remembered.ledger) if table else ()

    def fence(self, project: Path, pipeline: str, fence: Fence) -> None:
        publication.fence(self._lake(project), pipeline, fence, self.target(project))

    def publish(self, project: Path, staged: Staged, checkpoint: Checkpoint) -> Publication:
        return publication.publish(self._lake(project), self, staged, checkpoint, self.target(project))

    def snapshot(self, project: Path, columns: Schema, folder: Path) -> Staged | None:
        lake = self._lake(project)
        table = lake.open()
        if table is None:
            return None
        names = [c for c in columns.names if c in table.schema] or list(table.schema.names[:1])
        there = Schema(tuple(table.schema[name] for name in names))
        current = quoted(self.is_current) if self.history else None

        def opened() -> Any:
            return iter(scanned(lake.place, table.table, names, current))

        return copied_arrow(ArrowScan(there, open=opened, origin=lake.place.shown), columns, folder)
