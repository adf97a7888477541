"""Contracts of ours as documents of the standard, version 3.2.

What the standard has words for is written in them. The rest stands beside it, as quality of `type: custom, engine: headrace`:
whatever would be lost, or read back differently. So nothing is ever lost, and other tools see as much as they can.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from headrace.business.model.contract import ColumnContract, Contract, DatasetRule
from headrace.business.model.types import Date, Decimal, Enum, Float, Integer, String, Time, Timestamp
from headrace.infrastructure.odcs.columns import OPEN, read_property
from headrace.infrastructure.odcs.findings import Findings
from headrace.infrastructure.odcs.metrics import unusable_pattern
from headrace.infrastructure.odcs.plain import PlainDumper, bare, plain
from headrace.infrastructure.odcs.quality import ENGINE
from headrace.infrastructure.odcs.reading import read_odcs
from headrace.infrastructure.odcs.relationships import OURS, References
from headrace.infrastructure.odcs.times import to_java
from headrace.infrastructure.odcs.types import logical_type, type_options

_REFERENCE = re.compile(r"[A-Za-z_][\w-]*\.[A-Za-z_][\w-]*", re.ASCII)


def to_odcs(
    contract: Contract,
    dataset: str,
    *,
    identifier: str | None = None,
    version: str = "1.0.0",
    status: str = "active",
    checks: Iterable[Mapping[str, Any]] = (),
) -> str:
    """The document as YAML. `checks` are written as under `checks:` in a definition: `{"row_count": {"min": 1}}`."""
    document = {
        "apiVersion": "v3.2.0",
        "kind": "DataContract",
        "id": identifier or dataset,
        "name": dataset,
        "version": version,
        "status": status,
        "schema": [_object(contract, dataset, checks)],
    }
    return yaml.dump(document, Dumper=PlainDumper, sort_keys=False, allow_unicode=True, width=120)


def _object(contract: Contract, dataset: str, checks: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    element: dict[str, Any] = {"name": dataset, "logicalType": "object", "physicalType": "table"}
    if contract.description is not None:
        element["description"] = contract.description
    key = contract.key.columns if contract.key else ()
    element["properties"] = [_property(name, column, key) for name, column in contract.columns.items()]
    relationships = [written for name, rule in contract.rules.items() if (written := _relationship(name, rule, dataset))]
    if relationships:
        element["relationships"] = relationships
    related = {item["customProperties"][0]["value"]["name"] for item in relationships}
    quality = [_rule(name, rule) for name, rule in contract.rules.items() if name not in related]
    quality += [_check(check) for check in checks]
    if quality:
        element["quality"] = quality
    if lost := _lost(contract, element):
        element["quality"] = [*quality, {"type": "custom", "engine": ENGINE, "implementation": {"contract": lost}}]
    return element


def _lost(contract: Contract, element: Mapping[str, Any]) -> dict[str, Any]:
    """What reading the object back would not give: options of the contract itself."""
    document = {"apiVersion": "v3.2.0", "kind": "DataContract", "schema": [element]}
    found, wanted = plain(read_odcs(document).contract), plain(contract)
    return {
        name: wanted.get(name)
        for name in {**wanted, **found}
        if found.get(name) != wanted.get(name) and name not in ("columns", "rules")
    }


def _property(name: str, column: ColumnContract, key: tuple[str, ...]) -> dict[str, Any]:
    element: dict[str, Any] = {"name": name, "logicalType": logical_type(column.type)}
    if column.source is not None:
        element["physicalName"] = column.source
    if column.type is not None:
        element["physicalType"] = str(column.type)
    if name in key:
        element |= {"primaryKey": True, "primaryKeyPosition": key.index(name) + 1}
    wanted = plain(column)
    element |= {option: wanted[option] for option in ("description", "classification") if option in wanted}
    element |= {option: True for option in ("required", "unique") if bare(wanted.get(option)) is True}
    if options := type_options(column.type) | _type_options(column, wanted):
        element["logicalTypeOptions"] = options
    if words := _enumeration(wanted):
        element["enum"] = words
    if isinstance(target := bare(wanted.get("references")), str) and _REFERENCE.fullmatch(target):
        element["relationships"] = [{"to": target}]
    if lost := _lost_of_column(element, wanted):
        element["quality"] = [{"type": "custom", "engine": ENGINE, "implementation": lost}]
    return element


def _lost_of_column(element: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """What reading the property back would not give; null, or the word for an open type, for what it would give too much."""
    read = read_property(element, (), References({}, Findings()), Findings())
    found = read[1] if read else {}
    absent = {"type": OPEN}
    return {
        name: wanted.get(name, absent.get(name)) for name in {**wanted, **found} if not _same(found.get(name), wanted.get(name))
    }


def _same(left: Any, right: Any) -> bool:
    return repr(left) == repr(right)  # 1 is not 1.0 and not true


def _type_options(column: ColumnContract, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """The bounds, lengths, patterns and formats that the standard has words for."""
    found: dict[str, Any] = {}
    low, high = bare(wanted.get("at_least")), bare(wanted.get("at_most"))
    if isinstance(between := bare(wanted.get("between")), list) and None not in between:
        low, high = between
    bounds = {
        "minimum": low,
        "maximum": high,
        "exclusiveMinimum": bare(wanted.get("above")),
        "exclusiveMaximum": bare(wanted.get("below")),
    }
    match column.type:
        case Integer() | Float() | Decimal():
            found |= {key: bound for key, bound in bounds.items() if _is_number(bound)}
        case Date() | Time() | Timestamp():
            found |= {key: bound for key, bound in bounds.items() if isinstance(bound, str)}
            if column.format is not None and (java := to_java(column.format)) is not None:
                found["format"] = java
        case String() | Enum() | None:
            length = bare(wanted.get("length"))
            if isinstance(length, dict):
                found |= {f"{end}Length": length[end] for end in ("min", "max") if end in length}
            if isinstance(pattern := bare(wanted.get("matches")), str) and unusable_pattern(pattern) is None:
                found["pattern"] = pattern
    return found


def _is_number(bound: Any) -> bool:
    return isinstance(bound, int | float) and not isinstance(bound, bool) and math.isfinite(bound)


def _enumeration(wanted: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The allowed values; the standard takes no value twice, and counts 1, 1.0 and true as one."""
    values = bare(wanted.get("in"))
    return [{"value": value} for value in values] if isinstance(values, list) and len(set(values)) == len(values) else []


