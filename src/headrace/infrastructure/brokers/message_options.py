"""What every source of messages can be told, whatever its broker: the format, which facts become columns, and where to begin."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar

from pydantic import BeforeValidator, Field, WithJsonSchema

from headrace.business.model.plugin import Plugin
from headrace.business.streams.messages import Fact, Start
from headrace.infrastructure.formats.message_formats import MessageFormatOption

#: An option that is a text, or several.
OneOrMore = Annotated[
    tuple[str, ...],
    BeforeValidator(lambda written: (written,) if isinstance(written, str) else written),
    Field(min_length=1),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}),
]


class MessageOptions(Plugin):
    """The options that all sources of messages have."""

    bounded: ClassVar[bool] = False

    format: MessageFormatOption = Field(
        "json",
        validate_default=True,
        description="How rows are written in a message: json, ndjson, csv, avro, arrow, parquet or bytes, or one of them with options",
    )
    columns: Mapping[str, Fact] = Field(
        default_factory=dict,
        description="Further columns, by name: key, published_at, headers, partition or position of the message that a row was in",
    )
    start: Start = Field(
        "earliest",
        description="Where a partition begins that was not read before: earliest, latest, or the time of the first message that "
        "is wanted",
    )
