"""Which format the messages of a source are in, by name, as an option of brokers. The formats themselves are in `formats.messages`,
loaded on use."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, SerializationInfo, ValidationError, WithJsonSchema

from headrace.business.model.plugin import Plugin
from headrace.business.model.schema import did_you_mean

#: By name: the module in `formats.messages`, and the class in it. Each is a `Plugin` that keeps the port `MessageFormat`.
_CLASSES = {
    "json": "json:JsonMessages", "ndjson": "json:NdjsonMessages", "arrow": "arrow:ArrowMessages", "parquet": "parquet:ParquetMessages",
    "bytes": "bytes:BytesMessages", "csv": "csv:CsvMessages", "avro": "avro:AvroMessages",
}  # fmt: skip

#: Their names.
FORMATS = tuple(_CLASSES)


def message_format(written: Any) -> Any:
    """The format that a name means, or a name with options: `json`, `{avro: {registry: ...}}`. Raises `ValueError`."""
    if isinstance(written, Plugin):
        return written
    name, options = named_with_options(written) or (_first(written), None)
    if not isinstance(name, str) or name not in _CLASSES:
        raise ValueError(f"there is no format `{name}` for messages; {did_you_mean(str(name), _CLASSES)}")
    model = format_class(name)
    try:
        return model.model_validate(model.written(options))
    except ValidationError as error:
        raise ValueError(_said(name, model, error)) from None


def _said(name: str, model: type[Plugin], error: ValidationError) -> str:
    """What is wrong with the options of a format, the first thing first."""
    first = error.errors()[0]
    option = str(first["loc"][0]) if first["loc"] else None
    if option is None:
        return f"{name}: {first['msg'].removeprefix('Value error, ')}"
    if first["type"] == "extra_forbidden":
        options = [field.alias or key for key, field in model.model_fields.items()]
        return f"`{option}` means nothing for the format {name}; {did_you_mean(option, options)}"
    return f"`{option}` of the format {name}: {first['msg'].removeprefix('Value error, ')}"


def _first(written: Any) -> Any:
    return next(iter(written)) if isinstance(written, Mapping) and len(written) == 1 else written


def named_with_options(written: Any) -> tuple[str, Any] | None:
    """The name and the options of a format that is written with options; None when it is not, or there is none of that name."""
    if not isinstance(written, Mapping) or len(written) != 1:
        return None
    name, options = next(iter(written.items()))
    return (name, options) if name in _CLASSES else None


def format_class(name: str) -> type[Plugin]:
    """The plugin of a format that there is."""
    module, _, kind = _CLASSES[name].partition(":")
    found: type[Plugin] = getattr(import_module(f"headrace.infrastructure.formats.messages.{module}"), kind)
    return found


def _written(plugin: Plugin, info: SerializationInfo) -> Any:
    """As it stands in a definition: the name, and the options that are not as they would be anyway."""
    options = plugin.model_dump(mode=info.mode, by_alias=True, exclude_defaults=True)
    return {plugin.kind: options} if options else plugin.kind


_WRITTEN = {
    "anyOf": [
        {"enum": list(FORMATS)},
        {
            "type": "object",
            "minProperties": 1,
            "maxProperties": 1,
            "properties": {name: {"type": ["object", "string", "null"]} for name in FORMATS},
            "additionalProperties": False,
        },
    ]
}

#: An option that is a format of messages.
MessageFormatOption = Annotated[Plugin, BeforeValidator(message_format), PlainSerializer(_written), WithJsonSchema(_WRITTEN)]
