"""The names of types in SQL text (`cast(x as decimal(15, 2))`) as types."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headrace.business.model.schema import did_you_mean
from headrace.business.model.types import (
    ALIASES,
    TYPE_NAMES,
    Boolean,
    DataType,
    Enum,
    Float,
    Integer,
    Interval,
    List,
    String,
    Struct,
    Timestamp,
    parse_type,
)  # fmt: skip
from headrace.business.processing.expressions.faults import BindError

if TYPE_CHECKING:
    from sqlglot import exp

#: Where SQLGlot's word is neither ours nor an alias of ours.
_WORDS: dict[str, DataType] = {
    "double": Float(64), "float": Float(64), "real": Float(32), "int128": Integer(128), "uint128": Integer(128, signed=False),
    "text": String(), "varchar": String(), "char": String(), "bpchar": String(), "timestampntz": Timestamp(),
    "timestamptz": Timestamp(zone=True), "varbinary": parse_type("binary"), "boolean": Boolean(), "interval": Interval(),
    "int": Integer(32), "utinyint": Integer(8, signed=False), "usmallint": Integer(16, signed=False), "uint": Integer(32, signed=False),
    "ubigint": Integer(64, signed=False), "tinyint": Integer(8), "smallint": Integer(16), "bigint": Integer(64),
}  # fmt: skip


def written_type(node: exp.Expression) -> DataType:
    """Raises `BindError`."""
    name = (node.this.value if hasattr(node.this, "value") else str(node.this)).lower()
    if name == "user-defined":
        kind = node.args.get("kind")
        return _read(str(getattr(kind, "name", None) or kind))
    if name in ("array", "list"):
        return List(written_type(node.expressions[0]))
    if name == "struct":
        return Struct(tuple((field.name, written_type(field.args["kind"])) for field in node.expressions))
    if name == "enum":
        return Enum(tuple(value.name for value in node.expressions))
    if name == "decimal":
        sizes = [int(size.name) for size in node.expressions]
        return _read(f"decimal({', '.join(map(str, sizes))})" if sizes else "decimal(18, 3)")
    if node.expressions and name not in ("varchar", "char", "text"):
        raise BindError(f"`{name}` takes no size")
    return _WORDS.get(name) or _read(name)


def _read(name: str) -> DataType:
    try:
        return parse_type(name)
    except ValueError as error:
        raise BindError(str(error), did_you_mean(name, (*TYPE_NAMES, *ALIASES))) from None
