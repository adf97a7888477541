"""The ports of messages: where they come from, and how rows are written in them. Not what becomes of the rows.

Messages are columns from the first byte on: nothing here is done message by message, except to messages that cannot be read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, runtime_checkable

from headrace.business.model.schema import Schema
from headrace.business.ports import Position, Scan
from headrace.records import record

if TYPE_CHECKING:
    import pyarrow as pa

#: Where a partition is begun of which no position is known: with its first message, behind its last, or with the first at that time.
Start = Literal["earliest", "latest"] | datetime

#: What is known of a message beside what it holds, and can be had as a column.
Fact = Literal["key", "key_bytes", "published_at", "headers", "partition", "position"]


@record
class Messages:
    """Some messages of one partition in their order, as arrays of one length."""

    partition: str
    payloads: pa.Array
    """`binary` or `large_binary`; null for a message without a body, which some brokers have for "this key is gone"."""
    positions: pa.Array
    """Where each stands: `int64` or `string`, for people and for replay; as text it is a `Position` to go on behind it. Of a source
    that cannot be read again, what its broker calls the message."""
    last: Position
    """`feed(after={partition: last})` goes on behind the last of them."""
    keys: pa.Array | None = None
    """`binary`, null where a message has none; None when the source has no keys."""
    published_at: pa.Array | None = None
    """`timestamp('us', 'UTC')`, by the broker or by who published; None when the source does not know."""
    headers: pa.Array | None = None
    """`map<string, binary>`; None when the source has none."""

    def __len__(self) -> int:
        return len(self.payloads)


class Feed(Protocol):
    """An open subscription to a source of messages, used by one thread at a time. Leaving it without `close` loses nothing."""

    def partitions(self) -> Sequence[str]:
        """Those that come to this feed now. They may change from one `poll` to the next, when partitions are added or shared anew."""
        ...

    def poll(self, most: int, wait_seconds: float) -> Sequence[Messages]:
        """What has come, of each partition in its order: about `most` messages at the most, and nothing after `wait_seconds` without
        any. Returns as soon as there is something. Raises `RetryableError` when the broker is away; to poll again reconnects, and
        goes on behind what was given out last."""
        ...

    def acknowledge(self, positions: Mapping[str, Position]) -> None:
        """All up to these positions is dealt with for good, and the broker may forget it. Called behind every checkpoint, with
        positions that `Messages.last` has given; twice is harmless."""
        ...

    def lag(self) -> Mapping[str, int | None]:
        """How many messages wait behind what was given out, of each partition; None where the broker cannot say. Asked about once
        a second."""
        ...

    @property
    def exhausted(self) -> bool:
        """Whether nothing can come any more: true at the end of a source that is told to end, such as a finite file."""
        ...

    def close(self) -> None: ...


@record
class Sharing:
    """How the partitions of a stream are shared out: to the workers of one pipeline, of which this is one."""

    group: str
    member: int = 0
    members: int = 1

    def mine(self, partition: int) -> bool:
        """For brokers that do not share out partitions themselves: whether the partition of this number is this member's."""
        return partition % self.members == self.member


@runtime_checkable
class MessageSource(Protocol):
    """A source that does not end: its rows come as messages. A plugin like any source, with the options `format`, `columns` and `start`.

    `scan` says which columns its messages have, as far as the contract does not, and contacts nobody. `feed` contacts the broker; it
    raises `NonRetryableError` for what no waiting mends: no such topic, wrong password, a position that the broker has dropped.
    """

    bounded: ClassVar[bool]
    """False."""
    format: MessageFormat
    columns: Mapping[str, Fact]
    """Further columns of its rows, by name: facts about the message that a row was in."""

    @property
    def replayable(self) -> bool:
        """Whether messages can be read again from any position, until they are too old. If not, the broker sends again what was not
        acknowledged, and one message may come twice."""
        ...

    def durability(self) -> Sequence[str]:
        """What the broker itself may lose or double, as it is set up or by default, in sentences for people."""
        ...

    def feed(self, project: Path, sharing: Sharing, after: Mapping[str, Position], start: Start | None = None) -> Feed:
        """Go on behind these positions; partitions without one begin at `start`, or where the options say."""
        ...


@record
class MessageScan(Scan):
    """What comes of a source of messages, for the plan: the columns that the format finds in them, then the facts asked for.

    Where the format is text, its columns are text, to be cast with a verdict for each cell, as those of a file of that format are.
    """

    bounded: ClassVar[bool] = False
    origin: str = ""


