"""Service levels (`slaProperties`): latency is a check of freshness; the others are promises about a service, not about rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from headrace.errors import Path
from headrace.infrastructure.odcs.findings import Findings

_KEYS = (
    "id", "property", "value", "valueExt", "unit", "element", "driver", "description", "scheduler", "schedule", "customProperties",
    "authoritativeDefinitions",
)  # fmt: skip
_FRESHNESS = ("latency", "ly", "freshness")
_UNITS = {
    **dict.fromkeys(("d", "day", "days"), "days"),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), "hours"),
    **dict.fromkeys(("m", "min", "minute", "minutes"), "minutes"),
    **dict.fromkeys(("s", "sec", "second", "seconds"), "seconds"),
    **dict.fromkeys(("w", "wk", "week", "weeks"), "weeks"),
}


def read_levels(top: Mapping[str, Any], findings: Findings) -> None:
    """The service levels of the object that is read."""
    for path, item in findings.items(top.get("slaProperties"), ("slaProperties",)):
        level = findings.mapping(item, path, _KEYS)
        named = str(level.get("property"))
        if named.lower() not in _FRESHNESS:
            findings.note(f"the service level `{named}` is a promise about the service, which no run can check")
            continue
        element = level.get("element", top.get("slaDefaultElement"))
        if not isinstance(element, str):
            findings.refuse(
                f"the service level `{named}` needs the `element` that tells the time", path, "write `object.property`"
            )
            continue
        for name in map(str.strip, element.split(",")):
            dataset, _, column = name.rpartition(".")
            if dataset in ("", findings.dataset):
                _freshness(level, column, path, findings)


def _freshness(level: Mapping[str, Any], column: str, path: Path, findings: Findings) -> None:
    unit = findings.word(level.get("unit"), (*path, "unit"), _UNITS)
    value = level.get("value")
    if not isinstance(value, int) or isinstance(value, bool):
        findings.refuse("a latency is a whole number of its unit", (*path, "value"))
    elif unit is not None:
        findings.check("freshness", {"column": column, "max_age": f"{value} {_UNITS[unit]}"}, level.get("id"), path)
