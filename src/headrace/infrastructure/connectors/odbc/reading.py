"""Reads rows through a driver of ODBC as Arrow, fetched in bulk and parsed a column at a time. Not which rows (see `source`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from headrace.business.model.types import Binary, String, Time
from headrace.errors import NonRetryableError
from headrace.infrastructure.arrow_shares import FEW, put_together
from headrace.infrastructure.connectors.odbc.columns import Dialect, OdbcColumn
from headrace.infrastructure.connectors.odbc.connection import OdbcConnection
from headrace.infrastructure.connectors.odbc.dialects import buffer_of, told, told_of_rows
from headrace.infrastructure.connectors.odbc.faults import reader_failed, too_long
from headrace.infrastructure.connectors.odbc.waiting import batches_waited_for
from headrace.infrastructure.foreign_types import arrow_type
from headrace.records import record

if TYPE_CHECKING:
    import pyarrow as pa

#: So much is fetched at a time at most, if every value were as long as it may be; and so many rows.
_ROOM = 32 << 20
#: And so much lies ready in the driver, where it can be told.
_ROOM_AHEAD = 128 << 20
_MOST_ROWS = 20_000
_BLOCK = 8 << 20


@record
class Reading:
    """What is read, and through what."""

    reached: OdbcConnection
    driver: str
    dialect: Dialect
    columns: Sequence[OdbcColumn]
    origin: str

    def batches(self, query: str, parameters: Sequence[str] = ()) -> Iterator[pa.RecordBatch]:
        """The rows of a query whose columns travel as these do, in one statement. Raises our errors."""
        yield from map(self._parsed, batches_waited_for(self._fetched(query, parameters)))

    def _fetched(self, query: str, parameters: Sequence[str]) -> Iterator[pa.RecordBatch]:
        import arrow_odbc
        import pyarrow as pa

        longest = self.dialect.longest
        room = buffer_of(longest)
        rows, ahead = (max(1, min(_MOST_ROWS, most // self._row)) for most in (_ROOM, _ROOM_AHEAD))
        fetched = pa.schema([pa.field(c.name, pa.type_for_alias(c.fetched)) for c in self.columns])
        address = self.reached.address(**told(self.driver, longest), **told_of_rows(self.driver, ahead))
        try:
            connection = arrow_odbc.connect(
                address, login_timeout_sec=self.reached.connect_seconds, autocommit=self.dialect.at_once
            )
            for statement in self.dialect.begun_with:
                connection.execute(statement)
            reader = connection.read_arrow_batches(
                query, rows, parameters or None, max_bytes_per_batch=None, max_text_size=room, max_binary_size=room,
                falliable_allocations=True, schema=fetched, fetch_concurrently=False,
            )  # fmt: skip
            yield from put_together(reader, FEW, _BLOCK)
        except arrow_odbc.Error as error:
            raise reader_failed(self.origin, error.message(), self.reached.veil, longest) from None

    def _parsed(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        import pyarrow as pa

        arrays = []
        for column, array in zip(self.columns, batch.columns, strict=True):
            self._demand_whole(column, array)
            try:
                arrays.append(_as(column, array))
            except pa.ArrowInvalid as error:
                said = str(error).partition("\n")[0]
                raise NonRetryableError(
                    f"{self.origin}: `{column.name}`: {said}",
                    hint="the database allows what is no value elsewhere: select it otherwise with `query`",
                ) from error
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)

    @property
    def _row(self) -> int:
        """The bytes of a row whose values are as long as they may be."""
        return sum(column.width for column in self.columns)

    def _demand_whole(self, column: OdbcColumn, array: pa.Array) -> None:
        """Refuse what is too long also where the driver cut the last byte off and said nothing of it."""
        import pyarrow.compute as pc

        if isinstance(column.type, String | Binary):
            most = pc.max(pc.binary_length(array)).as_py()
            if most is not None and most > self.dialect.longest:
                raise too_long(self.origin, self.dialect.longest)

    @property
    def schema(self) -> pa.Schema:
        import pyarrow as pa

        return pa.schema([pa.field(c.name, arrow_type(c.type)) for c in self.columns])


def _as(column: OdbcColumn, array: pa.Array) -> pa.Array:
    """Values as they came, in the type of their column."""
    import pyarrow as pa
    import pyarrow.compute as pc

    wanted = arrow_type(column.type)
    if array.type == wanted:
        return array
    if column.cut:
        array = pc.utf8_slice_codeunits(array, 0, column.cut)
    if isinstance(column.type, Time):  # which Arrow reads from no text
        array = pc.binary_join_element_wise("1970-01-01", array, " ")
    if pa.types.is_string(array.type) and (pa.types.is_time(wanted) or pa.types.is_timestamp(wanted)):
        array = array.cast(pa.timestamp("us"))
    return array.cast(wanted)
