"""Gathers several answers of a broker into one batch: answers that fit the processor's cache are read fastest, and large batches are
parsed fastest. Bounded by bytes as well as by number, so that large messages do not fill the memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from headrace.business.streams.messages import Messages
from headrace.errors import HeadraceError

if TYPE_CHECKING:
    import pyarrow as pa

#: How many messages are asked for at once, and how large a batch is at the most, give or take an answer.
AT_ONCE = 5_000
MOST_BYTES = 32 << 20


def gathered(take: Callable[[int], Sequence[Messages]], most: int, first: Sequence[Messages] = ()) -> Sequence[Messages]:
    """Take answers of at most so many messages until there are enough, or one gives less than was asked for. `first` is what was taken
    before. Whatever is raised where something has come already is left to be met again: what has come is given out."""
    answers = list(first)
    most -= sum(map(len, first))
    while most > 0:
        asked = min(most, AT_ONCE)
        try:
            answer = take(asked)
        except HeadraceError:
            if answers:
                break
            raise
        answers += answer
        came = sum(map(len, answer))
        most -= came
        if came < asked or sum(messages.payloads.nbytes for messages in answers) >= MOST_BYTES:
            break
    return joined(answers)


def joined(answers: Sequence[Messages]) -> Sequence[Messages]:
    """One batch of each partition."""
    by_partition: dict[str, list[Messages]] = {}
    for messages in answers:
        by_partition.setdefault(messages.partition, []).append(messages)
    return [parts[0] if len(parts) == 1 else _joined(partition, parts) for partition, parts in by_partition.items()]


def _joined(partition: str, parts: Sequence[Messages]) -> Messages:
    import pyarrow as pa

    payloads: list[Any] = [part.payloads for part in parts]
    if sum(array.nbytes for array in payloads) >= 1 << 31 or any(array.type == pa.large_binary() for array in payloads):
        payloads = [array.cast(pa.large_binary()) for array in payloads]

    return Messages(
        partition,
        pa.concat_arrays(payloads),
        pa.concat_arrays([part.positions for part in parts]),
        parts[-1].last,
        keys=_facts(parts, [part.keys for part in parts]),
        published_at=_facts(parts, [part.published_at for part in parts]),
        headers=_facts(parts, [part.headers for part in parts]),
    )


def _facts(parts: Sequence[Messages], arrays: Sequence[pa.Array | None]) -> pa.Array | None:
    """One array; null where an answer had none of these facts, None when no answer had."""
    import pyarrow as pa

    there = [array for array in arrays if array is not None]
    if not there:
        return None
    return pa.concat_arrays(
        [pa.nulls(len(part), there[0].type) if array is None else array for part, array in zip(parts, arrays, strict=True)]
    )
