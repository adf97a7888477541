"""The sink `iceberg`: a table of Apache Iceberg, changed by one commit of its catalog together with its ledger."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, model_validator

from headrace.business.connections import Profile
from headrace.business.model.schema import Schema
from headrace.business.model.types import Binary, Boolean, Date, Decimal, Integer, String, Time, Timestamp
from headrace.business.ports import ArrowScan, Checkpoint, Fence, Publication, Staged
from headrace.infrastructure.connectors.lakes import iceberg_files, iceberg_types, publication
from headrace.infrastructure.connectors.lakes.iceberg_connection import IcebergConnection
from headrace.infrastructure.connectors.lakes.iceberg_place import CONNECTION, TABLE, WAREHOUSE, IcebergPlace, problem_with
from headrace.infrastructure.connectors.lakes.iceberg_table import IcebergLake, OpenedIceberg
from headrace.infrastructure.connectors.ledger import checkpoints
from headrace.infrastructure.connectors.publishing import Names, PublishingOptions, repeated, unknown_columns
from headrace.infrastructure.connectors.snapshots import copied_arrow


class IcebergSink(PublishingOptions):
    """A table of Apache Iceberg, in a catalog. It is made when it is not there, and so is its namespace."""

    kind: ClassVar[str] = "iceberg"

    table: Annotated[str, Field(min_length=1, description=TABLE)]
    warehouse: Annotated[str, Field(min_length=1)] | None = Field(None, description=WAREHOUSE)
    connection: Profile[IcebergConnection] | None = Field(None, description=CONNECTION)
    partition_by: Names = Field((), description="Columns that a new table is divided by; one that is there stays as it is")

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        if problem := problem_with(self.table, self.warehouse, self.connection):
            raise ValueError(problem)
        return self

    def _place(self, project: Path) -> IcebergPlace:
        return IcebergPlace(self.table, self.warehouse, self.connection, project)

    @contextmanager
    def _lake(self, project: Path) -> Iterator[IcebergLake]:
        place = self._place(project)
        with closing(place.catalog()) as catalog:
            yield IcebergLake(catalog, self.table, place.shown, self.partition_by)

    @contextmanager
    def _opened(self, project: Path) -> Iterator[OpenedIceberg | None]:
        if not self._place(project).exists():
            yield None
            return
        with self._lake(project) as lake:
            yield lake.open()

    def target(self, project: Path) -> str:
        return f"{self._place(project).shown} (iceberg)"

    def problems(self, schema: Schema) -> Iterable[str]:
        yield from self.option_problems(schema)
        yield from publication.problems(iceberg_types.stored, schema)
        yield from unknown_columns("partition_by", [c for c in self.partition_by if c not in self.history], schema)
        yield from repeated("partition_by", self.partition_by)
        for column in schema:
            if column.name in self.partition_by and not isinstance(
                column.type, Binary | Boolean | Date | Decimal | Integer | String | Time | Timestamp
            ):
                yield f"partition_by: `{column.name}` is {column.type}, by which a table cannot be divided"
        if find_spec("pyiceberg") is None or find_spec("pyarrow") is None:
            yield "iceberg needs pyiceberg: pip install 'headrace[iceberg]'"

    def guarantee(self) -> str:
        return "exactly once: rows and ledger change by one commit of the catalog, and readers see the snapshot before it until it is there"

    def ledger(self, project: Path) -> Sequence[Checkpoint]:
        with self._opened(project) as table:
            return checkpoints(table.remembered.ledger) if table else ()

    def fence(self, project: Path, pipeline: str, fence: Fence) -> None:
        with self._lake(project) as lake:
            publication.fence(lake, pipeline, fence, self.target(project))

    def publish(self, project: Path, staged: Staged, checkpoint: Checkpoint) -> Publication:
        with self._lake(project) as lake:
            return publication.publish(lake, self, staged, checkpoint, self.target(project))

    def snapshot(self, project: Path, columns: Schema, folder: Path) -> Staged | None:
        with self._opened(project) as table:
            if table is None:
                return None
            names = [c for c in columns.names if c in table.schema] or list(table.schema.names[:1])
            there = Schema(tuple(table.schema[name] for name in names))
            scan = ArrowScan(there, open=lambda: self._held(table, names), origin=table.shown)
            return copied_arrow(scan, columns, folder)

    def _held(self, table: OpenedIceberg, names: Sequence[str]) -> Iterator[Any]:
        where = iceberg_types.is_equal(self.is_current, value=True) if self.history else None
        tasks = table.table.scan(row_filter=where).plan_files() if where else table.table.scan().plan_files()
        return iceberg_files.read(table.table, table.table.schema(), tasks, names, where)
