"""A definition back to YAML that reads as the same definition. Not the original text: references to parameters have their values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, time, timedelta
from decimal import Decimal
from pathlib import PurePath
from typing import Any

import yaml
from pydantic import BaseModel

from headrace.business.connections import Profile
from headrace.business.model.contract import Contract
from headrace.business.model.definition import Definition
from headrace.business.model.durations import format_duration
from headrace.business.model.plugin import Plugin
from headrace.errors import UsageError
from headrace.infrastructure.loading.names import completed
from headrace.infrastructure.loading.orchestration import ORCHESTRATION
from headrace.infrastructure.loading.reading import UNPRINTABLE
from headrace.infrastructure.loading.scalars import resolve
from headrace.security.secrets import Secret


def to_yaml(definition: Definition) -> str:
    """The YAML of a definition. Raises `UsageError` when a secret in it is no reference."""
    document = document_of(definition)
    text = _dump(document, unicode=True)
    return _dump(document, unicode=False) if UNPRINTABLE.search(text) else text


def document_of(definition: Definition) -> dict[str, Any]:
    """The plain data of a definition, as short as people write it."""
    sources = {
        name: {source.plugin.kind: _plugin(source.plugin), **_beside(source)} for name, source in definition.sources.items()
    }
    steps = _items(definition.steps, "from", list(sources))
    head = {"version": definition.version, "pipeline": definition.pipeline}
    left_out = ("version", "pipeline", "sources", "steps", "checks", "sinks", "tests", *ORCHESTRATION)
    rest = _options(definition, leave_out=left_out)
    if "stream" in rest:
        rest["stream"] = _short(rest["stream"], "checkpoint")
    lists = {"steps": steps, "checks": _items(definition.checks, "on", []), "sinks": _items(definition.sinks, "from", [])}
    tests = [_options(test) for test in definition.tests]
    found = {**lists, **_orchestration(definition), "tests": tests}
    return {**head, **rest, "sources": sources, **{k: v for k, v in found.items() if v}}


def _orchestration(definition: Definition) -> dict[str, Any]:
    """When it runs and who is told, for short where that reads as the same."""
    found = _escaped(_options(definition, leave_out=tuple(k for k in Definition.model_fields if k not in ORCHESTRATION)))
    if "schedule" in found:
        if "partition" in found["schedule"]:
            found["schedule"]["partition"] = _short(found["schedule"]["partition"], "param")
        found["schedule"] = _short(found["schedule"], "cron")
    given = [n.name for n in definition.notify]
    usual = completed([None] * len(given), [n.way for n in definition.notify], ())
    for item, name in zip(found.get("notify", ()), given, strict=True):
        if given == usual or name is None:
            del item["name"]
        for way, key in (("webhook", "url"), ("command", "run")):
            if way in item:
                item[way] = _short(item[way], key)
    return {key: found[key] for key in ORCHESTRATION if key in found}


def contract_document(contract: Contract) -> dict[str, Any]:
    """The plain data of a contract."""
    data = _options(contract)
    for name, column in data.get("columns", {}).items():
        data["columns"][name] = {key: _short(value, "is") for key, value in column.items()}
    if "rules" in data:
        data["rules"] = {name: _short(rule, "expression") for name, rule in data["rules"].items()}
    if "key" in data:
        data["key"] = _short(data["key"], "columns")
    return data


def _short(value: Any, key: str) -> Any:
    return value[key] if isinstance(value, dict) and set(value) == {key} else value


def _beside(source: Any) -> dict[str, Any]:
    found = {}
    if source.contract is not None:
        found["contract"] = _escaped(contract_document(source.contract))
    if source.incremental is not None:
        found["incremental"] = _options(source.incremental)
    if source.watermark is not None:
        found["watermark"] = _short(_options(source.watermark), "column")
    return found


def _items(parts: Any, key: str, taken: list[str]) -> list[dict[str, Any]]:
    """The items of a list; a name that the part would have anyway is left out."""
    kinds = [part.plugin.kind for part in parts]
    given = [
        None if part.name == usual else part.name
        for part, usual in zip(parts, completed([None] * len(kinds), kinds, taken), strict=True)
    ]
    if completed(given, kinds, taken) != [part.name for part in parts]:
        given = [part.name for part in parts]
    items = []
    for part, name in zip(parts, given, strict=True):
        dataset = part.on if key == "on" else part.from_
        beside = {k: v for k, v in (("name", name), (key, dataset)) if v is not None}
        items.append({**beside, part.plugin.kind: _plugin(part.plugin)})
    return items


def _plugin(plugin: Plugin) -> Any:
    """The options of a plugin; for short, where that reads as the same."""
    options = _escaped(_options(plugin))
    if set(options) == {plugin.shorthand}:
        short = options[plugin.shorthand]
        return short if plugin.written(short) == options else options
    return options


def _options(model: BaseModel, leave_out: tuple[str, ...] = ()) -> dict[str, Any]:
    found: dict[str, Any] = _plain(model.model_dump(by_alias=True, exclude_defaults=True, exclude=set(leave_out)))
    return found


def _plain(value: Any) -> Any:
    match value:
        case Secret() if value.reference is None:
            raise UsageError(
                "a secret stands in this pipeline in plain text, and is not written out",
                hint="refer to it: `${secret:env/NAME}` or `${secret:file/NAME}`",
            )
        case Profile():
            return value.name
        case Mapping():
            return {str(key): _plain(item) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_plain(item) for item in value]
        case date() | time():
            return value.isoformat()
        case timedelta():
            return format_duration(value)
        case Decimal():
            return float(value) if Decimal(repr(float(value))) == value else str(value)
        case PurePath():
            return str(value)
        case None | bool() | int() | float() | str() | Secret():
            return value
    raise UsageError(f"{value!r} cannot be written in YAML", hint="give it by name, as `module:function`")


def _escaped(value: Any) -> Any:
    """Texts that look like references, as the texts that they are; secrets as the references that they are."""
    if isinstance(value, Secret):
        return value.reference
    if isinstance(value, str):
        return value.replace("${", "$${")
    if isinstance(value, dict):
        return {key: _escaped(item) for key, item in value.items()}
    return [_escaped(item) for item in value] if isinstance(value, list) else value


class _Dumper(yaml.SafeDumper):
    """Writes so that our reader, which knows YAML 1.2, reads the same."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - a value that stands twice is written twice
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = None
    if "\n" in text and not re.search(r"[ \t]\n|^\s|\r", text):
        style = "|"
    elif not isinstance(resolve(text), str) or text.startswith(("<<", "=")):
        style = "'"
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def _dump(document: Any, *, unicode: bool) -> str:
    dumped: str = yaml.dump(
        document, Dumper=_Dumper, sort_keys=False, default_flow_style=None, width=120, allow_unicode=unicode
    )
    return dumped
