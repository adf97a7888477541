"""What comes by one subscription, column by column from the first byte on, and as messages of JetStream. Not how it comes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from headrace.business.ports import Position
from headrace.business.streams.messages import Messages
from headrace.infrastructure.brokers.message_columns import binary, headers_of

#: Words of the subject by which a delivery is acknowledged, and where among them stand how often it was delivered, its sequence in the
#: stream and its time in nanoseconds: `$JS.ACK.<stream>.<consumer>.<deliveries>.<sequence>...`; behind `ACK` newer servers may say
#: domain and account.
_SHORT, _DELIVERIES, _SEQUENCE, _TIME, _DOMAIN = 9, 4, 5, 7, 2


class Deliveries:
    """Messages in their order: four lists of one length."""

    __slots__ = ("headers", "payloads", "replies", "subjects")

    def __init__(self) -> None:
        self.subjects: list[bytes] = []
        self.replies: list[bytes] = []
        self.headers: list[bytes | None] = []
        self.payloads: list[bytes] = []

    def __len__(self) -> int:
        return len(self.payloads)

    def size(self) -> int:
        """In bytes of payload."""
        return sum(map(len, self.payloads))

    def extend(self, more: Deliveries) -> None:
        for name in self.__slots__:
            getattr(self, name).extend(getattr(more, name))

    def take(self, most: int) -> Deliveries:
        """The first of them, which are not among these any more."""
        taken = Deliveries()
        for name in self.__slots__:
            every = getattr(self, name)
            getattr(taken, name).extend(every[:most])
            del every[:most]
        return taken

    def pick(self, numbers: list[int]) -> Deliveries:
        """These of them, in this order."""
        picked = Deliveries()
        for name in self.__slots__:
            every = getattr(self, name)
            getattr(picked, name).extend([every[n] for n in numbers])
        return picked

    def statuses(self) -> dict[int, bytes]:
        """Those that the server says by headers alone, by their number: what it says behind `NATS/1.0 `."""
        if self.headers.count(None) == len(self.headers):
            return {}
        return {
            n: headers[9:]
            for n, headers in enumerate(self.headers)
            if headers is not None and not self.payloads[n] and headers.startswith(b"NATS/1.0 ")
        }

    def sequences(self) -> list[int]:
        return [int(words[_SEQUENCE + _shift(words)]) for words in (reply.split(b".") for reply in self.replies)]

    def repeated(self) -> bool:
        """Whether one of them was delivered before."""
        split = (reply.split(b".") for reply in self.replies)
        return any(words[_DELIVERIES + _shift(words)] != b"1" for words in split)

    def messages(self, partition: str, last: str | None = None) -> Messages:
        """As messages of a partition. `last` is the position behind them where that is not the sequence of the last one."""
        import pyarrow as pa
        import pyarrow.compute as pc

        words = pc.split_pattern(pa.array(self.replies, pa.binary()).cast(pa.string()), ".")
        shift = _shift(self.replies[0].split(b"."))
        sequences = pc.list_element(words, _SEQUENCE + shift).cast(pa.int64())
        times = pc.divide(pc.list_element(words, _TIME + shift).cast(pa.int64()), 1000)
        return Messages(
            partition,
            binary(self.payloads),
            sequences,
            Position(last or str(sequences[-1].as_py())),
            keys=pa.array(self.subjects, pa.binary()),
            published_at=times.cast(pa.timestamp("us", "UTC")),
            headers=_headers(self.headers),
        )


def _headers(blocks: list[bytes | None]) -> Any:
    """Names and values of each message, as a map; None when no message has any."""
    if blocks.count(None) == len(blocks):
        return None
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        lines = pc.split_pattern(pa.array(blocks, pa.binary()), b"\r\n")
        # A block is its version, its headers, and two empty lines; nothing but a header has a colon.
        counts = pc.fill_null(pc.subtract(pc.list_value_length(lines), 3), 0)
        offsets = pa.concat_arrays([pa.array([0], pa.int32()), pc.cumulative_sum(counts).cast(pa.int32())])
        flat = lines.flatten()
        parts = pc.split_pattern(flat.filter(pc.match_substring(flat, b": ")), b": ", max_splits=1)
        names, values = (pc.list_element(parts, n) for n in range(2))
        spaced = pc.or_(pc.starts_with(values, b" "), pc.ends_with(values, b" "))
        if offsets[-1].as_py() == len(parts) and not pc.any(spaced).as_py():
            return pa.MapArray.from_arrays(offsets, names.cast(pa.string()), values)
    except pa.ArrowInvalid:
        pass  # a name that is no UTF-8
    # Somebody wrote them in another way.
    return headers_of([None if block is None else list(header_lines(block)) for block in blocks])


def header_lines(block: bytes) -> Iterator[tuple[str, bytes]]:
    """Names and values, in order."""
    for line in block.split(b"\r\n")[1:]:
        name, colon, value = line.partition(b":")
        if colon:
            yield name.decode("utf-8", "replace"), value.strip()


def _shift(words: list[bytes]) -> int:
    return 0 if len(words) == _SHORT else _DOMAIN
