"""Our types as Arrow's: as functions of users are given them, and as Spark keeps them. An executor can ask, which has no session."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headrace.business.model.types import Binary, Boolean, DataType, Date, Decimal, Float, Integer, List, Struct, Timestamp

if TYPE_CHECKING:
    import pyarrow as pa


def arrow_type(kind: DataType, *, kept: bool) -> pa.DataType:
    """The type of Arrow; with `kept`, that of the type in which Spark keeps it, which knows no unsigned integers."""
    import pyarrow as pa

    match kind:
        case Boolean():
            return pa.bool_()
        case Integer():
            return _integer(kind, kept=kept)
        case Float():
            return pa.float32() if kind.bits == 32 else pa.float64()
        case Decimal():
            return pa.decimal128(kind.precision, kind.scale)
        case Date():
            return pa.date32()
        case Timestamp():
            return pa.timestamp("us", tz="UTC" if kind.zone else None)
        case Binary():
            return pa.binary()
        case List():
            return pa.list_(arrow_type(kind.item, kept=kept))
        case Struct():
            return pa.struct([(name, arrow_type(field, kept=kept)) for name, field in kind.fields])
    return pa.string()


def _integer(kind: Integer, *, kept: bool) -> pa.DataType:
    import pyarrow as pa

    if kind.signed or not kept:
        return getattr(pa, f"{'' if kind.signed else 'u'}int{kind.bits}")()
    return pa.decimal128(20, 0) if kind.bits == 64 else getattr(pa, f"int{kind.bits * 2}")()
