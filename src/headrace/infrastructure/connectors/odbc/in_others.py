"""Any other database through its driver of ODBC: columns as the driver describes them, and of its SQL no more than all of them know."""

from __future__ import annotations

from headrace.business.model.types import Binary, Boolean, DataType, Date, Float, Integer, String, Time, Timestamp
from headrace.infrastructure.connectors.odbc.columns import (
    BINARIES,
    BIT,
    DATE,
    DECIMALS,
    DOUBLE,
    FLOAT,
    MOMENT,
    REAL,
    TEXTS,
    TIME,
    WHOLE_NUMBERS,
    Dialect,
    OdbcColumn,
    as_text,
    decimal,
    too_many_digits,
)
from headrace.infrastructure.connectors.odbc.drivers import Described

#: That of SQL Server for a time with fractions stands beside the standard's.
_MOMENTS: dict[int, DataType] = {DATE: Date(), TIME: Time(), -154: Time(), MOMENT: Timestamp()}
_PLAIN: dict[int, tuple[DataType, str]] = {
    BIT: (Boolean(), "bool"), REAL: (Float(32), "float32"), FLOAT: (Float(64), "float64"), DOUBLE: (Float(64), "float64"),
}  # fmt: skip
_MICROSECONDS, _FINEST, _FINEST_TIME = 6, "0001-01-01 00:00:00.000001", "00:00:00.000001"


class AnyOther(Dialect):
    """Only numbers are compared there: how moments and texts are rounded and collated, each database decides for itself."""

    nested = False

    def column(self, described: Described) -> OdbcColumn:
        name, at, code = described.name, self.quoted(described.name), described.code
        if code in _PLAIN:
            return OdbcColumn(name, *_PLAIN[code], at)
        if code in WHOLE_NUMBERS:
            bits, signed, unsigned = WHOLE_NUMBERS[code]
            fetched = unsigned if described.unsigned else signed
            reached = f"{at} >= CAST(? AS DECIMAL(20, 0)) OR {at} IS NULL"
            return OdbcColumn(name, Integer(bits, signed=not described.unsigned), fetched, at, reached=reached)
        if code in DECIMALS:
            kind = decimal(described)
            if kind is None:
                left = too_many_digits(described)
                return OdbcColumn(name, String(), "string", at, self.room(described), note=left, disordered=True)
            reached = f"{at} >= CAST(? AS DECIMAL({kind.precision}, {kind.scale})) OR {at} IS NULL"
            return OdbcColumn(name, kind, "string", at, reached=reached)
        if code in _MOMENTS:
            finer = max(described.precision, described.scale) > _MICROSECONDS and code != DATE
            note = f"`{name}` is {described.type_name}, and is cut to microseconds" if finer else None
            cut = len(_FINEST if code == MOMENT else _FINEST_TIME) if finer else 0
            return OdbcColumn(name, _MOMENTS[code], "string", at, note=note, cut=cut)
        if code in BINARIES:
            return OdbcColumn(name, Binary(), "binary", at, self.room(described))
        if code in TEXTS:
            return OdbcColumn(name, String(), "string", at, self.room(described))
        return OdbcColumn(name, String(), "string", at, self.room(described), note=as_text(described), disordered=True)
