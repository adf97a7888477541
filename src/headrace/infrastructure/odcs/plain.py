"""Parts of contracts as plain data, as they would be written: options that were given, values as YAML has them, and their YAML."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import yaml
from pydantic import BaseModel

from headrace.business.model.contract import Ruled
from headrace.business.model.types import DataType
from headrace.infrastructure.loading.scalars import resolve


def plain(value: Any) -> Any:
    """A value as YAML would hold it. Options that have their defaults are left out; a rule without a severity stands bare."""
    match value:
        case Ruled() if value.on_violation is None:
            return plain(value.is_)
        case BaseModel():
            return _options(value)
        case Mapping():
            return {key: plain(item) for key, item in value.items()}
        case list() | tuple():
            return [plain(item) for item in value]
        case DataType():
            return str(value)
        case Decimal():
            return _number(value)
        case datetime() | date() | time():
            return value.isoformat()
    return value


def bare(ruled: Any) -> Any:
    """What a rule says, whether it stands bare or with a severity."""
    return ruled["is"] if isinstance(ruled, Mapping) and "is" in ruled else ruled


def _options(model: BaseModel) -> dict[str, Any]:
    found = {}
    for name, field in type(model).model_fields.items():
        value = getattr(model, name)
        if value != field.get_default(call_default_factory=True):
            found[field.alias or name] = plain(value)
    return found


def _number(value: Decimal) -> int | float | str:
    """As a number, if that is the same number; else as text, which columns of numbers read exactly."""
    if value == value.to_integral_value():
        return int(value)
    return float(value) if Decimal(repr(float(value))) == value else str(value)


class PlainDumper(yaml.SafeDumper):
    """Writes texts in quotes where a reader of YAML might take them for something else, and repeats what it could abbreviate."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - the signature of PyYAML
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    style = '"' if not text.isprintable() else None if isinstance(resolve(text), str) else "'"
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


PlainDumper.add_representer(str, _text)
