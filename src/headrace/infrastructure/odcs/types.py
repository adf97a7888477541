"""Types of the standard and ours: `logicalType` with its options and `physicalType` on one side, a column's type on the other."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

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
    String,
    Struct,
    Time,
    Timestamp,
    parse_type,
)  # fmt: skip
from headrace.errors import Path
from headrace.infrastructure.odcs.findings import Findings

_INTEGERS = {f"{sign}{bits}": Integer(bits, sign == "i") for bits in (8, 16, 32, 64, 128) for sign in "iu"}
_FLOATS = {"f32": Float(32), "f64": Float(64)}

#: What values of a logical type may be stored as here. The logical type says what they are; the physical one only how exactly.
_FAMILIES: dict[str, tuple[type[DataType], ...]] = {
    "string": (String, Enum, Binary, Interval),
    "date": (Date,),
    "timestamp": (Timestamp,),
    "time": (Time,),
    "integer": (Integer,),
    "number": (Float, Decimal, Integer),
    "boolean": (Boolean,),
    "object": (Struct, Json),
    "array": (List,),
}
_PLAIN: dict[str, DataType] = {
    "string": String(), "date": Date(), "timestamp": Timestamp(), "time": Time(), "number": Float(64), "integer": Integer(64),
    "boolean": Boolean(), "object": Json(), "array": List(Json()),
}  # fmt: skip
_LOGICAL = (*_PLAIN, "map", "vector")

_COMMON = ("format",)
_BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")

#: The options of each logical type.
OPTIONS: dict[str, tuple[str, ...]] = {
    "string": (*_COMMON, "minLength", "maxLength", "pattern"),
    "date": (*_COMMON, *_BOUNDS),
    "timestamp": (*_COMMON, *_BOUNDS, "timezone", "defaultTimezone"),
    "time": (*_COMMON, *_BOUNDS, "timezone", "defaultTimezone"),
    "number": (*_COMMON, *_BOUNDS, "multipleOf"),
    "integer": (*_COMMON, *_BOUNDS, "multipleOf"),
    "boolean": (),
    "object": ("maxProperties", "minProperties", "required"),
    "array": ("maxItems", "minItems", "uniqueItems"),
}

#: How databases write types that have another name here.
_STORES = (
    (
        re.compile(r"(?:var|n?var|n|b?p)?char(?:acter)?(?: varying)?(?:\(.*\))?|nvarchar2?\(.*\)|varchar2\(.*\)|clob", re.I),
        "string",
    ),
    (re.compile(r"double precision", re.I), "float64"),
    (re.compile(r"number(\(.*\))", re.I), r"decimal\1"),
    (re.compile(r"timestamp(?:\(\d\))? without time zone|timestamp_ntz(?:\(\d\))?|timestamp\(\d\)", re.I), "timestamp"),
    (re.compile(r"timestamp(?:\(\d\))? with time zone|timestamp_l?tz(?:\(\d\))?", re.I), "timestamptz"),
)


def logical_type(kind: DataType | None) -> str:
    """The logical type of one of ours. The standard's JSON Schema takes no property without one, so an unknown type is text."""
    return next((name for name, families in _FAMILIES.items() if kind is not None and isinstance(kind, families)), "string")


def type_options(kind: DataType | None) -> dict[str, Any]:
    """The logical type options that say a type exactly."""
    match kind:
        case Integer():
            return {"format": f"{'i' if kind.signed else 'u'}{kind.bits}"}
        case Float():
            return {"format": f"f{kind.bits}"}
        case Timestamp():
            return {"timezone": kind.zone}
    return {}


def read_type(element: Mapping[str, Any], path: Path, findings: Findings) -> DataType | None:
    """The type of a property; None when the document does not say."""
    logical, physical = element.get("logicalType"), _physical(element.get("physicalType"))
    if logical is None:
        return physical
    if findings.word(logical, (*path, "logicalType"), _LOGICAL) is None:
        return None
    if logical in ("map", "vector"):
        findings.refuse(
            f"columns of logical type `{logical}` cannot be read",
            (*path, "logicalType"),
            "describe it as an object or an array",
        )
        return None
    options = element.get("logicalTypeOptions") or {}
    if not isinstance(options, Mapping):
        return None
    if logical == "object" and element.get("properties"):
        return _struct(element, path, findings)
    if logical == "array" and element.get("items"):
        return _list(element, path, findings)
    if logical in ("timestamp", "time"):
        _refuse_zone(logical, options, path, findings)
    if logical == "timestamp" and isinstance(options.get("timezone"), bool):
        return Timestamp(options["timezone"])
    formats = _INTEGERS if logical == "integer" else _FLOATS if logical == "number" else {}
    if formats and options.get("format") is not None:
        word = findings.word(options["format"], (*path, "logicalTypeOptions", "format"), formats)
        return formats[word] if word else None
    return physical if physical is not None and isinstance(physical, _FAMILIES[logical]) else _PLAIN[logical]


def _physical(written: Any) -> DataType | None:
    """The type in the store, if it is one that has a like here. It describes the store and is no promise of its own."""
    if not isinstance(written, str):
        return None
    for form, name in _STORES:
        if form.fullmatch(written.strip()):
            written = form.sub(name, written.strip())
            break
    try:
        return parse_type(written)
    except ValueError:
        return None


def _refuse_zone(logical: str, options: Mapping[str, Any], path: Path, findings: Findings) -> None:
    where: Path = (*path, "logicalTypeOptions")
    if logical == "time" and options.get("timezone"):
        findings.refuse(
            "times of the day with a zone cannot be read", (*where, "timezone"), "describe it as a timestamp or a string"
        )
    if options.get("defaultTimezone") not in (None, "UTC", "Etc/UTC", "Z"):
        findings.refuse(
            "only UTC can be the zone of timestamps that name none",
            (*where, "defaultTimezone"),
            "leave out `defaultTimezone`, and convert with `at time zone` in a step",
        )


def _struct(element: Mapping[str, Any], path: Path, findings: Findings) -> DataType | None:
    fields = []
    for where, item in findings.items(element["properties"], (*path, "properties")):
        inner = findings.mapping(item, where)
        name = inner.get("name")
        if not isinstance(name, str):
            findings.refuse("a field needs a `name`", where)
            continue
        fields.append((name, _inner(inner, where, findings)))
    return Struct(tuple(fields))


def _list(element: Mapping[str, Any], path: Path, findings: Findings) -> DataType | None:
    where: Path = (*path, "items")
    return List(_inner(findings.mapping(element["items"], where), where, findings))


#: What inside a struct or a list would be a rule.
_RULES = ("required", "unique", "primaryKey", "enum", "quality", "relationships")


def _inner(element: Mapping[str, Any], path: Path, findings: Findings) -> DataType:
    for key in _RULES:
        if element.get(key):
            hint = "write it as an expression over the column, in a rule of `engine: headrace`"
            findings.refuse(f"`{key}` inside a struct or a list cannot be checked", (*path, key), hint, on_key=True)
    kind = read_type(element, path, findings)
    options = element.get("logicalTypeOptions")
    for key in options if isinstance(options, Mapping) else ():
        if key not in ("format", "timezone", "defaultTimezone"):
            findings.refuse(
                f"`{key}` inside a struct or a list cannot be checked", (*path, "logicalTypeOptions", key), on_key=True
            )
    return kind if kind is not None else Json()
