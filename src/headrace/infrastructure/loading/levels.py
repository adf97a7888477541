"""Which key belongs where in a definition: for a key that is unknown where it stands, what its author may have meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from headrace.business.model.contract import ColumnContract, Contract, DatasetRule
from headrace.business.model.definition import Definition
from headrace.business.model.notifications import Notification
from headrace.business.model.orchestration import Schedule
from headrace.business.model.retry import Retry
from headrace.business.model.schema import did_you_mean, suggest
from headrace.errors import Path
from headrace.infrastructure.catalog import Catalog
from headrace.infrastructure.loading.shapes import keys_of

#: What may stand beside the plugin's name in the parts of a definition.
BESIDE: dict[str, tuple[str, ...]] = {
    "sources": ("contract", "incremental", "watermark"),
    "steps": ("name", "from"),
    "checks": ("name", "on"),
    "sinks": ("name", "from"),
}
#: A part of each group, in a word.
PART = {"sources": "source", "steps": "step", "checks": "check", "sinks": "sink"}

#: Other tools' words for ours.
_FOREIGN = {
    "not_null": "required", "nullable": "required", "mandatory": "required", "regex": "matches", "pattern": "matches",
    "min": "at_least", "minimum": "at_least", "max": "at_most", "maximum": "at_most", "enum": "in", "values": "in",
    "accepted_values": "in", "allowed": "in", "range": "between", "primary_key": "key", "dtype": "type", "data_type": "type",
    "null_values": "nulls", "na_values": "nulls", "foreign_key": "references", "on_error": "on_violation", "transforms": "steps",
    "transformations": "steps", "inputs": "sources", "outputs": "sinks", "targets": "sinks", "destinations": "sinks",
    "expectations": "checks", "audits": "checks", "parameters": "params", "variables": "params", "input": "from", "fields": "columns",
    "schema": "contract", "severity": "on_violation", "sql": "expression", "check": "expression", "condition": "expression",
    "retries": "retry", "max_retries": "attempts", "max_attempts": "attempts", "backoff": "base_delay", "deadline": "timeout",
    "tz": "timezone", "interval": "every", "sla": "expect_within", "notifications": "notify", "alerts": "notify", "pools": "slots",
    "max_active_runs": "concurrency", "weight": "priority",
}  # fmt: skip

_SURE = 0.85
#: The keys that say when the pipeline runs and who is told.
_IN_TIME = ("schedule", "triggers", "notify")


def hint_for(key: str, path: Path, allowed: Iterable[str], catalog: Catalog) -> str:
    """What to do about a key that the mapping at `path` cannot have."""
    words = list(allowed)
    near = suggest(key, words)
    if near is not None and difflib.SequenceMatcher(None, key.lower(), near.lower()).ratio() >= _SURE:
        return f"did you mean `{near}`?"
    if place := _home(key, path):
        return f"`{key}` belongs {place}"
    if _FOREIGN.get(key) in words:
        return f"did you mean `{_FOREIGN[key]}`?"
    if near is None and (group := catalog.group_of(key)):
        return f"`{key}` is a {PART[group]}: it belongs under `{group}:`"
    return did_you_mean(key, words)


def _home(key: str, path: Path) -> str | None:
    """Where else the key would be right, the nearest place first."""
    here = _level(path)
    for level, (keys, place) in _levels(path).items():
        if level != here and key in keys:
            return place
    return None


def _levels(path: Path) -> dict[str, tuple[tuple[str, ...], str]]:
    group = str(path[0]) if path and path[0] in BESIDE else "sources"
    part = PART[group]
    beside = {"part": (BESIDE[group], f"beside the name of the {part}, not inside it")}
    if len(path) < 2 or _level(path) in ("contract", "column", "rule"):
        beside = {"part": (BESIDE[group], f"in a {part}, beside its plugin")}
    contract = {
        "contract": (keys_of(Contract), "under `contract:`"),
        "column": (
            tuple(k for k in keys_of(ColumnContract) if k not in ("source", "description")),
            "under a column: `columns: {name: {...}}`",
        ),
        "rule": (tuple(k for k in keys_of(DatasetRule) if k != "description"), "under a rule: `rules: {name: {...}}`"),
    }
    if not path:
        everywhere = tuple(key for keys in BESIDE.values() for key in keys)
        beside = {"part": (everywhere, "in a source, step, check or sink, beside its plugin")}
    top = {
        "top": (tuple(k for k in keys_of(Definition) if k not in ("description", "version")), "at the top level, not indented")
    }
    top |= {"retry": (keys_of(Retry), "under `retry:`, at the top level")}
    in_time = {
        "schedule": (tuple(k for k in keys_of(Schedule) if k not in ("start", "end", "params")), "under `schedule:`"),
        "notify": (tuple(k for k in keys_of(Notification) if k not in ("name", "on", "after")), "in an item of `notify:`"),
    }
    if path and path[0] in _IN_TIME:
        return {**in_time, **top}
    if group == "sources" and len(path) != 1:
        return {**contract, **beside, **top, **in_time}
    return {**beside, **top, **contract, **in_time}


def _level(path: Path) -> str:
    if not path:
        return "top"
    if path == ("retry",):
        return "retry"
    if path[0] in _IN_TIME:
        return str(path[0])
    if path[0] == "sources" and "contract" in path[2:]:
        inside = path[path.index("contract") + 1 :]
        return {"columns": "column", "rules": "rule"}.get(str(inside[0]), "contract") if inside else "contract"
    return "part" if len(path) == 2 else "options"
