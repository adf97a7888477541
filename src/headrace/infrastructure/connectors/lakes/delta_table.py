"""A table of Delta Lake by delta-rs, as publishing asks for it. Not when and why it is changed (see `publication`).

What the table remembers is a file `_headrace/NUMBER.json` in it, written before the commit under a number that nobody had. The commit
names the number as the version of the application `headrace` (a `txn` action): the log keeps it in checkpoints, and of two commits
that both set it the second is refused. Delta's own notes on a commit would be lost with the log that is cleaned up after 30 days.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from headrace.business.model.schema import Schema
from headrace.business.model.types import DataType
from headrace.business.ports import Fence
from headrace.errors import NonRetryableError
from headrace.infrastructure.connectors import milestones
from headrace.infrastructure.connectors.fence_file import Tokens
from headrace.infrastructure.connectors.lakes import beside, delta_types
from headrace.infrastructure.connectors.lakes.delta_faults import delta_faults
from headrace.infrastructure.connectors.lakes.delta_place import DeltaPlace
from headrace.infrastructure.connectors.lakes.exchange import Exchange
from headrace.infrastructure.connectors.lakes.lake import Commit, Conflict, Within
from headrace.infrastructure.connectors.lakes.remembered import Remembered, decoded
from headrace.infrastructure.foreign_types import arrow_columns, schema_of
from headrace.infrastructure.sql_text import quoted
from headrace.records import record

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake import CommitProperties, DeltaTable

APPLICATION = "headrace"
FOLDER = "_headrace"
#: How often a commit that only adds rows is put behind those of other writers, by delta-rs itself.
_REBASED = 15
#: So often a table is looked at again when others publish faster than we read what it remembers.
_LOOKS = 20


@record
class DeltaLake:
    """See `Lake`."""

    place: DeltaPlace
    partition_by: Sequence[str] = ()

    def open(self) -> OpenedDelta | None:
        for _ in range(_LOOKS):
            table = load(self.place)
            if table is None:
                return None
            number = table.transaction_version(APPLICATION)
            if number is None:
                return OpenedDelta(self.place, table, Remembered(), 0)
            name = _name(number)
            if (data := self.place.inside(FOLDER).read(name)) is not None:
                return OpenedDelta(self.place, table, decoded(data, f"{self.place.shown}/{FOLDER}/{name}"), number)
        raise NonRetryableError(
            f"{self.place.shown}: what it remembers of its publications is gone ({FOLDER}/{name})",
            hint="put the file back; without it nobody can tell what was published, or who may publish",
        )

    def create(self, commit: Commit) -> None:
        from deltalake import DeltaTable
        from deltalake.exceptions import DeltaError

        with faults(self.place):
            number = _noted(self.place, commit, 0)
            try:
                DeltaTable.create(
                    self.place.uri,
                    commit.arrow,
                    mode="error",
                    partition_by=list(self.partition_by) or None,
                    storage_options=self.place.options,
                    commit_properties=_properties(commit, number, retries=0),
                )
            except DeltaError as error:
                if "already exists" in str(error):
                    raise Conflict(f"{self.place.shown}: somebody else has made it meanwhile", hint="try again") from error
                raise

    def stored(self, kind: DataType) -> DataType:
        return delta_types.stored(kind)

    def tokens_beside(self) -> Tokens:
        return beside.known(self.place.beside(), self.place.shown)

    def remember_beside(self, pipeline: str, fence: Fence) -> None:
        beside.remember(self.place.beside(), pipeline, fence, self.place.shown)


@dataclass(frozen=True)
class OpenedDelta:
    """See `LakeTable`."""

    place: DeltaPlace
    table: DeltaTable
    remembered: Remembered
    number: int
    """Of the file with what it remembers; 0 when there is none."""

    @cached_property
    def schema(self) -> Schema:
        return schema_of(arrow_columns(table_schema(self.table), self.place.shown))

    def count(self) -> int:
        with faults(self.place):
            return int(self.table.count())

    def rows(self, columns: Sequence[str], within: Within | None = None) -> pa.RecordBatchReader:
        return scanned(self.place, self.table, columns, delta_types.within(within, self.schema) if within else None)

    def append(self, rows: pa.RecordBatchReader, commit: Commit) -> None:
        self._write(rows, commit, "append", _REBASED)

    def replace(self, rows: pa.RecordBatchReader, commit: Commit) -> None:
        self._write(rows, commit, "overwrite", 0)

    def _write(self, rows: pa.RecordBatchReader, commit: Commit, mode: Any, retries: int) -> None:
        from deltalake import write_deltalake

        grown = len(commit.schema) > len(self.schema)
        self._commit(commit, retries, lambda properties: write_deltalake(
            self.table, rows, mode=mode, schema_mode="merge" if grown else None, commit_properties=properties,
        ))  # fmt: skip

    def exchange(self, changes: Exchange, commit: Commit) -> None:
        pairs = zip(changes.key, changes.leaving, strict=True)
        same = " AND ".join(f"t.{quoted(k)} = s.{quoted(name)}" for k, name in pairs)
        current = f" AND t.{quoted(changes.in_force)}" if changes.in_force else ""
        values = {quoted(name): f"s.{quoted(name)}" for name in commit.schema.names}
        grown = len(commit.schema) > len(self.schema)
        # As a whole, not as a stream: then delta-rs knows the values of the key, leaves out files that cannot hold them, and needs a
        # quarter of the memory. What leaves has a key to be found by, and what comes has none, so it never stands for a row that is there.
        self._commit(commit, 0, lambda properties: (
            self.table.merge(
                changes.both(), f"{same}{current}", source_alias="s", target_alias="t", merge_schema=grown, streamed_exec=False,
                commit_properties=properties,
            )
            .when_matched_delete()
            .when_not_matched_insert(values, predicate=f"s.{quoted(changes.leaving[0])} IS NULL")
            .execute()
        ))  # fmt: skip

    def note(self, commit: Commit) -> None:
        self._commit(commit, 0, lambda properties: self.table.create_write_transaction(
            [], "append", self.table.schema(), commit_properties=properties,
        ))  # fmt: skip

    def _commit(self, commit: Commit, retries: int, change: Callable[[CommitProperties], Any]) -> None:
        with faults(self.place):
            number = _noted(self.place, commit, self.number)
            milestones.reached("ledger written")
            change(_properties(commit, number, retries))
            milestones.reached("exchanged")
            self._clear(number)

    def _clear(self, number: int) -> None:
        """Remove the notes of earlier commits, and of attempts that came too late: nobody who looked at them can commit any more."""
        notes = self.place.inside(FOLDER)
        notes.remove([name for name in notes.names() if name < _name(number)])


def load(place: DeltaPlace) -> DeltaTable | None:
    """The newest version of the table; None when there is none."""
    from deltalake import DeltaTable
    from deltalake.exceptions import TableNotFoundError

    with faults(place):
        try:
            return DeltaTable(place.uri, storage_options=place.options)
        except TableNotFoundError:
            return None


def faults(place: DeltaPlace) -> Any:
    return delta_faults(place.shown, stored=place.address is not None)


def scanned(place: DeltaPlace, table: DeltaTable, columns: Sequence[str], predicate: str | None) -> pa.RecordBatchReader:
    """The rows of a version as a stream, of these columns, that fulfil an expression in SQL."""
    import pyarrow as pa

    with faults(place):
        return pa.RecordBatchReader.from_stream(table.scan(columns=list(columns), predicate=predicate))


def table_schema(table: DeltaTable) -> pa.Schema:
    import pyarrow as pa

    return pa.schema(table.schema().to_arrow())


def _properties(commit: Commit, number: int, retries: int) -> CommitProperties:
    from deltalake import CommitProperties, Transaction

    return CommitProperties(
        custom_metadata=dict(commit.notes),
        max_commit_retries=retries,
        app_transactions=[Transaction(APPLICATION, number)],
    )


def _noted(place: DeltaPlace, commit: Commit, last: int) -> int:
    """Write what the table is to remember under a number above the last that nobody has."""
    notes = place.inside(FOLDER)
    taken = [int(name.partition(".")[0]) for name in notes.names() if name.partition(".")[0].isdigit()]
    number = max([last, *taken]) + 1
    data = commit.remembered.encoded()
    while not notes.create(_name(number), data):
        number += 1
    return number


def _name(number: int) -> str:
    return f"{number:020}.json"
