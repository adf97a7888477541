"""A table of Apache Iceberg by pyiceberg, as publishing asks for it. Not when and why it is changed (see `publication`).

What the table remembers is a property of it, so it is in the metadata that a commit puts in the place of the last. Every commit of ours
makes a snapshot, also one that only notes a token, because a catalog compares the snapshot that was read with the one that is there,
and properties with nothing. Snapshot summaries would be lost when snapshots expire, and files of our own are orphans to others.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from headrace.business.model.schema import Schema
from headrace.business.model.types import DataType
from headrace.business.ports import Fence
from headrace.infrastructure.connectors import milestones
from headrace.infrastructure.connectors.fence_file import Tokens, admitted, as_json, tokens
from headrace.infrastructure.connectors.lakes import iceberg_files, iceberg_types
from headrace.infrastructure.connectors.lakes.exchange import FILE, Exchange
from headrace.infrastructure.connectors.lakes.iceberg_faults import iceberg_faults
from headrace.infrastructure.connectors.lakes.lake import Commit, Conflict, Within, arrow_schema
from headrace.infrastructure.connectors.lakes.remembered import Remembered, decoded
from headrace.infrastructure.foreign_types import arrow_columns, schema_of
from headrace.records import record

if TYPE_CHECKING:
    import pyarrow as pa
    from pyiceberg.catalog import Catalog
    from pyiceberg.expressions import BooleanExpression
    from pyiceberg.manifest import DataFile
    from pyiceberg.table import FileScanTask, Table, Transaction
    from pyiceberg.table.update.snapshot import _SnapshotProducer

PROPERTY = "headrace.remembered"
_FENCES = "headrace.fence"
#: We look anew ourselves: pyiceberg would put the property of an attempt that came too late over that of who came first.
_NO_RETRIES = {"commit.retry.num-retries": "0"}


@record
class IcebergLake:
    """See `Lake`."""

    catalog: Catalog
    table: str
    """With its namespace: `sales.orders`."""
    shown: str
    partition_by: Sequence[str] = ()

    def open(self) -> OpenedIceberg | None:
        table = load(self.catalog, self.table, self.shown)
        if table is None:
            return None
        kept = table.properties.get(PROPERTY)
        return OpenedIceberg(self.shown, table, _unpacked(kept, self.shown) if kept else Remembered())

    def create(self, commit: Commit) -> None:
        from pyiceberg.exceptions import TableAlreadyExistsError

        properties = {
            "format-version": "2",
            "write.target-file-size-bytes": str(iceberg_files.FILE_BYTES),
            PROPERTY: _packed(commit.remembered),
        }
        with iceberg_faults(self.shown):
            self.catalog.create_namespace_if_not_exists(self._namespace)
            try:
                with self.catalog.create_table_transaction(self.table, commit.arrow, properties=properties) as made:
                    if self.partition_by:
                        with made.update_spec() as divided:
                            for name in self.partition_by:
                                divided.add_identity(name)
            except TableAlreadyExistsError as error:
                raise Conflict(f"{self.shown}: somebody else has made it meanwhile", hint="try again") from error

    def stored(self, kind: DataType) -> DataType:
        return iceberg_types.stored(kind)

    # Who may publish: properties of the namespace, each written once ------------------------------------------------

    @property
    def _namespace(self) -> str:
        return self.table.rpartition(".")[0]

    @property
    def _prefix(self) -> str:
        return f"{_FENCES}.{self.table.rpartition('.')[2]}."

    def tokens_beside(self) -> Tokens:
        found: Tokens = {}
        for value in self._notes().values():
            for key, token in tokens(json.loads(value)).items():
                found[key] = max(token, found.get(key, token))
        return found

    def remember_beside(self, pipeline: str, fence: Fence) -> None:
        with iceberg_faults(self.shown):
            self.catalog.create_namespace_if_not_exists(self._namespace)
        known = self.tokens_beside()
        kept = admitted(known, pipeline, fence)
        gone = {self._note(*key, token) for key, token in known.items() if kept.get(key, -1) != token} & self._notes().keys()
        new = {self._note(pipeline, fence.issuer, fence.token): json.dumps(as_json({(pipeline, fence.issuer): fence.token}))}
        with iceberg_faults(self.shown):
            self.catalog.update_namespace_properties(self._namespace, updates=new)
            if gone := gone - new.keys():
                self.catalog.update_namespace_properties(self._namespace, removals=gone)

    def _notes(self) -> dict[str, str]:
        from pyiceberg.exceptions import NoSuchNamespaceError

        with iceberg_faults(self.shown):
            try:
                properties = self.catalog.load_namespace_properties(self._namespace)
            except NoSuchNamespaceError:
                return {}
        return {name: value for name, value in properties.items() if name.startswith(self._prefix)}

    def _note(self, pipeline: str, issuer: str, token: int) -> str:
        digest = hashlib.sha256(f"{pipeline}\0{issuer}".encode()).hexdigest()[:16]
        return f"{self._prefix}{digest}.{token}"


@dataclass(frozen=True)
class OpenedIceberg:
    """See `LakeTable`."""

    shown: str
    table: Table
    remembered: Remembered

    @cached_property
    def schema(self) -> Schema:
        return schema_of(arrow_columns(self.table.schema().as_arrow(), self.shown))

    def count(self) -> int:
        with iceberg_faults(self.shown):
            return int(self.table.scan().count())

    def rows(self, columns: Sequence[str], within: Within | None = None) -> pa.RecordBatchReader:
        with iceberg_faults(self.shown):
            where = iceberg_types.within(within, self.schema) if within else None
            scan = self.table.scan() if where is None else self.table.scan(row_filter=where)
            return self._read(list(scan.plan_files()), columns, where)

    def _read(
        self, tasks: Sequence[FileScanTask], columns: Sequence[str], where: BooleanExpression | None = None
    ) -> pa.RecordBatchReader:
        """The rows of these files, with the names of the files."""
        import pyarrow as pa

        schema = iceberg_files.selected(self.table.schema(), columns).append(pa.field(FILE, pa.string()))

        def batches() -> Iterator[pa.RecordBatch]:
            for task in tasks:
                for batch in iceberg_files.read(self.table, self.table.schema(), [task], columns, where):
                    names = pa.repeat(task.file.file_path, batch.num_rows)
                    yield pa.RecordBatch.from_arrays([*batch.columns, names], schema=schema)

        return pa.RecordBatchReader.from_batches(schema, batches())

    def append(self, rows: pa.RecordBatchReader, commit: Commit) -> None:
        with self._commit(commit) as (transaction, written), self._appended(transaction, commit) as producer:
            self._add(producer, transaction, rows, written)

    def replace(self, rows: pa.RecordBatchReader, commit: Commit) -> None:
        with self._commit(commit) as (transaction, written), self._overwritten(transaction, commit) as producer:
            for task in self.table.scan().plan_files():
                producer.delete_data_file(task.file)
            self._add(producer, transaction, rows, written)

    def exchange(self, changes: Exchange, commit: Commit) -> None:
        """Files with rows that leave are written anew without them. A file is never changed."""
        with self._commit(commit) as (transaction, written), self._overwritten(transaction, commit) as producer:
            touched = [t for t in self.table.scan().plan_files() if t.file.file_path in changes.files]
            for task in touched:
                producer.delete_data_file(task.file)
            self._add(producer, transaction, changes.staying(self._read(touched, self.schema.names)), written)
            self._add(producer, transaction, changes.coming(), written)

    def note(self, commit: Commit) -> None:
        with self._commit(commit) as (transaction, _), self._appended(transaction, commit):
            pass

    def _appended(self, transaction: Transaction, commit: Commit) -> Any:
        return transaction.update_snapshot(snapshot_properties=commit.notes).fast_append()

    def _overwritten(self, transaction: Transaction, commit: Commit) -> Any:
        return transaction.update_snapshot(snapshot_properties=commit.notes).overwrite()

    def _add(
        self, producer: _SnapshotProducer[Any], transaction: Transaction, rows: pa.RecordBatchReader, written: list[DataFile]
    ) -> None:
        for file in iceberg_files.write(self.table, transaction.table_metadata, rows):
            written.append(file)
            producer.append_data_file(file)

    @contextlib.contextmanager
    def _commit(self, commit: Commit) -> Iterator[tuple[Transaction, list[DataFile]]]:
        """A transaction that also writes what the table is to remember. Files that it wrote and that surely do not count are removed."""
        written: list[DataFile] = []
        self.table.metadata.properties.update(_NO_RETRIES)  # of this object alone
        try:
            with iceberg_faults(self.shown):
                transaction = self.table.transaction()
                self._grow(transaction, commit.schema)
                transaction.set_properties({PROPERTY: _packed(commit.remembered)})
                yield transaction, written
                milestones.reached("ledger written")
                transaction.commit_transaction()
        except Conflict:
            for file in written:
                with contextlib.suppress(OSError):
                    self.table.io.delete(file.file_path)
            raise
        milestones.reached("exchanged")

    def _grow(self, transaction: Transaction, schema: Schema) -> None:

        added = Schema(tuple(c for c in schema if c.name not in self.schema))
        if len(added):
            with transaction.update_schema() as update:
                update.union_by_name(arrow_schema(added))


def load(catalog: Catalog, table: str, shown: str) -> Table | None:
    """The table as the catalog has it now; None when it has none."""
    from pyiceberg.exceptions import NoSuchNamespaceError, NoSuchTableError

    with iceberg_faults(shown):
        try:
            return catalog.load_table(table)
        except (NoSuchTableError, NoSuchNamespaceError):
            return None


def _packed(remembered: Remembered) -> str:
    return base64.b64encode(zlib.compress(remembered.encoded())).decode()


def _unpacked(value: str, shown: str) -> Remembered:
    try:
        data = zlib.decompress(base64.b64decode(value, validate=True))
    except (ValueError, zlib.error):
        data = b""
    return decoded(data, f"{shown}: property {PROPERTY}")
