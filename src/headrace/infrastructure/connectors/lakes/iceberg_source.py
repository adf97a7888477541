"""The source `iceberg`: a table of Apache Iceberg, as it is or as it was, read file by file by pyiceberg."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Self, cast

from pydantic import Field, model_validator

from headrace.business.connections import Connection, Profile
from headrace.business.model.plugin import Plugin
from headrace.business.model.schema import Schema, did_you_mean
from headrace.business.ports import ArrowScan, Batch, Position
from headrace.errors import NonRetryableError
from headrace.infrastructure.connectors.lakes import iceberg_files, iceberg_types
from headrace.infrastructure.connectors.lakes.iceberg_connection import IcebergConnection
from headrace.infrastructure.connectors.lakes.iceberg_faults import iceberg_faults
from headrace.infrastructure.connectors.lakes.iceberg_metadata import METADATA, static_table
from headrace.infrastructure.connectors.lakes.iceberg_place import CONNECTION, TABLE, WAREHOUSE, IcebergPlace, problem_with
from headrace.infrastructure.connectors.lakes.iceberg_table import load
from headrace.infrastructure.connectors.lakes.time_travel import Instant
from headrace.infrastructure.connectors.publishing import Names
from headrace.infrastructure.foreign_types import arrow_columns, notes_of, schema_of
from headrace.infrastructure.formats.arrow_union import needs_pyarrow
from headrace.records import record

if TYPE_CHECKING:
    import pyarrow as pa
    from pyiceberg.expressions import BooleanExpression
    from pyiceberg.schema import Schema as IcebergSchema
    from pyiceberg.table import FileScanTask, Table


class IcebergSource(Plugin):
    """A table of Apache Iceberg: by its catalog, or by the file with its metadata."""

    kind: ClassVar[str] = "iceberg"
    bounded: ClassVar[bool] = True

    table: Annotated[str, Field(min_length=1)] | None = Field(None, description=f"{TABLE}; or give `path`")
    warehouse: Annotated[str, Field(min_length=1)] | None = Field(None, description=WAREHOUSE)
    path: Annotated[str, Field(min_length=1)] | None = Field(None, description=METADATA)
    connection: Profile[Connection] | None = Field(None, description=f"{CONNECTION}; with `path` in a store, one of kind `s3`")
    columns: Names = Field((), description="The columns to read; all when left out")
    version: int | str | None = Field(
        None,
        description="The snapshot to read, by its number, or by the name of a branch or a tag; the current one when left out",
    )
    timestamp: Instant | None = Field(
        None, description="Read the snapshot that was current at this time: 2026-11-28T12:00:00Z, or without a zone in UTC"
    )

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        if (self.table is None) == (self.path is None):
            raise ValueError("give either `table`, with the catalog that has it, or `path`")
        if self.version is not None and self.timestamp is not None:
            raise ValueError("give either `version` or `timestamp`, not both")
        if self.path is not None and self.warehouse is not None:
            raise ValueError("`warehouse` means nothing with `path`")
        kind = self.connection.connection.kind if self.connection else None
        if self.path is not None and kind not in (None, "s3"):
            raise ValueError(f"`path` is reached by a connection of kind `s3`, and this one is of kind `{kind}`")
        if self.table is not None and kind not in (None, "iceberg"):
            raise ValueError(f"a catalog is reached by a connection of kind `iceberg`, and this one is of kind `{kind}`")
        if self.table is not None and (problem := problem_with(self.table, self.warehouse, self._profile)):
            raise ValueError(problem)
        return self

    @property
    def origin(self) -> str:
        return str(self.table or self.path)

    def scan(self, project: Path) -> ArrowScan:
        needs_pyarrow("Iceberg", "iceberg", "pyiceberg")
        state = self._state(project)
        columns = arrow_columns(state.arrow, f"`{state.shown}`")
        schema = schema_of(columns)

        def whose(where: BooleanExpression | None = None) -> ArrowScan:
            return ArrowScan(
                schema,
                open=lambda: state.rows(where),
                origin=state.shown,
                notes=notes_of(columns),
                by_cursor=None if self._travels else by_cursor,
            )

        def by_cursor(name: str, value: str | None) -> ArrowScan | None:
            if value is None or (least := iceberg_types.literal_of(value, schema[name].type)) is None:
                return None
            return whose(iceberg_types.not_below(name, least))

        return whose()

    def schema_of(self, project: Path) -> Schema:
        return self.scan(project).schema

    def partitions(self, project: Path) -> Sequence[str]:
        """Its data files, each of which is read in its order."""
        return sorted(task.file.file_path for task in self._state(project).tasks()) or ("none",)

    def read(self, project: Path, partition: str, after: Position | None) -> Iterator[Batch]:
        """The position is the number of rows read so far; files never change."""
        state = self._state(project)
        skip = done = int(after or 0)
        seen = 0
        for rows in state.rows(None, partition):
            rest = rows.slice(max(0, min(rows.num_rows, skip - seen)))
            seen += rows.num_rows
            if rest.num_rows:
                done += rest.num_rows
                yield Batch(rest, Position(str(done)))

    # How ------------------------------------------------------------------------------------------------------------

    @property
    def _travels(self) -> bool:
        return self.version is not None or self.timestamp is not None

    @property
    def _profile(self) -> Profile[IcebergConnection] | None:
        return cast("Profile[IcebergConnection] | None", self.connection)  # its kind was looked at

    def _state(self, project: Path) -> _State:
        """The snapshot that is meant. Files belong to it for ever, so the catalog is not asked again."""
        if self.path is not None:
            shown, table = self.path, static_table(self.path, self.connection, project)
        else:
            place = IcebergPlace(str(self.table), self.warehouse, self._profile, project)
            shown, table = place.shown, self._loaded(place)
        with iceberg_faults(shown):
            snapshot = self._snapshot(table, shown)
            schema = table.schema()
            if snapshot is not None and self._travels:
                found = table.snapshot_by_id(snapshot)
                schema = table.schemas()[found.schema_id] if found and found.schema_id is not None else schema
            names = [field.name for field in schema.fields]
            for name in self.columns:
                if name not in names:
                    raise NonRetryableError(f"`{shown}` has no column `{name}`", hint=did_you_mean(name, names))
        return _State(shown, table, schema, tuple(self.columns or names), snapshot)

    def _loaded(self, place: IcebergPlace) -> Table:
        table = None
        if place.exists():
            with closing(place.catalog()) as catalog:
                table = load(catalog, place.table, place.shown)
        if table is None:
            raise NonRetryableError(
                f"`{place.shown}`: there is no such table", hint="see that namespace and table are spelt as in the catalog"
            )
        return table

    def _snapshot(self, table: Table, shown: str) -> int | None:
        if isinstance(self.version, str):
            named = table.snapshot_by_name(self.version)
            if named is None:
                raise NonRetryableError(
                    f"`{shown}` has no branch or tag `{self.version}`", hint=did_you_mean(self.version, list(table.refs()))
                )
            return int(named.snapshot_id)
        if self.version is not None:
            if table.snapshot_by_id(self.version) is None:
                newest = [str(s.snapshot_id) for s in table.snapshots()[-3:]]
                raise NonRetryableError(
                    f"`{shown}` has no snapshot {self.version}",
                    hint=f"the newest are {', '.join(newest) or 'none'}; older ones expire",
                )
            return self.version
        if self.timestamp is not None:
            found = table.snapshot_as_of_timestamp(int(self.timestamp.timestamp() * 1000))
            if found is None:
                raise NonRetryableError(
                    f"`{shown}` has no snapshot as old as {self.timestamp.isoformat()}",
                    hint="ask for a later time; old snapshots expire",
                )
            return int(found.snapshot_id)
        current = table.current_snapshot()
        return int(current.snapshot_id) if current else None


@record
class _State:
    """One snapshot of a table, of which some columns are read; None is a table without any."""

    shown: str
    table: Table
    schema: IcebergSchema
    names: tuple[str, ...]
    snapshot: int | None

    @property
    def arrow(self) -> pa.Schema:
        return iceberg_files.selected(self.schema, self.names)

    def tasks(self, where: BooleanExpression | None = None) -> list[FileScanTask]:
        if self.snapshot is None:
            return []
        with iceberg_faults(self.shown):
            scan = self.table.scan(snapshot_id=self.snapshot)
            return list((scan.filter(where) if where is not None else scan).plan_files())

    def rows(self, where: BooleanExpression | None, file: str | None = None) -> Iterator[pa.RecordBatch]:
        tasks = [task for task in self.tasks(where) if file in (None, task.file.file_path)]
        with iceberg_faults(self.shown):
            yield from iceberg_files.read(self.table, self.schema, tasks, self.names, where)
