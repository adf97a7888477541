"""How portions and the words about them travel between the workers of a stream: a heading in JSON, and tables as Arrow streams behind it.

Nothing that is read here is carried out: there are no pickled objects in it.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from headrace.application.streams.portions import Portion
from headrace.business.engine import RuleCount
from headrace.business.ports import Position
from headrace.business.streams.engine import Arrived, Fed, Judged, Worked
from headrace.business.streams.messages import DeadLetter
from headrace.business.streams.watermarks import Woken
from headrace.records import record

if TYPE_CHECKING:
    import pyarrow as pa

#: How many bytes say how long the heading is.
_LENGTH = 8
#: The column of positions beside rows as they came.
_POSITION = "#position"


@record
class Word:
    """Something that one worker of a stream says to another."""

    about: str
    """Which of the words it is, such as `portion` or `share`."""
    generation: int
    """Which sharing out of the partitions it belongs to."""
    data: Mapping[str, Any]
    tables: Sequence[pa.Table] = ()


def written(word: Word) -> bytes:
    """A word as one message."""
    tables = [_stream(table) for table in word.tables]
    heading = {
        "about": word.about,
        "generation": word.generation,
        "data": word.data,
        "tables": [len(table) for table in tables],
    }
    text = json.dumps(heading).encode()
    return b"".join([len(text).to_bytes(_LENGTH, "big"), text, *tables])


def read(message: bytes) -> Word:
    """The word that a message is."""
    import pyarrow as pa

    behind = _LENGTH + int.from_bytes(message[:_LENGTH], "big")
    heading = json.loads(message[_LENGTH:behind])
    whole, tables = pa.py_buffer(message), []
    for length in heading["tables"]:
        tables.append(pa.ipc.open_stream(whole.slice(behind, length)).read_all())
        behind += length
    return Word(heading["about"], heading["generation"], heading["data"], tables)


def word_of(portion: Portion, generation: int) -> Word:
    """A portion as a word."""
    tables: list[pa.Table] = []

    def kept(table: pa.Table | None) -> int | None:
        if table is None:
            return None
        tables.append(table)
        return len(tables) - 1

    worked = portion.worked
    data: dict[str, Any] = {
        "source": portion.source,
        "partition": portion.partition,
        "last": portion.last,
        "messages": portion.messages,
        "bytes": portion.bytes,
        "dead": [_letter(dead) for dead in portion.dead],
        "woken": None if portion.woken is None else asdict(portion.woken),
        "arrived": None if portion.arrived is None else kept(_with_positions(portion.arrived)),
        "worked": None
        if worked is None
        else {
            "judged": {**_counts(worked.judged), "held": kept(worked.judged.held)},
            "published": {name: kept(rows) for name, rows in worked.published.items()},
            "fed": [{"step": f.step, "side": f.side, "rows": kept(f.rows), "late": kept(f.late)} for f in worked.fed],
        },
    }
    return Word("portion", generation, data, tables)


def portion_of(word: Word) -> Portion:
    """The portion that a word tells of."""
    data = dict(word.data)
    worked, arrived, woken = data.pop("worked"), data.pop("arrived"), data.pop("woken")
    dead = tuple(_letter_of(letter) for letter in data.pop("dead"))
    last = data.pop("last")
    return Portion(
        **data,
        last=None if last is None else Position(last),
        dead=dead,
        woken=None if woken is None else Woken(**woken),
        arrived=None if arrived is None else _arrived(data["source"], data["partition"], word.tables[arrived]),
        worked=None if worked is None else _worked(worked, word.tables),
    )


def _worked(data: Mapping[str, Any], tables: Sequence[pa.Table]) -> Worked:
    def table(number: int | None) -> pa.Table | None:
        return None if number is None else tables[number]

    counts = data["judged"]
    rules = tuple(RuleCount(**{**rule, "columns": tuple(rule["columns"])}) for rule in counts["rules"])
    judged = Judged(**{**counts, "rules": rules, "held": table(counts["held"])})
    published = {name: tables[number] for name, number in data["published"].items()}
    fed = [Fed(f["step"], f["side"], tables[f["rows"]], table(f["late"])) for f in data["fed"]]
    return Worked(judged, published, fed)


def _with_positions(arrived: Arrived) -> pa.Table:
    import pyarrow as pa

    return pa.Table.from_batches([arrived.rows.append_column(_POSITION, arrived.positions)])


def _arrived(source: str, partition: str, table: pa.Table) -> Arrived:
    """Rows as they came. How far event time has come, whoever works on them knows."""
    (rows,) = table.combine_chunks().to_batches()
    return Arrived(source, partition, rows.select(rows.schema.names[:-1]), rows.column(rows.num_columns - 1))


def _counts(judged: Judged) -> dict[str, Any]:
    return asdict(replace(judged, held=None))


def _letter(dead: DeadLetter) -> Mapping[str, Any]:
    return {
        **asdict(replace(dead, payload=None, key=None, headers={}, published_at=None)),
        "payload": _text(dead.payload),
        "key": _text(dead.key),
        "headers": {name: _text(value) for name, value in dead.headers.items()},
        "published_at": None if dead.published_at is None else dead.published_at.isoformat(),
    }


def _letter_of(data: Mapping[str, Any]) -> DeadLetter:
    at = data["published_at"]
    return DeadLetter(
        data["partition"],
        data["position"],
        data["reason"],
        data["detail"],
        _bytes(data["payload"]),
        _bytes(data["key"]),
        {name: _bytes(value) or b"" for name, value in data["headers"].items()},
        None if at is None else datetime.fromisoformat(at),
    )


def _text(value: bytes | None) -> str | None:
    return None if value is None else base64.b64encode(value).decode()


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text)


def _stream(table: pa.Table) -> bytes:
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())
