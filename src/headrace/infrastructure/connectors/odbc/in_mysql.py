"""MySQL and MariaDB through a driver of ODBC: how their columns travel, and how they are asked for rows that are new."""

from __future__ import annotations

from headrace.business.model.types import Binary, DataType, Date, Float, Integer, String, Time, Timestamp
from headrace.infrastructure.connectors.odbc.columns import (
    BINARIES,
    DATE,
    DECIMALS,
    DOUBLE,
    MOMENT,
    REAL,
    TIME,
    WHOLE_NUMBERS,
    Dialect,
    OdbcColumn,
    decimal,
    too_many_digits,
)
from headrace.infrastructure.connectors.odbc.drivers import Described, Link

_MOMENTS: dict[int, tuple[DataType, str]] = {
    DATE: (Date(), "DATE"), TIME: (Time(), "TIME(6)"), MOMENT: (Timestamp(), "DATETIME(6)"),
}  # fmt: skip
_ROOM = 32


class MySQL(Dialect):
    nested = True
    begun_with = ("SET SESSION TRANSACTION READ ONLY", "SET SESSION time_zone = '+00:00'")

    def encryption(self, link: Link) -> str | None:
        return next((value for value in link.first("SHOW SESSION STATUS LIKE 'Ssl_version'")[1:] if value), None)

    def column(self, described: Described) -> OdbcColumn:
        name, at, code = described.name, self.quoted(described.name), described.code
        if described.type_name == "bit":
            return self._number(name, Integer(64, signed=False), "string", f"CAST({at} + 0 AS CHAR({_ROOM}))", at)
        if described.type_name == "year":
            return self._number(name, Integer(16), "int16", at, at)
        if code in WHOLE_NUMBERS:
            bits, signed, unsigned = WHOLE_NUMBERS[code]
            fetched = unsigned if described.unsigned else signed
            written = f"CAST({at} AS CHAR({_ROOM}))" if fetched == "string" else at
            return self._number(name, Integer(bits, signed=not described.unsigned), fetched, written, at)
        if code in DECIMALS:
            return self._decimal(described, at)
        if code in (REAL, DOUBLE):
            # A float is written with six digits, and the smallest are lost on the way; as a double it is whole.
            floating, written = (Float(32), f"{at} + 0e0") if code == REAL else (Float(64), at)
            return OdbcColumn(name, floating, "float64", written, reached=f"{at} >= CAST(? AS DOUBLE) OR {at} IS NULL")
        if code in _MOMENTS:
            kind, there = _MOMENTS[code]
            kind = Timestamp(zone=True) if described.type_name == "timestamp" else kind
            reached = f"{at} >= CAST(? AS {there}) OR {at} IS NULL"
            return OdbcColumn(name, kind, "string", f"CAST({at} AS CHAR({_ROOM}))", 4 * _ROOM, reached)
        if code in BINARIES:
            return OdbcColumn(name, Binary(), "binary", at, self.room(described))
        reached = f"CAST(CONVERT({at} USING utf8mb4) AS BINARY) >= CAST(CONVERT(? USING utf8mb4) AS BINARY) OR {at} IS NULL"
        return OdbcColumn(name, String(), "string", at, self.room(described), reached)

    def _number(self, name: str, kind: Integer, fetched: str, written: str, at: str) -> OdbcColumn:
        return OdbcColumn(name, kind, fetched, written, reached=f"{at} >= CAST(? AS DECIMAL(20, 0)) OR {at} IS NULL")

    def _decimal(self, described: Described, at: str) -> OdbcColumn:
        kind = decimal(described)
        room = described.precision + 3  # for sign, point, and a zero before the point
        written = f"CAST({at} AS CHAR({room}))"
        if kind is None:
            note = too_many_digits(described)
            return OdbcColumn(described.name, String(), "string", written, 4 * room, note=note, disordered=True)
        reached = f"{at} >= CAST(? AS DECIMAL({kind.precision}, {kind.scale})) OR {at} IS NULL"
        return OdbcColumn(described.name, kind, "string", written, 4 * room, reached)
