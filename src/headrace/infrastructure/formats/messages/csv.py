"""The format `csv`: records of delimited text, one or many in each message. Every column is text, as in a file of CSV."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import AfterValidator, Field

from headrace.business.model.schema import Schema
from headrace.business.streams.messages import Decoded, MessageReader, MessageScan, MessageWriter, Unreadable
from headrace.infrastructure.formats.messages.bodies import BodyReader, MessageFormatOptions, in_order
from headrace.infrastructure.formats.messages.csv_lines import RecordReader, Records, header_of
from headrace.infrastructure.formats.messages.csv_writing import CsvWriter
from headrace.infrastructure.formats.messages.text_columns import text_rows, text_scan

if TYPE_CHECKING:
    import pyarrow as pa


def _one_sign(text: str) -> str:
    written = {"\\t": "\t", "tab": "\t"}.get(text, text)
    if written and (len(written) != 1 or not written.isascii() or written in "\r\n\0"):
        raise ValueError("write one ASCII character, or `tab`")
    return written


Sign = Annotated[str, AfterValidator(_one_sign)]


class CsvMessages(MessageFormatOptions):
    """Records in lines. Without a header, fields are in the order of `columns`, or of the contract."""

    kind: ClassVar[str] = "csv"

    delimiter: Annotated[Sign, Field(min_length=1)] = Field(",", description="What separates fields")
    quote: Sign = Field('"', description="What encloses a field that holds delimiters or line ends; empty for none")
    header: bool = Field(False, description="Whether the first record of each message holds the names of its columns")
    columns: tuple[str, ...] = Field(
        (),
        description="What the fields are called, in their order; with a header, which columns are read beside those of the contract",
    )
    rows: int = Field(1, ge=1, description="How many rows are written into one message, at the most")

    def scan(self, declared: Schema, project: Path) -> MessageScan:  # noqa: ARG002 - nothing is read from anywhere
        fields = Schema() if self.columns and not self.header else declared
        return text_scan(self.kind, fields, self.columns)

    def reader(self, schema: Schema, project: Path) -> MessageReader:  # noqa: ARG002
        decode = _WithHeaders(self, schema) if self.header else _Headless(self, schema)
        return BodyReader(decode, self.tombstones)

    def writer(self, schema: Schema, project: Path) -> MessageWriter:  # noqa: ARG002
        return CsvWriter(schema, self.delimiter, self.quote, self.rows, header=self.header)


class _Headless:
    def __init__(self, options: CsvMessages, schema: Schema) -> None:
        self._schema = schema
        self._records = RecordReader(options.delimiter, options.quote, len(schema))

    def __call__(self, bodies: pa.Array) -> Decoded:
        found = self._records.read(bodies)
        return Decoded(text_rows(self._schema, found.columns), found.origins, found.unreadable)


class _WithHeaders:
    """Messages with the same header are read together."""

    def __init__(self, options: CsvMessages, schema: Schema) -> None:
        self._options, self._schema = options, schema

    def __call__(self, bodies: pa.Array) -> Decoded:
        import pyarrow as pa
        import pyarrow.compute as pc

        groups: dict[tuple[str, ...], list[tuple[int, bytes]]] = defaultdict(list)
        letters: list[Unreadable] = []
        for number, body in enumerate(bodies.to_pylist()):
            try:
                names, rest = header_of(body, self._options.delimiter, self._options.quote)
            except UnicodeDecodeError:
                letters.append(Unreadable(number, "utf8.invalid", "the names of its columns are no UTF-8"))
            except ValueError as error:
                letters.append(Unreadable(number, "csv.header", str(error)))
            else:
                if set(names).isdisjoint(self._schema.names):
                    letters.append(Unreadable(number, "csv.header", "its first record names none of our columns"))
                else:
                    groups[names].append((number, rest))
        read = [self._group(names, group) for names, group in groups.items()]
        letters += [bad for records in read for bad in records.unreadable]
        nothing = Records([pa.array([], pa.string()) for _ in self._schema], pa.array([], pa.int32()))
        origins = pa.concat_arrays([records.origins for records in (nothing, *read)])
        columns = [pa.concat_arrays(parts) for parts in zip(*(records.columns for records in (nothing, *read)), strict=True)]
        order = pc.sort_indices(pa.table({"origin": origins}), sort_keys=[("origin", "ascending")])
        rows = text_rows(self._schema, [column.take(order) for column in columns])
        return Decoded(rows, origins.take(order), in_order(letters))

    def _group(self, names: tuple[str, ...], group: Sequence[tuple[int, bytes]]) -> Records:
        """The columns of the schema, by their names; the letters with their header, so that they can be read by themselves."""
        import pyarrow as pa

        reader = RecordReader(self._options.delimiter, self._options.quote, len(names))
        found = reader.read(pa.array([rest for _, rest in group], pa.binary()))
        numbers = pa.array([number for number, _ in group], pa.int32())
        by_name = dict(zip(names, found.columns, strict=True))
        missing = pa.nulls(len(found.origins), pa.string())
        header = CsvWriter.header(names, self._options.delimiter, self._options.quote)
        letters = [
            Unreadable(group[bad.message][0], bad.reason, bad.detail, None if bad.part is None else header + bad.part)
            for bad in found.unreadable
        ]
        return Records([by_name.get(name, missing) for name in self._schema.names], numbers.take(found.origins), letters)
