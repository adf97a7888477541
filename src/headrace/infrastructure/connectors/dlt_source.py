"""The source `dlt`: the rows of any resource of dlt, so that its catalogue is ours. Not how a resource is run (see `dlt_resource`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from headrace.business.fetched import Fetched, FetchedScan, Wanted
from headrace.business.model.plugin import Plugin
from headrace.business.model.schema import Column, Schema, did_you_mean
from headrace.business.model.types import DataType, String
from headrace.business.ports import ArrowScan, Batch, Position
from headrace.business.processing.steps.python import Call
from headrace.errors import NonRetryableError
from headrace.infrastructure.connectors.dlt_resource import Resource, needs_dlt
from headrace.infrastructure.connectors.dlt_types import hinted
from headrace.infrastructure.connectors.json_spool import as_planned, keys_of
from headrace.infrastructure.connectors.row_batches import batches_of
from headrace.infrastructure.foreign_types import arrow_columns, notes_of, schema_of
from headrace.infrastructure.formats.arrow_union import needs_pyarrow
from headrace.infrastructure.formats.delimited_head import unique_names
from headrace.records import record

if TYPE_CHECKING:
    import pyarrow as pa

#: So many rows are looked at to know the columns.
_SAMPLED = 1_000


class DltSource(Plugin):
    """One resource of a source of dlt. Rows come as they are yielded: names as they are, nested values as JSON, no child tables.

    ```yaml
    sources:
      issues:
        dlt:
          source: "github:github_reactions"
          resource: issues
          args: {owner: dlt-hub, name: dlt}
          config: {sources.github.access_token: "${secret:env/GITHUB_TOKEN}"}
    ```
    """

    kind: ClassVar[str] = "dlt"
    shorthand: ClassVar[str | None] = "source"
    bounded: ClassVar[bool] = True

    source: Call = Field(
        description="`package.module:function` of a source or resource, or `path/to/file.py:function` from the project's folder"
    )
    resource: str | None = Field(None, description="Which resource of the source, where it has several")
    args: Mapping[str, Any] = Field(default_factory=dict, description="Arguments that are passed by name")
    config: Mapping[str, Any] = Field(
        default_factory=dict,
        description="What dlt would look for in its configuration, by its whole name; it comes before files and environment",
        examples=[{"sources.github.access_token": "x"}],
    )
    columns: tuple[str, ...] = Field(
        (),
        description="The keys that are wanted; when left out, those of the hints and the first rows, and any other is an error",
    )

    @property
    def origin(self) -> str:
        return self._resource(Path()).origin

    def scan(self, project: Path) -> ArrowScan | FetchedScan:
        """Asks the resource for its first rows, in a state that is thrown away."""
        needs_dlt()
        resource = self._resource(project)
        made = resource.made()
        things = resource.items(made, {})
        first = list(islice(things, _SAMPLED))
        things.close()  # type: ignore[attr-defined]
        memory = _Memory()
        if first and not isinstance(first[0], Mapping):
            return self._typed(resource, memory, first)
        return self._rows(resource, memory, [_Rows(resource.origin, _lines(first))], hinted(dict(made.columns or {})))

    def schema_of(self, project: Path) -> Schema:
        return self.scan(project).schema

    def partitions(self, project: Path) -> Sequence[str]:  # noqa: ARG002 - a resource is one partition
        return ("all",)

    def read(self, project: Path, partition: str, after: Position | None) -> Iterator[Batch]:  # noqa: ARG002
        """The position is the number of rows read so far: a resource that is called again has to give the same rows again."""
        needs_dlt()
        needs_pyarrow("rows of dlt as batches")
        resource = self._resource(project)
        skip = done = int(after or 0)
        seen = 0
        for batch in batches_of(self._only(resource.items(resource.made(), {})), None, resource.origin):
            rest = batch.slice(max(0, min(batch.num_rows, skip - seen)))
            seen += batch.num_rows
            if rest.num_rows:
                done += rest.num_rows
                yield Batch(rest, Position(str(done)))

    # How ------------------------------------------------------------------------------------------------------------

    def _resource(self, project: Path) -> Resource:
        return Resource(self.source, self.resource, self.args, self.config, project)

    def _typed(self, resource: Resource, memory: _Memory, first: list[Any]) -> ArrowScan:
        """Tables have their types."""
        needs_pyarrow("tables of dlt")
        target = next(batches_of(self._only(first), None, resource.origin)).schema
        columns = arrow_columns(target, resource.origin)

        def opened() -> Iterator[pa.RecordBatch]:
            return batches_of(self._only(resource.items(resource.made(), memory.state)), target, resource.origin)

        return ArrowScan(schema_of(columns), open=opened, origin=resource.origin, notes=notes_of(columns), own_position=memory)

    def _only(self, things: Iterable[Any]) -> Iterator[Any]:
        """The same with the columns that are wanted, where any are named."""
        for thing in things:
            if not self.columns:
                yield thing
            elif isinstance(thing, Mapping):
                yield {name: thing.get(name) for name in self.columns}
            else:
                yield self._narrowed(thing)

    def _narrowed(self, thing: Any) -> pa.Table:
        import pyarrow as pa

        table = (
            pa.Table.from_batches([thing])
            if isinstance(thing, pa.RecordBatch)
            else pa.RecordBatchReader.from_stream(thing).read_all()
        )
        if missing := [name for name in self.columns if name not in table.schema.names]:
            hint = did_you_mean(missing[0], table.schema.names)
            raise NonRetryableError(f"`{self.origin}` gave a table without the column `{missing[0]}`", hint=hint)
        return table.select(list(self.columns))

    def _rows(self, resource: Resource, memory: _Memory, first: list[_Rows], hints: Mapping[str, DataType]) -> FetchedScan:
        """Mappings are laid down as JSON, to be read and judged as JSON files are."""
        keys = self.columns or tuple(dict.fromkeys(chain(hints, keys_of(first))))
        if not keys:
            raise NonRetryableError(
                f"`{resource.origin}` gave no rows and has no hints, so its columns are unknown",
                hint="name them: `columns: [id, name, updated_at]`",
            )
        names, notes = unique_names(keys)

        def fetch(folder: Path, wanted: Wanted, *, sample: bool = False) -> Fetched:  # noqa: ARG001 - dlt tries again by itself
            lots = iter(first) if sample else _lots(resource.items(resource.made(), memory.state), resource.origin)
            return as_planned(scan, keys, lots, folder, open_ended=not self.columns)

        named = dict(zip(keys, names, strict=True))
        scan = FetchedScan(
            Schema(tuple(Column(name, String()) for name in names)),
            fetch=fetch,
            origin=resource.origin,
            hints={named[key]: kind for key, kind in hints.items() if key in named},
            notes=notes,
            own_position=memory,
        )
        return scan


class _Memory:
    """The state of a resource as a position. What a reading has changed of it lasts as long as the reading is told of."""

    def __init__(self) -> None:
        self.state: dict[str, Any] = {}

    def start(self, position: str | None) -> None:
        from dlt.common.json import json

        try:
            self.state = json.typed_loads(position) if position else {}
        except ValueError as error:
            raise NonRetryableError(
                "the ledger of the target says in words unknown to dlt how far a source was read",
                hint="`headrace run --full-refresh` reads everything anew",
            ) from error

    def reached(self) -> str:
        from dlt.common.json import json

        return json.typed_dumps(self.state)


@record
class _Rows:
    label: str
    records: Sequence[str]


def _lots(things: Iterator[Any], origin: str) -> Iterator[_Rows]:
    while some := list(islice(things, _SAMPLED)):
        if unlike := next((thing for thing in some if not isinstance(thing, Mapping)), None):
            raise NonRetryableError(
                f"`{origin}` gave a {type(unlike).__name__} after mappings", hint="a resource yields rows or tables, not both"
            )
        yield _Rows(origin, _lines(some))


def _lines(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    from dlt.common.json import json

    return [json.dumps(row) for row in rows]
