"""Takes texts that are JSON objects apart into columns of text, all at once. Not how they came, and not what their cells mean.

What comes of a text is what comes of a file that holds this line alone: scalars as text, nested values as JSON text, null for a
missing key. DuckDB takes the texts apart; those that it would merge or round are found first, and taken apart one by one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from headrace.infrastructure.duckdb_connection import connect
from headrace.infrastructure.formats.json import LONG_NUMBER
from headrace.infrastructure.formats.json_path import pointer
from headrace.infrastructure.formats.json_records import Unreadable, members
from headrace.infrastructure.formats.messages.byte_search import bytes_of, count_of, may_have_long_numbers
from headrace.infrastructure.sql_text import literal
from headrace.records import record

if TYPE_CHECKING:
    import pyarrow as pa

    from headrace.infrastructure.formats.messages.byte_search import Bytes

#: The words of `json_records`, as reasons of messages.
_REASONS = {
    "not_json": "json.invalid", "not_an_object": "json.not_an_object", "duplicate_key": "json.duplicate_key", "encoding": "utf8.invalid",
}  # fmt: skip

_BEGUN = "(starts_with(line, '{') OR starts_with(ltrim(line, chr(32) || chr(9) || chr(10) || chr(13)), '{'))"
_OBJECT = f"({_BEGUN} AND json_valid(line))"
_TWICE = "len(list_distinct(json_keys(line))) < len(json_keys(line))"

#: How it is seen that no key stands twice in a text: by the colons, when all of them are accounted for; by the number of its keys; by
#: that of those beyond the known ones.
_BY_COLONS, _BY_KEYS, _BY_KNOWN = (
    "0",
    "len(json_keys(line))",
    "len(json_keys(line)) - list_sum(json_exists(line, {known})::TINYINT[])",
)
_WAYS = (_BY_COLONS, _BY_KEYS, _BY_KNOWN)

#: How many keys beside the columns are remembered, at the most.
_MOST_KNOWN = 200

_GOOD, _BAD, _LONG_NUMBER = 0, 1, 2


@record
class Fault:
    """A text that is no row: its number, and why."""

    number: int
    reason: str
    detail: str


@record
class Taken:
    """What was taken apart: the columns, one text each, and which texts their rows are of; None when they are of all."""

    columns: Sequence[pa.Array]
    numbers: pa.Array | None = None
    """`int32`"""
    faults: Sequence[Fault] = ()


class _Texts:
    """The texts that statements read at the moment, under a name that stays."""

    def __init__(self) -> None:
        self._held: list[pa.Array] = []

    @contextmanager
    def holding(self, texts: pa.Array) -> Iterator[None]:
        self._held.append(texts)
        try:
            yield
        finally:
            self._held.pop()

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        import pyarrow as pa

        return pa.table({"line": self._held[-1] if self._held else pa.array([], pa.string())}).__arrow_c_stream__(
            requested_schema
        )


class JsonColumns:
    """Takes objects apart by these keys. Remembers which other keys there are, to see at once that none stands in a text twice."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._keys = tuple(keys)
        self._known = dict.fromkeys(keys)
        self._ways: tuple[str, ...] = _WAYS
        """Those that have not failed yet: by colons or keys when all texts so far had just these keys, and no nulls."""
        self._texts = _Texts()
        self._con = connect(threads=1)
        self._con.register("texts", self._texts)
        self._prepared: dict[str, str] = {}

    def _rows(self, sql: str) -> pa.Table:
        """What a statement on the texts gives, which is prepared once: to plan it takes longer than to carry it out for some texts."""
        if sql not in self._prepared:
            name = f"statement_{len(self._prepared)}"
            self._con.execute(f"PREPARE {name} AS {sql}")
            self._prepared[sql] = name
        return self._con.prepared_table(f"EXECUTE {self._prepared[sql]}")

    def take(self, texts: pa.Array) -> Taken:
        """Of texts (`string`, none null)."""
        import pyarrow as pa

        if not len(texts):
            return Taken([pa.array([], pa.string()) for _ in self._keys])
        content = bytes_of(texts)
        with self._texts.holding(texts):
            columns = None if self._has_long_numbers(content) else self._all_at_once(texts, content)
            return Taken(columns) if columns is not None else self._carefully(texts)

    # When nothing is wrong ----------------------------------------------------------------------------------------------

    def _all_at_once(self, texts: pa.Array, content: Bytes) -> Sequence[pa.Array] | None:
        """The columns, when each text is an object in which no key stands twice; else None."""
        import duckdb
        import pyarrow.compute as pc

        begun = "true" if pc.all(pc.starts_with(texts, "{")).as_py() else _BEGUN
        for way in (
            self._ways[1:] if self._ways[0] == _BY_COLONS and count_of("\\", content) else self._ways
        ):  # a colon may be escaped
            try:
                columns, doubts = self._extracted(begun, way)
            except duckdb.InvalidInputException:  # one of them is no JSON
                return None
            if len(doubts) < len(texts):
                return None
            if _accounted_for(way, columns, doubts, content):
                return columns
            self._ways = tuple(known for known in self._ways if known != way) or (_BY_KNOWN,)
        return None

    def _extracted(self, condition: str, way: str) -> tuple[Sequence[pa.Array], pa.Array]:
        """The columns of the texts that meet a condition; and of each how many keys it has, or how many beyond those known."""
        values = ", ".join(f'v[{i}] AS "{i}"' for i in range(1, len(self._keys) + 1))
        doubts = f"({way.replace('{known}', _pointers(self._known))})::BIGINT AS doubts"
        rows = f"SELECT json_extract_string(line, {_pointers(self._keys)}) AS v, {doubts} FROM texts WHERE {condition}"
        found = self._rows(f"SELECT {values}, doubts FROM ({rows})").combine_chunks()
        *columns, doubts = (_whole(column) for column in found.columns)
        return columns, doubts

    def _has_long_numbers(self, content: Bytes) -> bool:
        """Whether a number has more digits than a double holds."""
        if not may_have_long_numbers(content):
            return False
        return bool(self._rows(f"SELECT coalesce(bool_or({LONG_NUMBER}), false) AS some FROM texts")["some"][0].as_py())

    # When something is --------------------------------------------------------------------------------------------------

    def _carefully(self, texts: pa.Array) -> Taken:
        """Each text by itself, as far as it needs to be."""
        import pyarrow as pa
        import pyarrow.compute as pc

        kind = f"CASE WHEN NOT {_OBJECT} OR {_TWICE} THEN {_BAD} WHEN {LONG_NUMBER} THEN {_LONG_NUMBER} ELSE {_GOOD} END"
        kinds = _whole(self._rows(f"SELECT ({kind})::UTINYINT AS kind FROM texts").column(0))
        faults, exact = [], {}
        for number in pc.indices_nonzero(kinds).to_pylist():
            text = texts[number].as_py().encode().strip(b" \t\r\n")
            try:
                exact[number] = members(text)
            except Unreadable as error:
                faults.append(Fault(number, _REASONS[error.reason], str(error)))
            else:
                if kinds[number].as_py() == _BAD:
                    faults.append(Fault(number, "json.invalid", "not JSON"))
        bad = {fault.number for fault in faults}
        numbers = pa.array([number for number in range(len(texts)) if number not in bad], pa.int32())
        cells = {number: found for number, found in exact.items() if number not in bad}
        columns = _with_exact(self._kept(texts, numbers), self._keys, numbers, cells)
        return Taken(columns, numbers if bad else None, faults)

    def _kept(self, texts: pa.Array, numbers: pa.Array) -> Sequence[pa.Array]:
        """The columns of these texts, all of which are readable."""
        with self._texts.holding(texts.take(numbers)):
            columns, doubts = self._extracted("true", _BY_KNOWN)
            if _sum(doubts):
                self._learn()
            return columns

    def _learn(self) -> None:
        """Remember which keys there are, while there are not too many."""
        if len(self._known) < _MOST_KNOWN:
            found = self._rows("SELECT DISTINCT unnest(json_keys(line)) AS key FROM texts LIMIT 1000")
            self._known |= dict.fromkeys(key for key in found["key"].to_pylist() if "\0" not in key)


