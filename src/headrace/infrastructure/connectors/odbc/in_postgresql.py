"""PostgreSQL through its driver of ODBC, psqlodbc: how its columns travel, and how it is asked for rows that are new."""

from __future__ import annotations

from headrace.business.model.types import (
    Binary,
    Boolean,
    DataType,
    Date,
    Float,
    Integer,
    String,
    Time,
    Timestamp,
)
from headrace.infrastructure.connectors.odbc.columns import (
    BIT,
    DATE,
    MOMENT,
    TIME,
    Dialect,
    OdbcColumn,
    as_text,
    decimal,
    too_many_digits,
)
from headrace.infrastructure.connectors.odbc.drivers import Described, Link

_NUMBERS: dict[str, tuple[DataType, str]] = {
    "int2": (Integer(16), "int16"), "int4": (Integer(32), "int32"), "int8": (Integer(64), "int64"),
    "float4": (Float(32), "float32"), "float8": (Float(64), "float64"),
}  # fmt: skip
_TEXTS = ("text", "varchar", "char", "bpchar")
_TLS = "SELECT version || ' ' || cipher FROM pg_stat_ssl WHERE pid = pg_backend_pid() AND ssl"
#: More than the longest moment takes, `294276-12-31 23:59:59.999999 BC`, so that nothing is cut.
_MOMENT = 40


class PostgreSQL(Dialect):
    nested = True
    begun_with = ("SET TRANSACTION READ ONLY", "SET LOCAL TIME ZONE 'UTC'", "SET LOCAL DateStyle TO 'ISO'")
    at_once = False  # so that a pool behind the server's address keeps nothing of what was set

    def encryption(self, link: Link) -> str | None:
        return next(iter(link.first(_TLS)), None)

    def column(self, described: Described) -> OdbcColumn:
        name, at, there = described.name, self.quoted(described.name), described.type_name
        if there in _NUMBERS:
            kind, fetched = _NUMBERS[there]
            endless = f" OR {at} = '-infinity'" if isinstance(kind, Float) else ""
            return OdbcColumn(name, kind, fetched, at, reached=f"{at} >= CAST(? AS {there}) OR {at} IS NULL{endless}")
        if there == "numeric":
            return self._numeric(described, at)
        if described.code == BIT:
            return OdbcColumn(name, Boolean(), "bool", at)
        if there == "bytea":
            return OdbcColumn(name, Binary(), "binary", at, self.longest)
        if described.code in (DATE, MOMENT) or there == "time":
            return self._moment(described, at)
        reached = f'CAST({at} AS text) COLLATE "C" >= CAST(? AS text) OR {at} IS NULL'
        if there in _TEXTS:
            return OdbcColumn(name, String(), "string", at, self.room(described), reached)
        if there == "uuid":
            return OdbcColumn(name, String(), "string", f"CAST({at} AS varchar({_MOMENT}))", 4 * _MOMENT, reached, None, True)
        return OdbcColumn(name, String(), "string", f"CAST({at} AS text)", self.longest, reached, as_text(described), True)

    def _numeric(self, described: Described, at: str) -> OdbcColumn:
        """One without a precision comes as text, which the driver is told to say (`NumericAs`)."""
        kind = decimal(described) if described.code != 12 else None
        if kind is None:
            written = f"CAST({at} AS text)"
            note = too_many_digits(described)
            return OdbcColumn(described.name, String(), "string", written, self.longest, note=note, disordered=True)
        room = kind.precision + 3  # for sign, point, and a zero before the point
        reached = f"{at} >= CAST(? AS numeric({kind.precision}, {kind.scale})) OR {at} IS NULL"
        return OdbcColumn(described.name, kind, "string", f"CAST({at} AS varchar({room}))", 4 * room, reached)

    def _moment(self, described: Described, at: str) -> OdbcColumn:
        written = at
        kind: DataType
        if described.code == DATE:
            kind, there = Date(), "date"
        elif described.code == TIME:
            kind, there = Time(), "time"
        elif described.type_name == "timestamptz":
            kind, there, written = Timestamp(zone=True), "timestamptz", f"{at} AT TIME ZONE 'UTC'"
        else:
            kind, there = Timestamp(), "timestamp"
        endless = "" if there == "time" else f" OR {at} = '-infinity'"
        reached = f"{at} >= CAST(? AS {there}) OR {at} IS NULL{endless}"
        return OdbcColumn(described.name, kind, "string", f"CAST({written} AS varchar({_MOMENT}))", 4 * _MOMENT, reached)
