"""Decodes many Avro records of one schema at once, field by field across all of them. Not of schemas with arrays, maps or unions of
several types, which are decoded one by one (see `avro_rows`).

Each body has a cursor; a field is read at all cursors together, by NumPy. A body that ends too early, goes on behind its record, or holds
what its type does not allow, is bad by itself: its cursor stays within its own bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from headrace.records import record

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    Ints = np.ndarray[Any, np.dtype[np.int64]]
    Decoder = Callable[["Bodies", Ints], pa.Array]


class NotFlat(Exception):
    """A schema that is not decoded in columns."""


@record
class Field:
    """A field of the record: its name, and what decodes it at the cursors of some bodies."""

    name: str
    decode: Decoder


class Bodies:
    """The bytes of all bodies, how far each was read, and what is wrong with those that are bad."""

    def __init__(self, bodies: pa.Array) -> None:
        import numpy as np
        import pyarrow as pa

        _, offsets, content = bodies.buffers()
        ends = np.frombuffer(offsets, np.int32, len(bodies) + 1, bodies.offset * 4).astype(np.int64)
        self.buffer = content if content is not None and content.size else pa.py_buffer(b"\0")
        self.bytes = np.frombuffer(self.buffer, np.uint8)
        self.cursors, self.ends = ends[:-1].copy(), ends[1:]
        self.faults: dict[int, str] = {}

    def blame(self, rows: Ints, why: str) -> None:
        """These are bad; nothing more is read of them."""
        for row in rows.tolist():
            self.faults.setdefault(row, why)
        self.cursors[rows] = self.ends[rows]

    def take(self, rows: Ints, count: int | Ints, what: str) -> Ints:
        """Where the next bytes of each begin, behind which the cursors now are. Those that have not so many are bad."""
        import numpy as np

        starts, ends = self.cursors[rows], self.ends[rows]
        stops = starts + count
        short = (stops > ends) | (stops < starts)
        if short.any():
            self.blame(rows[short], f"it ends within {what}")
            starts, stops = np.where(short, ends, starts), np.where(short, ends, stops)
        self.cursors[rows] = stops
        return starts

    def gathered(self, starts: Ints, width: int) -> Any:
        """So many bytes from each start on, as rows of a matrix. Starts of bad bodies give any bytes."""
        import numpy as np

        return self.bytes[np.minimum(starts[:, None] + np.arange(width), len(self.bytes) - 1)]

    def varints(self, rows: Ints, what: str) -> Ints:
        """The next integers, which are written in as many bytes as they need, seven bits in each, the sign first."""
        import numpy as np

        found = np.zeros(len(rows), np.uint64)
        open_ = np.arange(len(rows))
        for nth in range(10):
            starts = self.take(rows[open_], 1, what)
            byte = self.bytes[np.minimum(starts, len(self.bytes) - 1)].astype(np.uint64)
            found[open_] |= (byte & np.uint64(0x7F)) << np.uint64(7 * nth)
            more = byte >= 0x80
            if not more.any():
                break
            open_ = open_[more]
        else:
            self.blame(rows[open_], f"{what} is no integer of 64 bits")
        return ((found >> np.uint64(1)) ^ (~(found & np.uint64(1)) + np.uint64(1))).view(np.int64)


def fields_of(schema: Mapping[str, Any]) -> Sequence[Field]:
    """What decodes the fields of a record, in order. Raises `NotFlat`."""
    return [Field(field["name"], _decoder(field["type"], f"`{field['name']}`", {})) for field in schema["fields"]]


def decoded(bodies: pa.Array, fields: Sequence[Field]) -> tuple[dict[str, pa.Array], dict[int, str]]:
    """The columns of all bodies by their names, and what is wrong with which of them; their rows mean nothing."""
    import numpy as np

    found = Bodies(bodies)
    rows = np.arange(len(bodies))
    columns = {field.name: field.decode(found, rows) for field in fields}
    left = np.flatnonzero(found.cursors != found.ends)
    found.blame(left, "bytes follow the record")
    return columns, found.faults


# A decoder for each type -----------------------------------------------------------------------------------------------


def _decoder(kind: Any, what: str, named: dict[str, Decoder]) -> Decoder:
    if isinstance(kind, list):
        return _optional(kind, what, named)
    if isinstance(kind, str):
        return _plain(kind, what, named)
    logical = kind.get("logicalType")
    match kind["type"]:
        case "record":
            return _record(kind, what, named)
        case "enum":
            named[kind["name"]] = _enum(kind["symbols"], what)
            return named[kind["name"]]
        case "fixed":
            named[kind["name"]] = _fixed(kind["size"], what, _decimal(kind) if logical == "decimal" else None)
            return named[kind["name"]]
        case "bytes" if logical == "decimal":
            return _lengthy(what, _decimal(kind))
        case "int" | "long" if logical:
            return _moments(logical, what)
        case str() as simple if simple not in ("array", "map"):
            return _plain(simple, what, named)
    raise NotFlat(kind["type"])


def _plain(word: str, what: str, named: dict[str, Decoder]) -> Decoder:
    import numpy as np
    import pyarrow as pa

    match word:
        case "int":
            return lambda bodies, rows: _narrow(bodies, rows, bodies.varints(rows, what), what)
        case "long":
            return lambda bodies, rows: pa.array(bodies.varints(rows, what))
        case "string":
            return _lengthy(what, pa.string())
        case "bytes":
            return _lengthy(what, pa.binary())
        case "float":
            return _numbers(np.dtype("<f4"), what)
        case "double":
            return _numbers(np.dtype("<f8"), what)
        case "boolean":
            return _booleans(what)
        case "null":
            return lambda bodies, rows: pa.nulls(len(rows))  # noqa: ARG005
    if word not in named:
        raise NotFlat(word)
    return named[word]


def _narrow(bodies: Bodies, rows: Ints, found: Ints, what: str) -> pa.Array:
    import numpy as np
    import pyarrow as pa

    narrow = found.astype(np.int32)
    bodies.blame(rows[narrow != found], f"{what} is no integer of 32 bits")
    return pa.array(narrow)


def _numbers(kind: np.dtype[Any], what: str) -> Decoder:
    import numpy as np
    import pyarrow as pa

    def decode(bodies: Bodies, rows: Ints) -> pa.Array:
        gathered = bodies.gathered(bodies.take(rows, kind.itemsize, what), kind.itemsize)
        return pa.array(np.ascontiguousarray(gathered).view(kind).reshape(len(rows)))

    return decode


def _booleans(what: str) -> Decoder:
    import pyarrow as pa

    def decode(bodies: Bodies, rows: Ints) -> pa.Array:
        found = bodies.gathered(bodies.take(rows, 1, what), 1).reshape(len(rows))
        bodies.blame(rows[found > 1], f"{what} is neither true nor false")
        return pa.array(found == 1)

    return decode


def _lengthy(what: str, kind: pa.DataType) -> Decoder:
    def decode(bodies: Bodies, rows: Ints) -> pa.Array:
        lengths = bodies.varints(rows, what)
        starts = bodies.take(rows, lengths, what)
        return _values(bodies, rows, starts, bodies.cursors[rows], kind, what)

    return decode


def _fixed(size: int, what: str, decimal: pa.DataType | None) -> Decoder:
    import pyarrow as pa

    def decode(bodies: Bodies, rows: Ints) -> pa.Array:
        starts = bodies.take(rows, size, what)
        values = _values(bodies, rows, starts, starts + size, decimal or pa.binary(), what)
        return values if decimal else values.cast(pa.binary(size)) if not bodies.faults else values

    return decode


def _values(bodies: Bodies, rows: Ints, starts: Ints, stops: Ints, kind: pa.DataType, what: str) -> pa.Array:
    """The bytes between starts and stops. In memory they are every other of as many pieces, between which lies what else there is."""
    import numpy as np
    import pyarrow as pa

    if pa.types.is_decimal(kind):
        return _decimals(bodies, rows, starts, stops, kind, what)
    edges = np.empty(2 * len(rows) + 1, np.int32)
    edges[0:-1:2], edges[1::2], edges[-1] = starts, stops, stops[-1] if len(stops) else 0
    pieces = pa.Array.from_buffers(pa.binary(), 2 * len(rows), [None, pa.py_buffer(edges), bodies.buffer])
    values = pieces.take(pa.array(np.arange(0, 2 * len(rows), 2)))
    if kind == pa.binary():
        return values
    try:
        return values.cast(kind)
    except pa.ArrowInvalid:
        wrong = [number for number, value in enumerate(values.to_pylist()) if not _is_text(value)]
        bodies.blame(rows[wrong], f"{what} is no UTF-8")
        return pa.array([None if number in set(wrong) else v.decode() for number, v in enumerate(values.to_pylist())], kind)


def _is_text(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def _decimals(bodies: Bodies, rows: Ints, starts: Ints, stops: Ints, kind: pa.DataType, what: str) -> pa.Array:
    """Numbers in two's complement, the highest byte first, in as many bytes as they have; Arrow has sixteen, the lowest first."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    lengths = stops - starts
    bodies.blame(rows[(lengths > 16) | (lengths < 1)], f"{what} has more digits than {kind}")
    lengths = np.clip(lengths, 1, 16)
    first = bodies.gathered(starts, 1).reshape(len(rows))
    sign = np.where(first >= 0x80, 0xFF, 0).astype(np.uint8)
    wide = np.empty((len(rows), 16), np.uint8)
    for nth in range(16):
        byte = bodies.bytes[np.clip(starts + lengths - 1 - nth, 0, len(bodies.bytes) - 1)]
        wide[:, nth] = np.where(nth < lengths, byte, sign)
    found = pa.Array.from_buffers(pa.decimal128(38, kind.scale), len(rows), [None, pa.py_buffer(wide.tobytes())])
    if kind.precision < 38:
        largest = Decimal(10) ** (kind.precision - kind.scale)
        beyond = pc.or_(
            pc.greater_equal(found, pa.scalar(largest, found.type)), pc.less_equal(found, pa.scalar(-largest, found.type))
        )
        bodies.blame(rows[beyond.to_numpy(zero_copy_only=False)], f"{what} has more digits than {kind}")
        found = pc.if_else(beyond, pa.scalar(None, found.type), found)
    return found.cast(kind)


