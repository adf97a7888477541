"""Several answers of a broker make one batch of each partition, in order, and never more than fits."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pytest

from headrace.business.ports import Position
from headrace.business.streams.messages import Messages
from headrace.errors import RetryableError
from headrace.infrastructure.brokers.gathering import AT_ONCE, MOST_BYTES, gathered, joined


def answer(partition: str, first: int, count: int, keys: Sequence[bytes | None] | None = None, size: int = 1) -> Messages:
    payloads = [f"{n}".encode().rjust(size, b"0") for n in range(first, first + count)]
    return Messages(
        partition,
        pa.array(payloads, pa.binary()),
        pa.array(range(first, first + count), pa.int64()),
        Position(str(first + count - 1)),
        keys=None if keys is None else pa.array(keys, pa.binary()),
    )


def test_answers_of_a_partition_are_joined_in_their_order() -> None:
    one, other = joined([answer("a", 0, 2), answer("b", 0, 1), answer("a", 2, 2, [b"k", None])])
    assert (one.partition, one.positions.to_pylist(), one.last) == ("a", [0, 1, 2, 3], "3")
    assert one.keys.to_pylist() == [None, None, b"k", None]
    assert one.published_at is one.headers is None
    assert (other.partition, len(other)) == ("b", 1)


def test_payloads_of_both_widths_are_joined() -> None:
    wide = answer("a", 1, 1)
    wide = Messages("a", wide.payloads.cast(pa.large_binary()), wide.positions, wide.last)
    (both,) = joined([answer("a", 0, 1), wide])
    assert both.payloads.to_pylist() == [b"0", b"1"]


def test_it_is_asked_until_there_are_enough_or_there_is_no_more() -> None:
    asked: list[int] = []

    def take(count: int) -> Sequence[Messages]:
        asked.append(count)
        return [answer("a", 0, count)] if len(asked) < 3 else [answer("a", 0, 7)]

    (batch,) = gathered(take, 4 * AT_ONCE)
    assert (asked, len(batch)) == ([AT_ONCE] * 3, 2 * AT_ONCE + 7)
    asked.clear()
    assert sum(map(len, gathered(take, AT_ONCE + 5))) == AT_ONCE + 5
    assert asked == [AT_ONCE, 5]


def test_it_is_asked_no_more_when_there_are_many_bytes() -> None:
    size = MOST_BYTES // AT_ONCE
    batch = gathered(lambda count: [answer("a", 0, count, size=size)], 10 * AT_ONCE)
    assert sum(map(len, batch)) == AT_ONCE


def test_what_has_come_is_given_out_before_what_is_raised_behind_it():
    """A feed goes on behind what it has taken: to raise with that in hand would lose it."""
    came = iter([[answer("a", 0, AT_ONCE)], RetryableError("cut")])

    def take(_count):
        if isinstance(found := next(came), RetryableError):
            raise found
        return found

    assert sum(map(len, gathered(take, 4 * AT_ONCE))) == AT_ONCE
    came = iter([RetryableError("cut")])
    assert sum(map(len, gathered(take, 9, [answer("a", 0, 5)]))) == 5
    came = iter([RetryableError("cut")])
    with pytest.raises(RetryableError, match="cut"):
        gathered(take, 9)
