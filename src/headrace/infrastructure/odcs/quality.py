"""Entries under `quality`: which of them become rules and checks, which are notes, and which cannot be carried out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from headrace.errors import Path
from headrace.infrastructure.odcs.comparisons import OPERATORS
from headrace.infrastructure.odcs.findings import Findings
from headrace.infrastructure.odcs.metrics import Property, Rule, read_metric
from headrace.infrastructure.odcs.queries import read_query

#: The engine of rules that only we can carry out.
ENGINE = "headrace"

_ABOUT = (
    "id", "name", "description", "type", "unit", "severity", "dimension", "method", "businessImpact", "schedule", "scheduler", "tags",
    "authoritativeDefinitions", "customProperties",
)  # fmt: skip
_OF_TYPE = {
    "library": ("metric", "rule", "arguments", *OPERATORS),
    "sql": ("query", *OPERATORS),
    "text": (),
    "custom": ("engine", "implementation"),
}
_MILD = {"info", "information", "informational", "low", "minor", "warn", "warning"}
_STRICT = {"error", "critical", "blocker", "fatal", "major", "high", "medium"}


def read_quality(written: Any, path: Path, findings: Findings, column: Property | None) -> list[tuple[Path, Mapping[str, Any]]]:
    """Read the quality of a property, or of the whole object. Gives back what is written for us alone, with its path."""
    ours = []
    for where, item in findings.items(written, path):
        entry = findings.mapping(item, where)
        kind = entry.get("type", "library")
        if findings.word(kind, (*where, "type"), _OF_TYPE) is None:
            continue
        findings.mapping(entry, where, (*_ABOUT, *_OF_TYPE[kind]))
        rule = Rule(entry, where, column, _is_mild(entry, where, findings), findings)
        if entry.get("schedule") or entry.get("scheduler"):
            findings.note(f"{_called(rule)}: its schedule is left to the pipeline's")
        match kind:
            case "library":
                read_metric(rule)
            case "sql":
                read_query(rule)
            case "text":
                findings.note(f"{_called(rule)}: {entry.get('description') or 'a text without a description'}")
            case _ if entry.get("engine") == ENGINE:
                ours.append((where, entry))
            case _:
                hint = f"write it as a library metric, as `type: sql`, or as `engine: {ENGINE}`"
                findings.refuse(f"rules of the engine `{entry.get('engine')}` cannot be carried out", (*where, "engine"), hint)
    return ours


def _is_mild(entry: Mapping[str, Any], path: Path, findings: Findings) -> bool:
    severity = entry.get("severity")
    if severity is None:
        return False
    word = str(severity).lower()
    if word not in _MILD | _STRICT:
        findings.refuse(f"what severity `{severity}` asks for is not known", (*path, "severity"), "write `warning` or `error`")
    return word in _MILD


def _called(rule: Rule) -> str:
    of = f"`{rule.column.name}`" if rule.column else f"`{rule.findings.dataset}`"
    return f"quality of {of}" + (f", {rule.label}" if rule.label else "")
