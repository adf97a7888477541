"""The source `delta`: a table of Delta Lake, as it is or as it was, read as a stream by delta-rs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Self

from pydantic import Field, model_validator

from headrace.business.connections import Profile
from headrace.business.model.plugin import Plugin
from headrace.business.model.schema import Schema, did_you_mean
from headrace.business.ports import ArrowScan, Batch, Position
from headrace.errors import NonRetryableError
from headrace.infrastructure.connectors.lakes import delta_types
from headrace.infrastructure.connectors.lakes.delta_place import PATH, DeltaPlace, problem_with
from headrace.infrastructure.connectors.lakes.delta_table import faults, load, scanned, table_schema
from headrace.infrastructure.connectors.lakes.time_travel import Instant
from headrace.infrastructure.connectors.publishing import Names
from headrace.infrastructure.connectors.stores.places import StoreConnection
from headrace.infrastructure.foreign_types import arrow_columns, notes_of, schema_of
from headrace.infrastructure.formats.arrow_union import needs_pyarrow
from headrace.infrastructure.sql_text import quoted

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake import DeltaTable


class DeltaSource(Plugin):
    """A table of Delta Lake, in a folder of this machine or of an object store."""

    kind: ClassVar[str] = "delta"
    shorthand: ClassVar[str | None] = "path"
    bounded: ClassVar[bool] = True

    path: Annotated[str, Field(min_length=1, description=PATH)]
    connection: Profile[StoreConnection] | None = Field(
        None,
        description="The connection in headrace.toml by which the store is reached; when left out, what the environment says",
    )
    columns: Names = Field((), description="The columns to read; all when left out")
    version: Annotated[int, Field(ge=0)] | None = Field(None, description="The version to read; the newest when left out")
    timestamp: Instant | None = Field(
        None, description="Read the version that was the newest at this time: 2026-11-28T12:00:00Z, or without a zone in UTC"
    )

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        if problem := problem_with(self.path, self.connection):
            raise ValueError(problem)
        if self.version is not None and self.timestamp is not None:
            raise ValueError("give either `version` or `timestamp`, not both")
        return self

    @property
    def origin(self) -> str:
        return self.path

    def scan(self, project: Path) -> ArrowScan:
        needs_pyarrow("Delta Lake", "delta", "deltalake")
        place = self._place(project)
        table = self._opened(place)
        columns = arrow_columns(self._wanted(table_schema(table)), f"`{place.shown}`")
        schema = schema_of(columns)

        def whose(predicate: str | None = None) -> ArrowScan:
            return ArrowScan(
                schema,
                open=lambda: iter(scanned(place, table, schema.names, predicate)),
                origin=place.shown,
                notes=notes_of(columns),
                by_cursor=by_cursor,
            )

        def by_cursor(name: str, value: str | None) -> ArrowScan | None:
            if value is None or (least := delta_types.literal_of(value, schema[name].type)) is None:
                return None
            return whose(f"{quoted(name)} >= {least} OR {quoted(name)} IS NULL")

        return whose()

    def schema_of(self, project: Path) -> Schema:
        return self.scan(project).schema

    def partitions(self, project: Path) -> Sequence[str]:
        """Its data files, each of which is read in its order."""
        place = self._place(project)
        with faults(place):
            return sorted(self._opened(place).file_uris()) or ("none",)

    def read(self, project: Path, partition: str, after: Position | None) -> Iterator[Batch]:
        """The position is the number of rows read so far; files never change."""
        place = self._place(project)
        done = int(after or 0)
        seen = 0
        with faults(place):
            table = self._opened(place)
            dataset = table.to_pyarrow_dataset()
            wanted = self._wanted(table_schema(table))
            for fragment in dataset.get_fragments():
                if not partition.endswith(fragment.path):
                    continue
                for rows in fragment.to_batches(schema=dataset.schema, columns=wanted.names, batch_size=_BATCH_ROWS):
                    rest = rows.slice(max(0, min(rows.num_rows, done - seen)))
                    seen += rows.num_rows
                    if rest.num_rows:
                        done += rest.num_rows
                        yield Batch(rest, Position(str(done)))

    # How ------------------------------------------------------------------------------------------------------------

    def _place(self, project: Path) -> DeltaPlace:
        return DeltaPlace(self.path, self.connection, project)

    def _opened(self, place: DeltaPlace) -> DeltaTable:
        table = load(place)
        if table is None:
            raise NonRetryableError(
                f"`{place.shown}` is no Delta table",
                hint="name the folder that holds `_delta_log`, and see that it is spelt right",
            )
        if self.version is not None:
            self._demand_version(place, table, self.version)
        elif self.timestamp is not None:
            self._demand_time(place, table, self.timestamp)
        return table

    def _demand_version(self, place: DeltaPlace, table: DeltaTable, version: int) -> None:
        from deltalake.exceptions import DeltaError

        if version > (newest := table.version()):
            raise NonRetryableError(
                f"`{place.shown}` has no version {version}: its newest is {newest}", hint="name an earlier version"
            )
        with faults(place):
            try:
                table.load_as_version(version)
            except DeltaError as error:
                raise NonRetryableError(
                    f"`{place.shown}`: version {version} cannot be read any more",
                    hint="its log was cleaned up; name a later one",
                ) from error

    def _demand_time(self, place: DeltaPlace, table: DeltaTable, at: datetime) -> None:
        with faults(place):
            oldest = table.history()[
                -1
            ]  # asked before, because delta-rs numbers the entries anew from the version that it is at
            if at.timestamp() * 1000 < oldest["timestamp"]:
                raise NonRetryableError(
                    f"`{place.shown}` has no version as old as {at.isoformat()}",
                    hint=f"the oldest that its log tells of is version {oldest['version']}",
                )
            table.load_as_version(at)

    def _wanted(self, schema: pa.Schema) -> pa.Schema:
        import pyarrow as pa

        for name in self.columns:
            if name not in schema.names:
                raise NonRetryableError(f"`{self.path}` has no column `{name}`", hint=did_you_mean(name, schema.names))
        return pa.schema([schema.field(name) for name in self.columns or schema.names])


_BATCH_ROWS = 20_000
