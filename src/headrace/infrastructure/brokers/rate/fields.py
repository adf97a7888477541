"""What the generated rows hold: each value is a function of the seed, the partition and the number of the row, so that it can be read
again from anywhere. All rows at once, by columns."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal
from zlib import crc32

from pydantic import AfterValidator, Field

from headrace.business.model.durations import Duration
from headrace.business.model.part import Model
from headrace.business.model.schema import Column, Schema
from headrace.business.model.types import DataType, Float, Integer, String, Timestamp
from headrace.records import record

if TYPE_CHECKING:
    import pyarrow as pa

_WORDS = 64
_ALPHABET = "abcdefghijklmnopqrstuvwxyz"
_SECOND = 1_000_000


class Between(Model):
    """Numbers that are equally likely: whole ones when both bounds are."""

    between: tuple[int | float, int | float] = Field(description="The lowest and the highest")


class OneOf(Model):
    """One of some texts."""

    one_of: tuple[str, ...] = Field(min_length=1, description="Texts, each as likely as any other")


class Text(Model):
    """Letters, to give a message some length."""

    text: int = Field(ge=1, le=1_000_000, description="How many letters")


class Key(Model):
    """Names such as `key-17`."""

    key: int = Field(ge=1, description="How many different ones there are")


class Disorder(Model):
    """The time of the row, at most this much earlier than in order."""

    time: Duration = Field(description="How much earlier than in order a time may be")


def _ordered(written: Between | OneOf | Text | Key | Disorder | str) -> Any:
    if isinstance(written, Between) and written.between[0] > written.between[1]:
        raise ValueError("`between` begins with the lowest")
    return written


FieldOption = Annotated[
    Literal["sequence", "time"] | Between | OneOf | Text | Key | Disorder,
    AfterValidator(_ordered),
]
COUNTER: Mapping[str, Any] = {"id": "sequence", "at": "time", "key": Key(key=1000), "value": Between(between=(0, 999))}


@record
class Pace:
    """When the rows of a partition happened: so many in a second, from a moment on."""

    begin: datetime
    per_second: float
    """Of one partition."""


@record
class Generator:
    """Makes the rows of a partition."""

    fields: Mapping[str, FieldOption]
    seed: int
    partitions: int
    pace: Pace

    @property
    def schema(self) -> Schema:
        return Schema(tuple(Column(name, _type_of(option)) for name, option in self.fields.items()))

    def rows(self, partition: int, first: int, count: int) -> pa.RecordBatch:
        """So many rows of a partition, from a number on."""
        import pyarrow as pa

        numbers = pa.array(range(first, first + count), pa.int64())
        columns = {name: self._column(name, option, partition, numbers) for name, option in self.fields.items()}
        return pa.RecordBatch.from_pydict(columns)

    def times(self, numbers: pa.Array) -> pa.Array:
        """When rows of these numbers happened, in order."""
        import pyarrow as pa
        import pyarrow.compute as pc

        begin = round(self.pace.begin.timestamp() * _SECOND)
        microseconds = pc.floor(pc.multiply(numbers.cast(pa.float64()), _SECOND / self.pace.per_second)).cast(pa.int64())
        return pc.add(microseconds, begin).cast(pa.timestamp("us", "UTC"))

    def _column(self, name: str, option: FieldOption, partition: int, numbers: pa.Array) -> pa.Array:
        import pyarrow as pa
        import pyarrow.compute as pc

        match option:
            case "sequence":
                return pc.add(pc.multiply(numbers, self.partitions), partition)
            case "time":
                return self.times(numbers)
        share = _shares(numbers, crc32(f"{self.seed}/{partition}/{name}".encode()))
        match option:
            case Disorder():
                back = pc.floor(pc.multiply(share, option.time / timedelta(microseconds=1))).cast(pa.int64())
                return pc.subtract(self.times(numbers).cast(pa.int64()), back).cast(pa.timestamp("us", "UTC"))
            case Between(between=(int() as low, int() as high)):
                return pc.add(_below(share, high - low + 1), low)
            case Between(between=(low, high)):
                return pc.add(pc.multiply(share, float(high - low)), float(low))
            case OneOf():
                return pa.array(option.one_of, pa.string()).take(_below(share, len(option.one_of)))
            case Key():
                return pc.binary_join_element_wise("key-", _below(share, option.key).cast(pa.string()), "")
            case Text():
                return pa.array(_texts(option.text), pa.string()).take(_below(share, _WORDS))
        raise AssertionError(f"a field is {option}")


def _type_of(option: FieldOption) -> DataType:
    match option:
        case "sequence":
            return Integer()
        case "time" | Disorder():
            return Timestamp(zone=True)
        case Between(between=(low, high)):
            return Integer() if isinstance(low, int) and isinstance(high, int) else Float()
    return String()


def _shares(numbers: pa.Array, salt: int) -> pa.Array:
    """For each number one in [0, 1) that looks like chance: splitmix64 (Steele, Lea, Flood 2014), as a hash of number and salt."""
    import pyarrow as pa
    import pyarrow.compute as pc

    def word(value: int) -> pa.Scalar:
        return pa.scalar(value & 0xFFFF_FFFF_FFFF_FFFF, pa.uint64())

    mixed = pc.add(pc.multiply(numbers.cast(pa.uint64()), word(0x9E37_79B9_7F4A_7C15)), word(salt * 0xD134_2543_DE82_EF95))
    for shift, factor in ((30, 0xBF58_476D_1CE4_E5B9), (27, 0x94D0_49BB_1331_11EB)):
        mixed = pc.multiply(pc.bit_wise_xor(mixed, pc.shift_right(mixed, word(shift))), word(factor))
    mixed = pc.bit_wise_xor(mixed, pc.shift_right(mixed, word(31)))
    return pc.multiply(pc.shift_right(mixed, word(11)).cast(pa.float64()), 2.0**-53)


def _below(shares: pa.Array, count: int) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    return pc.floor(pc.multiply(shares, float(count))).cast(pa.int64())


def _texts(length: int) -> list[str]:
    """Some texts of this length, of which no two begin alike."""
    turned = [_ALPHABET[n % 26 :] + _ALPHABET[: n % 26] for n in range(_WORDS)]
    return [(f"{_ALPHABET[n // 26]}{letters}" * (length // 27 + 1))[:length] for n, letters in enumerate(turned)]
