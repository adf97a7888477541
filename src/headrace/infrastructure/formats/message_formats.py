"""Which format the messages of a source are in, by name, as an option of brokers. The formats themselves are in `formats.messages`,
loaded on use."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Annotated, Any

from pydantic import BeforeValidator, SerializeAsAny

from headrace.business.model.plugin import Plugin
from headrace.business.model.schema import did_you_mean

#: By name: the module in `formats.messages`, and the class in it. Each is a `Plugin` that keeps the port `MessageFormat`.
_CLASSES = {
    "json": "json:JsonMessages", "ndjson": "json:NdjsonMessages", "arrow": "arrow:ArrowMessages", "parquet": "parquet:ParquetMessages",
    "bytes": "bytes:BytesMessages", "csv": "csv:CsvMessages",
}  # fmt: skip


def message_format(written: Any) -> Any:
    """The format that a name means, or a name with options: `json`, `{avro: {registry: ...}}`. Raises `ValueError`."""
    if isinstance(written, Plugin):
        return written
    name, options = next(iter(written.items())) if isinstance(written, Mapping) and len(written) == 1 else (written, None)
    if name not in _CLASSES:
        raise ValueError(f"there is no format `{name}` for messages; {did_you_mean(str(name), _CLASSES)}")
    module, _, kind = _CLASSES[name].partition(":")
    model: type[Plugin] = getattr(import_module(f"headrace.infrastructure.formats.messages.{module}"), kind)
    return model.model_validate(model.written(options))


#: An option that is a format of messages.
MessageFormatOption = Annotated[SerializeAsAny[Plugin], BeforeValidator(message_format)]
