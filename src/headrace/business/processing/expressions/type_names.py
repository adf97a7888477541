"""The names of types in SQL text (`cast(x as decimal(15, 2))`) as types."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headrace.business.model.schema import did_you_mean
from headrace.business.model.types import (
    ALIASES,
    TYPE_NAMES,
    DataType,
    Enum,
    List,
    Struct,
    Timestamp,
    parse_type,
)  # fmt: skip
from headrace.business.processing.expressions.faults import BindError

if TYPE_CHECKING:
    from sqlglot import exp

#: Where SQLGlot's word is neither ours nor an alias of ours.
_WORDS: dict[str, DataType] = {"timestampntz": Timestamp(), "timestamptz": Timestamp(zone=True)}


def written_type(node: exp.Expression) -> DataType:
    """Raises `BindError`."""
    name = (node.this.value if hasattr(node.this, "value") else str(node.this)).lower()
    if name == "user-defined":
        kind = node.args.get("kind")
        name = str(getattr(kind, "name", None) or kind).lower()
    if name in ("array", "list") and not node.expressions:
        raise BindError(f"{name} of what?", "write `int32[]` or `list<int32>`")
    if name in ("array", "list"):
        return List(written_type(node.expressions[0]))
    if name == "struct":
        return Struct(tuple((field.name, written_type(field.args["kind"])) for field in node.expressions))
    if name == "enum":
        return Enum(tuple(value.name for value in node.expressions))
    if name == "decimal":
        sizes = [int(size.name) for size in node.expressions]
        return _read(f"decimal({', '.join(map(str, sizes))})" if sizes else "decimal(18, 3)")
    if node.expressions:
        raise BindError(
            f"`{name}` takes no size", "lengths are promised by a contract: `length: {max: 10}`" if name == "varchar" else None
        )
    return _WORDS.get(name) or _read(name)


def _read(name: str) -> DataType:
    try:
        return parse_type(name)
    except ValueError as error:
        raise BindError(str(error), did_you_mean(name, (*TYPE_NAMES, *ALIASES))) from None