def _accounted_for(way: str, columns: Sequence[pa.Array], doubts: pa.Array, content: Bytes) -> bool:
    """Whether no text has a key twice.

    A key that is not null is a cell, however often it stands there, and takes a colon each time. So where cells and the colons in them are
    all the colons there are, or the cells as many as the keys, there is room for no repetition.
    """
    cells: int = sum(len(column) - column.null_count for column in columns)
    if way == _BY_COLONS:
        within: int = sum(count_of(":", bytes_of(column)) for column in columns)
        return count_of(":", content) == cells + within
    return bool(_sum(doubts) == (cells if way == _BY_KEYS else 0))


def _with_exact(
    columns: Sequence[pa.Array], keys: Sequence[str], numbers: pa.Array, exact: dict[int, dict[str, str | None]]
) -> Sequence[pa.Array]:
    """The columns with the cells of some texts put in, as they were taken apart one by one."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not exact:
        return columns
    mask = pc.is_in(numbers, value_set=pa.array(exact, numbers.type))
    return [
        pc.replace_with_mask(column, mask, pa.array([cells.get(key) for cells in exact.values()], column.type))
        for key, column in zip(keys, columns, strict=True)
    ]


def _pointers(keys: Iterable[str]) -> str:
    return f"[{', '.join(literal(pointer(key)) for key in keys)}]"


def _whole(column: pa.ChunkedArray) -> pa.Array:
    import pyarrow as pa

    return (
        column.chunk(0)
        if column.num_chunks == 1
        else pa.concat_arrays(column.chunks)
        if column.num_chunks
        else pa.array([], column.type)
    )


def _sum(numbers: pa.Array) -> int:
    import pyarrow.compute as pc

    return pc.sum(numbers).as_py() or 0