# What is in them -----------------------------------------------------------------------------------------------------


@record
class Unreadable:
    """A message that holds no rows, or a part of one: its number among the messages, and why."""

    message: int
    reason: str
    """A word such as `json.invalid`, which stays the same, for rules and counts."""
    detail: str
    """What is wrong with this one, for people."""
    part: bytes | None = None
    """What cannot be read of a message whose other rows can: a line of a block, a row of an Arrow block. A message of the same format by
    itself, so that it can be read again alone. None when it is the whole message."""


@record
class Decoded:
    """The rows of some messages."""

    rows: pa.RecordBatch
    """With the columns of the reader's schema, in order."""
    origins: pa.Array | None = None
    """`int32`: for each row the number of its message. None when every message holds one row, in order."""
    unreadable: Sequence[Unreadable] = ()
    """Messages, and parts of messages, that hold no readable rows."""


class MessageReader(Protocol):
    """Reads rows out of messages. Made once for a stream; keeps what it learns, such as the schemas of a registry.

    `read` never raises for what a message holds. Raises `RetryableError` when a registry that it has to ask is away.
    """

    def read(self, messages: Messages) -> Decoded: ...


class MessageWriter(Protocol):
    """Writes rows into messages: one for each row, or as many as the format puts into one."""

    def write(self, rows: pa.RecordBatch) -> pa.Array:
        """The payloads, as `binary`."""
        ...


@runtime_checkable
class MessageFormat(Protocol):
    """How rows are written in messages: a plugin in the group `headrace.messages`, such as `json`, `avro`, `arrow`.

    `declared` are the columns that the contract names, under the names that the data have, with their types (text where it gives none).
    """

    def scan(self, declared: Schema, project: Path) -> MessageScan:
        """The columns that the rows of its messages have. Raises `NonRetryableError` when that cannot be known."""
        ...

    def reader(self, schema: Schema, project: Path) -> MessageReader:
        """A reader whose rows have exactly these columns, those of `scan`."""
        ...

    def writer(self, schema: Schema, project: Path) -> MessageWriter: ...


@record
class DeadLetter:
    """A message that could not be read, whole, so that it can be read again when the reason is mended."""

    partition: str
    position: str
    reason: str
    detail: str
    payload: bytes | None
    key: bytes | None = None
    headers: Mapping[str, bytes] = field(default_factory=dict)
    published_at: datetime | None = None


def letter_as_messages(letter: DeadLetter) -> Messages:
    """The one message that a dead letter was, or was part of."""
    import pyarrow as pa

    return Messages(
        letter.partition,
        pa.array([letter.payload], pa.binary()),
        pa.array([letter.position], pa.string()),
        Position(letter.position),
        pa.array([letter.key], pa.binary()),
        pa.array([letter.published_at], pa.timestamp("us", "UTC")),
        pa.array([list(letter.headers.items())], pa.map_(pa.string(), pa.binary())),
    )


def facts(messages: Messages, fact: Fact) -> Any:
    """One fact about each message, as an array; a null where the source does not know. As text, a key that is no UTF-8 is null, too."""
    import pyarrow as pa

    match fact:
        case "key":
            return pa.nulls(len(messages), pa.string()) if messages.keys is None else _as_text(messages.keys)
        case "key_bytes":
            return pa.nulls(len(messages), pa.binary()) if messages.keys is None else messages.keys
        case "published_at":
            kind = pa.timestamp("us", "UTC")
            return pa.nulls(len(messages), kind) if messages.published_at is None else messages.published_at
        case "headers":
            kind = pa.list_(pa.struct([("key", pa.string()), ("value", pa.binary())]))
            return pa.nulls(len(messages), kind) if messages.headers is None else messages.headers.cast(kind)
        case "partition":
            return pa.repeat(messages.partition, len(messages))
        case "position":
            return messages.positions.cast(pa.string())


def _as_text(keys: Any) -> Any:
    import pyarrow as pa

    try:
        return keys.cast(pa.string())
    except pa.ArrowInvalid:
        return pa.array([_decoded(key.as_py()) for key in keys], pa.string())


def _decoded(key: bytes | None) -> str | None:
    try:
        return None if key is None else key.decode()
    except UnicodeDecodeError:
        return None