def _relationship(name: str, rule: DatasetRule, dataset: str) -> dict[str, Any] | None:
    """A rule that refers to another dataset, if the standard can say it."""
    if rule.references is None or rule.expression is not None:
        return None
    targets = [rule.references] if isinstance(rule.references, str) else list(rule.references)
    columns = list(rule.column or ())
    sources = [f"{dataset}.{column}" for column in columns]
    single = isinstance(rule.references, str)
    if (
        len(columns) != len(targets)
        or single != (len(targets) == 1)
        or not all(map(_REFERENCE.fullmatch, [*targets, *sources]))
    ):
        return None
    ours = {key: value for key, value in plain(rule).items() if key in ("nulls", "on_violation", "description")}
    return {
        "from": sources[0] if single else sources,
        "to": targets[0] if single else targets,
        "customProperties": [{"property": OURS, "value": {"name": name, **ours}}],
    }


def _rule(name: str, rule: DatasetRule) -> dict[str, Any]:
    entry: dict[str, Any] = {"type": "custom", "name": name, "engine": ENGINE, "implementation": {"rule": plain(rule)}}
    return entry if rule.description is None else {"description": rule.description, **entry}


def _check(check: Mapping[str, Any]) -> dict[str, Any]:
    """A check, as a library metric where that says the same."""
    name = check.get("name")
    ((kind, options),) = ((key, value) for key, value in check.items() if key not in ("name", "on"))
    about = ({"name": name} if name else {}) | ({"severity": "warning"} if options.get("on_fail") == "warn" else {})
    told = {key: value for key, value in options.items() if key != "on_fail"}
    if kind == "row_count" and set(told) in ({"min"}, {"max"}):
        ((end, limit),) = told.items()
        return about | {"metric": "rowCount", "mustBeGreaterOrEqualTo" if end == "min" else "mustBeLessOrEqualTo": limit}
    if kind == "unique" and set(told) == {"columns"}:
        return about | {"metric": "duplicateValues", "arguments": {"properties": list(told["columns"])}, "mustBe": 0}
    entry = {"type": "custom", "engine": ENGINE, "implementation": {"check": {kind: dict(options)}}}
    return ({"name": name} if name else {}) | entry
