"""Makes what the driver hands over of PostgreSQL's values ours: numbers of fixed precision out of their text, days and instants out
of a count that goes round at infinity. Not how they are asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from headrace.business.model.types import Date, Decimal, Timestamp
from headrace.errors import NonRetryableError
from headrace.infrastructure.postgresql.columns import PostgresColumn

if TYPE_CHECKING:
    import pyarrow as pa

Made = Callable[["pa.Array"], "pa.Array"]

#: From 1970, where Arrow counts from, to 2000, where PostgreSQL does.
_DAYS_TO_2000, _MICROSECONDS_TO_2000 = 10_957, 946_684_800_000_000
_REFUSED = "the type has no such value here: change it in the source, or read it as text, with a `query` where it is a table"


def typed(columns: Sequence[PostgresColumn], origin: str) -> Callable[[pa.RecordBatch], pa.RecordBatch]:
    """What makes the values of a batch ours, and raises where one has no place in our type. Columns that need nothing stay as they are."""
    makers = [_maker(column, f"{origin}: `{column.name}`") for column in columns]
    names = [column.name for column in columns]

    def made(batch: pa.RecordBatch) -> pa.RecordBatch:
        import pyarrow as pa

        return pa.RecordBatch.from_arrays(
            [make(array) if make else array for make, array in zip(makers, batch.columns, strict=True)], names=names
        )

    return made


def _maker(column: PostgresColumn, shown: str) -> Made | None:
    match column.type:
        case Decimal() as kind:
            return lambda array: _decimal(array, kind, shown)
        case Date():
            return lambda array: _counted(array, 32, _DAYS_TO_2000, shown)
        case Timestamp():
            return lambda array: _counted(array, 64, _MICROSECONDS_TO_2000, shown)
    return None


def _decimal(array: pa.Array, kind: Decimal, shown: str) -> pa.Array:
    import pyarrow as pa

    try:
        return array.cast(pa.decimal128(kind.precision, kind.scale))
    except pa.ArrowInvalid as error:  # Only NaN gets through the column's own type.
        raise NonRetryableError(f"{shown} holds NaN, which is no {kind}", hint=_REFUSED) from error


def _counted(array: pa.Array, bits: int, distance: int, shown: str) -> pa.Array:
    """Days or instants, with infinities as DuckDB has them: the greatest number, and its negative.

    To PostgreSQL they are the greatest number and the least. The driver adds the distance between the two beginnings to whatever it
    finds, so that both arrive far below all that can be, and so do instants beyond what can be counted from 1970.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    number = pa.int32() if bits == 32 else pa.int64()
    greatest = (1 << bits - 1) - 1
    count = array.view(number)
    found = pc.min_max(count).as_py()
    if found["min"] is None or (found["min"] > -greatest // 2 and found["max"] < greatest):
        return array
    endless = -greatest - 1 + distance - 1
    after, before = pc.equal(count, endless), pc.equal(count, endless + 1)
    beyond = pc.or_(pc.equal(count, greatest), pc.and_(pc.less(count, -greatest // 2), pc.invert(pc.or_(after, before))))
    if pc.any(beyond).as_py():
        raise NonRetryableError(f"{shown} holds a moment that is out of range", hint=_REFUSED)
    endings = pc.if_else(after, pa.scalar(greatest, number), pc.if_else(before, pa.scalar(-greatest, number), count))
    return endings.view(array.type)
