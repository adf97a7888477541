"""The types of columns and expressions, and how they are written. Not how an engine stores them."""

from __future__ import annotations

import re
from typing import ClassVar

from headrace.records import record


@record
class DataType:
    """A type. `str()` gives the written form, which `parse_type` reads back."""

    name: ClassVar[str] = "unknown"

    def __str__(self) -> str:
        return self.name

    @property
    def is_number(self) -> bool:
        return isinstance(self, Integer | Float | Decimal)

    @property
    def is_ordered(self) -> bool:
        return not isinstance(self, Json | List | Struct | Null)


@record
class Null(DataType):
    """The type of a bare NULL: it becomes any other type."""

    name: ClassVar[str] = "null"


@record
class Boolean(DataType):
    name: ClassVar[str] = "boolean"


@record
class Integer(DataType):
    """A whole number of 8, 16, 32, 64 or 128 bits."""

    bits: int = 64
    signed: bool = True

    def __str__(self) -> str:
        return f"{'' if self.signed else 'u'}int{self.bits}"

    @property
    def lowest(self) -> int:
        return -(1 << (self.bits - 1)) if self.signed else 0

    @property
    def highest(self) -> int:
        return (1 << (self.bits - 1)) - 1 if self.signed else (1 << self.bits) - 1


@record
class Float(DataType):
    """A binary floating point number (IEEE 754) of 32 or 64 bits."""

    bits: int = 64

    def __str__(self) -> str:
        return f"float{self.bits}"


@record
class Decimal(DataType):
    """An exact number of `precision` digits (at most 38), `scale` of them after the point."""

    precision: int = 18
    scale: int = 3

    def __str__(self) -> str:
        return f"decimal({self.precision}, {self.scale})"


@record
class String(DataType):
    name: ClassVar[str] = "string"


@record
class Date(DataType):
    name: ClassVar[str] = "date"


@record
class Time(DataType):
    name: ClassVar[str] = "time"


@record
class Timestamp(DataType):
    """A point in time to the microsecond; with `zone` an instant (UTC), without it a wall-clock reading."""

    zone: bool = False

    def __str__(self) -> str:
        return "timestamptz" if self.zone else "timestamp"


@record
class Interval(DataType):
    name: ClassVar[str] = "interval"


@record
class Binary(DataType):
    name: ClassVar[str] = "binary"


@record
class Json(DataType):
    name: ClassVar[str] = "json"


@record
class List(DataType):
    item: DataType = String()

    def __str__(self) -> str:
        return f"list<{self.item}>"


@record
class Struct(DataType):
    fields: tuple[tuple[str, DataType], ...] = ()

    def __str__(self) -> str:
        return "struct<" + ", ".join(f"{name}: {kind}" for name, kind in self.fields) + ">"

    def field(self, name: str) -> DataType | None:
        return dict(self.fields).get(name)


@record
class Enum(DataType):
    """One of a few words."""

    values: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"enum({', '.join(self.values)})"


_PLAIN: dict[str, DataType] = {
    str(kind): kind
    for kind in (
        Boolean(), Float(32), Float(64), String(), Date(), Time(), Timestamp(), Timestamp(True), Interval(), Binary(), Json(),
        *(Integer(bits, signed) for bits in (8, 16, 32, 64, 128) for signed in (True, False)),
    )
}  # fmt: skip

#: Other words for the same types, as SQL and other tools of the field write them.
ALIASES: dict[str, str] = {
    "bool": "boolean", "tinyint": "int8", "smallint": "int16", "int": "int32", "integer": "int32", "bigint": "int64",
    "hugeint": "int128", "utinyint": "uint8", "usmallint": "uint16", "uinteger": "uint32", "ubigint": "uint64",
    "float": "float64", "double": "float64", "real": "float32", "text": "string", "varchar": "string", "str": "string",
    "datetime": "timestamp", "bytes": "binary", "blob": "binary", "bytea": "binary",
}  # fmt: skip

TYPE_NAMES: tuple[str, ...] = (*_PLAIN, "decimal(p, s)", "list<type>", "struct<name: type, ...>", "enum(a, b, ...)")


def parse_type(text: str) -> DataType:
    """Read a written type. Raises `ValueError` with what is wrong and what is allowed."""
    written = text.strip()
    lowered = written.lower()
    if plain := _PLAIN.get(ALIASES.get(lowered, lowered)):
        return plain
    if lowered in ("timestamp with time zone", "timestamp_tz"):
        return Timestamp(zone=True)
    if lowered in ("decimal", "numeric"):
        return Decimal()
    if m := re.fullmatch(r"(?:decimal|numeric)\s*\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\)", lowered):
        precision, scale = int(m[1]), int(m[2] or 0)
        if not 1 <= precision <= 38 or scale > precision:
            raise ValueError(f"`{written}` needs 1 to 38 digits, and no more of them after the point than there are")
        return Decimal(precision, scale)
    if m := re.fullmatch(r"list\s*<(.*)>", written, re.I | re.S):
        return List(parse_type(m[1]))
    if m := re.fullmatch(r"(.*)\[\]", written, re.S):
        return List(parse_type(m[1]))
    if m := re.fullmatch(r"struct\s*<(.*)>", written, re.I | re.S):
        return Struct(tuple(_field(part) for part in _split(m[1])))
    if m := re.fullmatch(r"enum\s*\((.*)\)", written, re.I | re.S):
        return Enum(tuple(part.strip().strip("'\"") for part in _split(m[1])))
    raise ValueError(f"`{written}` is not a type")


def _field(text: str) -> tuple[str, DataType]:
    name, colon, kind = text.partition(":")
    if not colon or not name.strip():
        raise ValueError(f"`{text.strip()}` is not a field of a struct: write `name: type`")
    return name.strip(), parse_type(kind)


def _split(text: str) -> list[str]:
    """Split at the commas that are not inside brackets."""
    parts, depth, start = [], 0, 0
    for i, char in enumerate(text):
        depth += (char in "<(") - (char in ">)")
        if char == "," and depth == 0:
            parts.append(text[start:i])
            start = i + 1
    return [*parts, text[start:]]
