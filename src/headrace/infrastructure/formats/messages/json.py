"""The formats `json` and `ndjson`: an object in each message, or one in each line of it. Every column is text, as in a file of JSON."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from headrace.business.connections import Profile
from headrace.business.model.schema import Schema
from headrace.business.streams.messages import Decoded, MessageReader, MessageScan, MessageWriter, Unreadable
from headrace.errors import NonRetryableError
from headrace.infrastructure.formats.messages.bodies import BodyReader, MessageFormatOptions, in_order, renumbered, texts_of
from headrace.infrastructure.formats.messages.json_columns import JsonColumns
from headrace.infrastructure.formats.messages.json_writing import JsonWriter, block_of_lines
from headrace.infrastructure.formats.messages.registry import Registry, behind, prefixed, text_of
from headrace.infrastructure.formats.messages.registry_connection import RegistryConnection
from headrace.infrastructure.formats.messages.registry_reading import ById
from headrace.infrastructure.formats.messages.text_columns import text_rows, text_scan, text_schema

if TYPE_CHECKING:
    import pyarrow as pa

#: More bytes than a body can have.
_ALL = (1 << 31) - 1


class _JsonOptions(MessageFormatOptions):
    columns: tuple[str, ...] = Field(
        (), description="Keys to be read beside those that the contract declares; other keys are not read"
    )

    def scan(self, declared: Schema, project: Path) -> MessageScan:  # noqa: ARG002 - nothing is read from anywhere
        return text_scan(self.kind, declared, self.columns)


class JsonMessages(_JsonOptions):
    """An object in each message; with a registry, behind the number of its schema."""

    kind: ClassVar[str] = "json"

    registry: Profile[RegistryConnection] | None = Field(
        None,
        description="The connection of kind `registry` that knows the schemas; messages begin with their number there. What a row has to "
        "be like says the contract",
    )
    subject: str | None = Field(
        None, description="Under which subject the registry has the schema that is written; most use `<topic>-value`"
    )
    schema_: str | None = Field(
        None, alias="schema", description="A file with the JSON Schema that is registered, from the project's folder"
    )

    def reader(self, schema: Schema, project: Path) -> MessageReader:  # noqa: ARG002
        objects = _Objects(schema)
        if self.registry is None:
            return BodyReader(objects, self.tombstones)
        return BodyReader(ById(Registry(self.registry), "JSON", text_schema(schema), lambda _: objects), self.tombstones)

    def writer(self, schema: Schema, project: Path) -> MessageWriter:
        if self.registry is None:
            return JsonWriter(schema)
        if self.subject is None or self.schema_ is None:
            raise NonRetryableError(
                "to write with a registry, the format needs a `subject` and a `schema`",
                hint="the schema is a file of JSON Schema; most subjects are the name of the topic with `-value` behind it",
            )
        begin = prefixed(Registry(self.registry).register(self.subject, text_of(project, self.schema_), "JSON"))
        return JsonWriter(schema, lambda lines: behind(begin, lines))


class NdjsonMessages(_JsonOptions):
    """Objects in lines, any number of them in each message. Lines that are blank count for nothing."""

    kind: ClassVar[str] = "ndjson"

    rows: int = Field(1_000, ge=1, description="How many rows are written into one message, at the most")

    def reader(self, schema: Schema, project: Path) -> MessageReader:  # noqa: ARG002
        return BodyReader(_Lines(schema), self.tombstones)

    def writer(self, schema: Schema, project: Path) -> MessageWriter:  # noqa: ARG002
        return JsonWriter(schema, lambda lines: block_of_lines(lines, self.rows))


class _Objects:
    """One object in each body."""

    def __init__(self, schema: Schema) -> None:
        self._schema, self._objects = schema, JsonColumns(schema.names)

    def __call__(self, bodies: pa.Array) -> Decoded:
        texts, numbers, letters = texts_of(bodies)
        taken = self._objects.take(texts)
        faults = [Unreadable(fault.number, fault.reason, fault.detail) for fault in taken.faults]
        decoded = Decoded(text_rows(self._schema, taken.columns), taken.numbers, faults)
        if numbers is None:
            return decoded
        decoded = renumbered(decoded, numbers)
        return Decoded(decoded.rows, decoded.origins, in_order([*decoded.unreadable, *letters]))


class _Lines:
    """One object in each line of a body. A line that is none is a letter of its own, and its neighbours are read."""

    def __init__(self, schema: Schema) -> None:
        self._schema, self._objects = schema, JsonColumns(schema.names)

    def __call__(self, bodies: pa.Array) -> Decoded:
        import pyarrow.compute as pc

        split = pc.split_pattern(_without_last_ends(bodies), b"\n")
        lines, owners = pc.list_flatten(split), pc.list_parent_indices(split).cast("int32")
        filled = pc.indices_nonzero(pc.greater(pc.binary_length(lines), 0)).cast("int32")
        lines = lines.take(filled) if len(filled) < len(lines) else lines
        texts, numbers, letters = texts_of(lines)
        taken = self._objects.take(texts)
        bad = [*letters]
        for fault in taken.faults:
            number = fault.number if numbers is None else numbers[fault.number].as_py()
            bad.append(Unreadable(number, fault.reason, fault.detail))
        kept = _chain(filled, numbers, taken.numbers)
        return Decoded(text_rows(self._schema, taken.columns), owners.take(kept), self._letters(bad, lines, filled, owners))

    def _letters(self, bad: Sequence[Unreadable], lines: pa.Array, filled: pa.Array, owners: pa.Array) -> Sequence[Unreadable]:
        """The lines that are no objects, by their messages. Blank ones are not among them."""
        import pyarrow.compute as pc

        letters = []
        for one in in_order(bad):
            line = lines[one.message].as_py()
            if line.strip(b" \t\r"):
                at = filled[one.message].as_py()
                message = owners[at].as_py()
                first = pc.index(owners, message).as_py()
                letters.append(Unreadable(message, one.reason, f"line {at - first + 1}: {one.detail}", line))
        return letters


def _without_last_ends(bodies: pa.Array) -> pa.Array:
    """Without the line end behind the last line, where all have one: no blank line is left to be sorted out."""
    import pyarrow.compute as pc

    if not pc.all(pc.ends_with(bodies, b"\n"), min_count=0).as_py():
        return bodies
    return pc.binary_replace_slice(bodies, -1, _ALL, b"")


def _chain(first: pa.Array, *further: pa.Array | None) -> pa.Array:
    """What the last numbers mean, when each are numbers among those before them."""
    for numbers in further:
        first = first if numbers is None else first.take(numbers)
    return first
