"""Our types as PostgreSQL's. Not values (see `literals`), and not how PostgreSQL's own types are read (that is a connector's)."""

from __future__ import annotations

from headrace.business.model.types import (
    Binary,
    Boolean,
    DataType,
    Date,
    Decimal,
    Enum,
    Float,
    Integer,
    Interval,
    Json,
    List,
    Null,
    String,
    Struct,
    Time,
    Timestamp,
)  # fmt: skip

#: Unsigned integers get the next wider type; what no integer of PostgreSQL holds is a number of 39 digits.
_PLAIN: dict[DataType, str] = {
    Null(): "integer", Boolean(): "boolean", Float(32): "real", Float(64): "double precision", String(): "text", Date(): "date",
    Time(): "time", Timestamp(): "timestamp", Timestamp(zone=True): "timestamp with time zone", Interval(): "interval",
    Binary(): "bytea", Json(): "json",
    Integer(8): "smallint", Integer(16): "smallint", Integer(32): "integer", Integer(64): "bigint", Integer(128): "numeric(39)",
    Integer(8, signed=False): "smallint", Integer(16, signed=False): "integer", Integer(32, signed=False): "bigint",
    Integer(64, signed=False): "numeric(20)", Integer(128, signed=False): "numeric(39)",
}  # fmt: skip


def postgres_type(kind: DataType) -> str:
    """The type in which PostgreSQL keeps it. Raises `TypeError` for one that it cannot keep (see `type_problem`)."""
    match kind:
        case Decimal():
            return f"numeric({kind.precision}, {kind.scale})"
        case List() if not isinstance(kind.item, List | Struct):
            return f"{postgres_type(kind.item)}[]"
        case Enum():
            return "text"
        case _ if kind in _PLAIN:
            return _PLAIN[kind]
        case _:
            raise TypeError(type_problem(kind) or f"PostgreSQL has no type for {kind}")


def type_problem(kind: DataType) -> str | None:
    """Why PostgreSQL has no type for it, or None."""
    if isinstance(kind, Struct):
        return "PostgreSQL has no struct without a type of its own in the database; make a column of each field"
    if isinstance(kind, List) and isinstance(kind.item, List):
        return "a list of lists has to be a rectangle in PostgreSQL; unnest it, or keep it as json"
    return type_problem(kind.item) if isinstance(kind, List) else None


def is_numeric(kind: DataType) -> bool:
    """Whether it is a `numeric` there, of which arithmetic never overflows."""
    return isinstance(kind, Decimal) or (isinstance(kind, Integer) and (kind.bits == 128 or kind == Integer(64, signed=False)))
