"""The format `avro`: a record in each message, of a schema that is told by a file or by a schema registry."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import Field, model_validator

from headrace.business.connections import Profile
from headrace.business.model.schema import Schema
from headrace.business.streams.messages import MessageReader, MessageScan, MessageWriter
from headrace.errors import NonRetryableError
from headrace.infrastructure.foreign_types import arrow_columns, schema_of
from headrace.infrastructure.formats import avro as avro_types
from headrace.infrastructure.formats.arrow_union import needs_pyarrow
from headrace.infrastructure.formats.messages.bodies import BodyReader, Decode, MessageFormatOptions
from headrace.infrastructure.formats.messages.registry import Registered, Registry, prefixed, text_of
from headrace.infrastructure.formats.messages.registry_connection import RegistryConnection
from headrace.infrastructure.formats.messages.registry_reading import ById
from headrace.infrastructure.formats.messages.typed_columns import arrow_schema, typed_scan

if TYPE_CHECKING:
    from headrace.infrastructure.formats.messages.avro_reading import AvroRecords


class AvroMessages(MessageFormatOptions):
    """Records as Avro writes them, with no file around them; with a registry, behind the number of their schema."""

    kind: ClassVar[str] = "avro"

    schema_: str | None = Field(
        None,
        alias="schema",
        description="A file with the schema of the records, from the project's folder. With a registry, the schema as which they are "
        "read, whatever they were written with",
    )
    registry: Profile[RegistryConnection] | None = Field(
        None, description="The connection of kind `registry` that knows the schemas; messages begin with their number there"
    )
    subject: str | None = Field(
        None, description="Under which subject the registry has the schema that is written; most use `<topic>-value`"
    )

    @model_validator(mode="after")
    def _knows_schemas(self) -> Self:
        if self.schema_ is None and self.registry is None:
            raise ValueError("nothing says which schema the records have: name a file with `schema`, or a `registry`")
        if self.subject is not None and self.registry is None:
            raise ValueError("a `subject` means something to a `registry` alone")
        return self

    def scan(self, declared: Schema, project: Path) -> MessageScan:
        needs_pyarrow("messages in Avro", "avro", "fastavro")
        own = self._own_schema(project)
        if own is None:
            return typed_scan(self.kind, declared)
        columns = arrow_columns(avro_types.arrow_schema(own, self.schema_ or ""), f"`{self.schema_}`")
        return MessageScan(schema_of(columns), origin="messages in avro")

    def reader(self, schema: Schema, project: Path) -> MessageReader:
        from headrace.infrastructure.formats.messages.avro_reading import AvroRecords

        own, target = self._own_schema(project), arrow_schema(schema)
        decode: Decode
        if self.registry is None:
            decode = AvroRecords(own or {}, None, target)
        else:
            decode = ById(Registry(self.registry), "AVRO", target, lambda registered: self._records(registered, own, schema))
        return BodyReader(decode, self.tombstones)

    def writer(self, schema: Schema, project: Path) -> MessageWriter:
        from headrace.infrastructure.formats.messages import avro_writing
        from headrace.infrastructure.formats.messages.avro_reading import parsed

        own = self._own_schema(project) or parsed(avro_writing.schema_of(schema, "row"), "the schema of the columns")
        if self.registry is None:
            return avro_writing.AvroWriter(own)
        if self.subject is None:
            raise NonRetryableError(
                "to write with a registry, the format needs a `subject`",
                hint="most use the name of the topic with `-value` behind it",
            )
        text = text_of(project, self.schema_) if self.schema_ else json.dumps(avro_writing.schema_of(schema, "row"))
        return avro_writing.AvroWriter(own, prefixed(Registry(self.registry).register(self.subject, text, "AVRO")))

    def _records(self, registered: Registered, own: dict[str, Any] | None, schema: Schema) -> AvroRecords:
        from headrace.infrastructure.formats.messages.avro_reading import AvroRecords, parsed

        origin = f"schema {registered.id} of the registry"
        writer = parsed(_json(registered.text, origin), origin, [_json(text, origin) for text in registered.references])
        return AvroRecords(writer, own, arrow_schema(schema))

    def _own_schema(self, project: Path) -> dict[str, Any] | None:
        from headrace.infrastructure.formats.messages.avro_reading import parsed

        return parsed(_json(text_of(project, self.schema_), f"`{self.schema_}`"), f"`{self.schema_}`") if self.schema_ else None


def _json(text: str, origin: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise NonRetryableError(f"{origin} is no JSON: {error}") from error
