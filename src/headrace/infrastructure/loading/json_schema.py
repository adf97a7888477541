"""The JSON Schema of definitions, which gives editors completion and warnings: every plugin with its options and short forms."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import models_json_schema

from headrace.business.model.contract import Contract
from headrace.business.model.definition import Definition, Incremental, Parameter, TestDefinition
from headrace.business.model.durations import Duration
from headrace.business.model.notifications import Notification
from headrace.business.model.orchestration import Schedule, Trigger
from headrace.business.model.plugin import Plugin
from headrace.business.model.retry import Retry
from headrace.business.model.stream import StreamOptions, Watermark
from headrace.infrastructure.catalog import GROUPS, Catalog
from headrace.infrastructure.loading.levels import PART

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_REFERENCE = {
    "type": "string",
    "pattern": r"^\$\{(params|env)\.\w+\}$",
    "description": "A reference to a parameter or the environment",
}
_NAME = {"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_-]{0,62}$"}


def definition_schema(catalog: Catalog) -> dict[str, Any]:
    """The schema (Draft 2020-12) with every plugin of the catalog. Imports them all."""
    plugins = {group: {name: catalog.find(group, name) for name in catalog.names(group)} for group in GROUPS}
    models: list[Any] = [
        *(cls for found in plugins.values() for cls in found.values()),
        Contract,
        Incremental,
        Parameter,
        Retry,
        StreamOptions,
        Watermark,
        TestDefinition,
        Schedule,
        Trigger,
        Notification,
    ]
    refs, shared = models_json_schema(
        [(m, "validation") for m in dict.fromkeys(models)], by_alias=True, ref_template="#/$defs/{model}"
    )
    written: dict[Any, Any] = {model: schema for (model, _), schema in refs.items()}
    definitions = {name: _with_references(s) if name != "TestDefinition" else s for name, s in shared.get("$defs", {}).items()}
    for group, found in plugins.items():
        definitions[PART[group]] = _part(group, found, written, definitions)
    return {
        "$schema": _DIALECT,
        "title": "Headrace pipeline",
        "type": "object",
        "properties": _properties(written),
        "required": ["pipeline", "sources"],
        "additionalProperties": False,
        "$defs": {**definitions, "reference": _REFERENCE},
    }


def _properties(written: dict[Any, Any]) -> dict[str, Any]:
    fields = Definition.model_fields
    header = {
        "version": {"const": 1, "description": "The version of the language of definitions"},
        "pipeline": {"type": "string", "pattern": "^[A-Za-z][A-Za-z0-9_-]{0,62}$", "description": "The pipeline's name"},
        "description": {"type": "string"},
        "engine": {"enum": list(fields["engine"].annotation.__args__), "description": "What carries it out"},  # type: ignore[union-attr]
        "retry": {**written[Retry], "description": fields["retry"].description},
        "timeout": {**TypeAdapter(Duration).json_schema(), "description": fields["timeout"].description},
        "params": {
            "type": "object",
            "description": "Values that are given when the pipeline is run",
            "additionalProperties": {"anyOf": [written[Parameter], {"type": ["string", "number", "boolean"]}]},
        },
    }
    parts: dict[str, Any] = {
        "sources": {
            "type": "object",
            "minProperties": 1,
            "propertyNames": _NAME,
            "additionalProperties": {"$ref": "#/$defs/source"},
        }
    }
    parts |= {group: {"type": "array", "items": {"$ref": f"#/$defs/{PART[group]}"}} for group in ("steps", "checks", "sinks")}
    for group, about in (
        ("sources", "The datasets that come in, by name"),
        ("steps", "What happens to the rows, one after the other"),
        ("checks", "The audit: what must be true of the result before it is published"),
        ("sinks", "Where the result goes"),
    ):
        parts[group]["description"] = about
    tests = {"type": "array", "items": written[TestDefinition], "description": "Run by `headrace test`"}
    found = {**header, **parts, **_orchestration(written), "tests": tests}
    if unknown := set(fields) - set(found):
        raise AssertionError(f"the schema does not tell of {sorted(unknown)}")
    return found


def _orchestration(written: dict[Any, Any]) -> dict[str, Any]:
    """When it runs, and who is told."""
    number: dict[str, Any] = {"type": "integer", "minimum": 1}
    found = {
        "stream": {"description": "How a pipeline without end works", "anyOf": [{"type": "string"}, written[StreamOptions]]},
        "schedule": {"description": "When it runs by itself", "anyOf": [{"type": "string"}, written[Schedule]]},
        "triggers": {"description": "What else starts it", "type": "array", "items": written[Trigger]},
        "notify": {"description": "Who is told of what happens", "type": "array", "items": written[Notification]},
        "priority": {"description": "Which waiting run begins first: the higher one", "type": "integer"},
        "slots": {
            "description": "What a run takes of shared resources, by name",
            "type": "object",
            "additionalProperties": number,
        },
        "concurrency": {"description": "How many of its runs may go on at once", **number},
    }
    return {key: _with_references(schema) for key, schema in found.items()}


def _part(group: str, plugins: dict[str, type[Plugin]], written: dict[Any, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """An item: exactly one plugin, and what may stand beside it."""
    beside: dict[str, Any] = {
        "sources": {
            "contract": {"anyOf": [written[Contract], {"type": "string", "description": "A file that holds the contract"}]},
            "incremental": written[Incremental],
            "watermark": {"anyOf": [{"type": "string"}, written[Watermark]]},
        },
        "steps": {"name": _NAME, "from": {"type": "string", "description": "The dataset it works on, if not the one before"}},
        "checks": {"name": _NAME, "on": {"type": "string", "description": "The dataset it looks at, if not the last"}},
        "sinks": {"name": _NAME, "from": {"type": "string", "description": "The dataset it writes, if not the last"}},
    }[group]
    options = {name: _plugin(cls, written[cls], definitions) for name, cls in plugins.items()}
    return {
        "type": "object",
        "properties": {**options, **beside},
        "additionalProperties": False,
        "oneOf": [{"required": [name]} for name in plugins],
    }


def _plugin(cls: type[Plugin], reference: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """A plugin's options, or what may be written for short."""
    options = definitions[reference["$ref"].rpartition("/")[2]]
    forms: list[Any] = [reference]
    if cls.shorthand is not None:
        forms.append(options["properties"][cls.shorthand])
    if not options.get("required"):
        forms.append({"type": "null"})
    about = {"description": options["description"]} if "description" in options else {}
    return {**about, "anyOf": forms}


def _with_references(schema: Any) -> Any:
    """Options that are no text may be references to parameters all the same."""
    if isinstance(schema, list):
        return [_with_references(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    changed = {
        key: value if key in ("enum", "const", "default", "examples") else _with_references(value)
        for key, value in schema.items()
    }
    if changed.get("type") in ("integer", "number", "boolean"):
        about = {key: changed.pop(key) for key in ("title", "description", "default") if key in changed}
        return {**about, "anyOf": [changed, {"$ref": "#/$defs/reference"}]}
    return changed