def _decimal(kind: Mapping[str, Any]) -> pa.DataType:
    import pyarrow as pa

    if kind["precision"] > 38:
        raise NotFlat("decimal")
    return pa.decimal128(kind["precision"], kind.get("scale", 0))


def _moments(logical: str, what: str) -> Decoder:
    import numpy as np
    import pyarrow as pa

    kinds = {
        "date": (pa.date32(), 1, 1), "time-millis": (pa.time64("us"), 1000, 1), "time-micros": (pa.time64("us"), 1, 1),
        "timestamp-millis": (pa.timestamp("us", "UTC"), 1000, 1), "timestamp-micros": (pa.timestamp("us", "UTC"), 1, 1),
        "timestamp-nanos": (pa.timestamp("us", "UTC"), 1, 1000), "local-timestamp-millis": (pa.timestamp("us"), 1000, 1),
        "local-timestamp-micros": (pa.timestamp("us"), 1, 1),
    }  # fmt: skip
    if logical not in kinds:
        return lambda bodies, rows: pa.array(bodies.varints(rows, what))
    kind, factor, divisor = kinds[logical]

    def decode(bodies: Bodies, rows: Ints) -> pa.Array:
        found = bodies.varints(rows, what)
        bodies.blame(rows[(found * factor) // factor != found], f"{what} is no moment")
        found = found * factor // divisor
        if kind == pa.date32():
            return pa.array(found.astype(np.int32)).cast(kind)
        if pa.types.is_time(kind):
            out = (found < 0) | (found >= 86_400_000_000)
            bodies.blame(rows[out], f"{what} is no time of a day")
            found = np.where(out, 0, found)
        return pa.array(found).cast(kind)

    return decode


def _enum(symbols: Sequence[str], what: str) -> Decoder:
    import numpy as np
    import pyarrow as pa

    words = pa.array(list(symbols), pa.string())

    def decode(bodies: Bodies, rows: Ints) -> pa.Array:
        found = bodies.varints(rows, what)
        odd = (found < 0) | (found >= len(words))
        bodies.blame(rows[odd], f"{what} is none of its words")
        return words.take(pa.array(np.where(odd, 0, found)))

    return decode


def _record(kind: Mapping[str, Any], what: str, named: dict[str, Decoder]) -> Decoder:
    import pyarrow as pa

    parts = [(field["name"], _decoder(field["type"], f"{what[:-1]}.{field['name']}`", named)) for field in kind["fields"]]

    def decode(bodies: Bodies, rows: Ints) -> pa.Array:
        arrays = [part(bodies, rows) for _, part in parts]
        return pa.StructArray.from_arrays(arrays, names=[name for name, _ in parts])

    named[kind["name"]] = decode
    return decode


def _optional(kinds: Sequence[Any], what: str, named: dict[str, Decoder]) -> Decoder:
    """A union of null and one other type."""
    import numpy as np
    import pyarrow as pa

    others = [kind for kind in kinds if kind != "null"]
    if len(others) != 1 or len(kinds) > 2:
        raise NotFlat("union")
    there = kinds.index(others[0])
    inner = _decoder(others[0], what, named)

    def decode(bodies: Bodies, rows: Ints) -> pa.Array:
        branch = bodies.varints(rows, what)
        bodies.blame(rows[(branch < 0) | (branch >= len(kinds))], f"{what} is of no type that it may be of")
        given = branch == there
        values = inner(bodies, rows[given])
        if given.all():
            return values
        places = np.cumsum(given) - 1
        return values.take(pa.array(places, mask=~given))

    return decode
