"""Avro object container files, read by fastavro into Arrow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar

from headrace.business.model.part import Model
from headrace.business.ports import ArrowFileScan, InputFile
from headrace.errors import NonRetryableError
from headrace.infrastructure.formats.arrow_union import needs_pyarrow, union_scan

if TYPE_CHECKING:
    import pyarrow as pa

_BATCH_ROWS = 10_000

#: Deeper types are refused: nobody reads a table of them, and a recursive one would never end.
_DEEPEST = 50


class Avro(Model):
    """Avro."""

    suffixes: ClassVar[tuple[str, ...]] = (".avro",)

    def scan(self, files: Sequence[InputFile]) -> ArrowFileScan:
        needs_pyarrow("Avro files", "avro", "fastavro")
        return union_scan(files, schema_of, batches_of)


def schema_of(file: InputFile) -> pa.Schema:
    with _reader(file.path) as reader:
        return arrow_schema(reader.writer_schema, file.path)


def begins(path: str) -> bool:
    """Whether the start of a file, which may be all that is here, tells its columns: its header does, if it is whole."""
    needs_pyarrow("Avro files", "avro", "fastavro")
    try:
        with _reader(path) as reader:
            return reader.writer_schema is not None
    except NonRetryableError:
        return False


def batches_of(file: InputFile) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    with _reader(file.path) as reader:
        schema = arrow_schema(reader.writer_schema, file.path)
        while rows := list(islice(reader, _BATCH_ROWS)):
            yield pa.RecordBatch.from_pylist(rows, schema=schema)


@contextmanager
def _reader(path: str) -> Iterator[Any]:
    import fastavro
    import pyarrow as pa

    with open(path, "rb") as file:  # noqa: PTH123 - a path may hold any character
        try:
            yield fastavro.reader(file)
        except NonRetryableError:
            raise
        except (
            ValueError,
            EOFError,
            IndexError,
            KeyError,
            TypeError,
            OverflowError,
            RecursionError,
            StopIteration,
            pa.ArrowException,
        ) as error:
            said = str(error) or type(error).__name__
            raise NonRetryableError(
                f"`{path}` cannot be read as Avro: {said}", hint="see that it is a whole Avro file"
            ) from error


def arrow_schema(schema: Any, path: str) -> pa.Schema:
    """The Arrow schema of an Avro record."""
    import pyarrow as pa

    if not isinstance(schema, Mapping) or schema.get("type") != "record":
        raise NonRetryableError(f"`{path}` holds no records", hint="an Avro file is read when its top level is a record")
    translation = _Translation(path, {schema["name"]: schema})
    return pa.schema([pa.field(field["name"], translation.arrow(field["type"], 0)) for field in schema["fields"]])


class _Translation:
    """Avro's types as Arrow's, with the named ones as they were defined."""

    def __init__(self, path: str, named: dict[str, Any]) -> None:
        self.path, self.named = path, named

    def arrow(self, kind: Any, depth: int) -> pa.DataType:
        import pyarrow as pa

        if depth > _DEEPEST:
            self._refuse("its types are nested too deep, or contain themselves")
        if isinstance(kind, list):
            return self._union(kind, depth)
        if isinstance(kind, str):
            return self._word(kind, depth)
        if logical := self._logical(kind):
            return logical
        match kind["type"]:
            case "array":
                return pa.list_(self.arrow(kind["items"], depth + 1))
            case "map":
                return pa.map_(pa.string(), self.arrow(kind["values"], depth + 1))
            case "record":
                self.named[kind["name"]] = kind
                return pa.struct([pa.field(f["name"], self.arrow(f["type"], depth + 1)) for f in kind["fields"]])
            case "enum":
                self.named[kind["name"]] = "string"
                return pa.string()
            case "fixed":
                self.named[kind["name"]] = kind
                return pa.binary(kind["size"])
            case simple:
                return self.arrow(simple, depth + 1)

    def _union(self, kinds: list[Any], depth: int) -> pa.DataType:
        import pyarrow as pa

        others = [kind for kind in kinds if kind != "null"]
        if len(others) > 1:
            self._refuse(
                f"a column may be one of several types ({', '.join(str(k) if isinstance(k, str) else str(k.get('type')) for k in others)})"
            )
        return self.arrow(others[0], depth) if others else pa.null()

    def _word(self, word: str, depth: int) -> pa.DataType:
        import pyarrow as pa

        plain = {
            "null": pa.null(), "boolean": pa.bool_(), "int": pa.int32(), "long": pa.int64(), "float": pa.float32(), "double": pa.float64(),
            "bytes": pa.binary(), "string": pa.string(),
        }  # fmt: skip
        if word in plain:
            return plain[word]
        if word not in self.named:
            self._refuse(f"its type `{word}` is not defined")
        return self.arrow(self.named[word], depth + 1)

    def _logical(self, kind: Mapping[str, Any]) -> pa.DataType | None:
        import pyarrow as pa

        match kind.get("logicalType"):
            case "decimal":
                return pa.decimal128(kind["precision"], kind.get("scale", 0))
            case "date":
                return pa.date32()
            case "time-millis" | "time-micros":
                return pa.time64("us")
            case "timestamp-millis" | "timestamp-micros" | "timestamp-nanos":
                return pa.timestamp("us", "UTC")
            case "local-timestamp-millis" | "local-timestamp-micros":
                return pa.timestamp("us")
            case "uuid":
                return pa.string()
            case _:
                return None

    def _refuse(self, why: str) -> None:
        raise NonRetryableError(f"`{self.path}` cannot be read: {why}", hint="convert it with Avro's own tools first")
