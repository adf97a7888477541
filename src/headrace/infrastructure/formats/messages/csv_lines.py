"""Reads records of delimited text out of messages: those that stand on one line and leave no doubt all at once, others one by one.

What a record is, and what is wrong with one that is none, says the grammar by which files are tidied.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from headrace.business.streams.messages import Unreadable
from headrace.infrastructure.formats.delimited_grammar import Grammar
from headrace.infrastructure.formats.delimited_tidy import Tidying
from headrace.infrastructure.formats.rejects import Rejects
from headrace.records import record

if TYPE_CHECKING:
    import pyarrow as pa


@record
class Records:
    """What bodies hold: columns of text, for each row the number of its body (`int32`), and what is no record."""

    columns: Sequence[pa.Array]
    origins: pa.Array
    unreadable: Sequence[Unreadable] = ()


class RecordReader:
    """Reads bodies whose records have so many fields."""

    def __init__(self, delimiter: str, quote: str, columns: int) -> None:
        self._delimiter, self._quote, self._columns = delimiter, quote, columns
        self._grammar = Grammar(delimiter, quote, quote, columns)
        self._plain = _plain_record(delimiter, quote, columns)

    def read(self, bodies: pa.Array) -> Records:
        """Of bodies (`binary`, none null)."""
        import pyarrow as pa
        import pyarrow.compute as pc

        lines, owners = _lines_of(bodies, keep_blank=self._columns == 1)
        plain = pc.match_substring_regex(lines, self._plain)
        if pc.all(plain, min_count=0).as_py() and (columns := self._all_at_once(lines)):
            return Records(columns, owners)
        doubtful = pc.unique(owners.filter(pc.invert(plain)))
        sure = pc.invert(pc.is_in(owners, value_set=doubtful))
        columns = self._all_at_once(lines.filter(sure))
        if columns is None:
            doubtful, sure, columns = pc.unique(owners), pa.nulls(len(lines), pa.bool_()), self._all_at_once(lines.slice(0, 0))
        return self._with_doubtful(columns or (), owners.filter(sure), bodies, doubtful.to_pylist())

    def _all_at_once(self, lines: pa.Array) -> Sequence[pa.Array] | None:
        """The columns of lines each of which is a record."""
        import pyarrow as pa
        import pyarrow.compute as pc
        from pyarrow import csv

        names = [str(i) for i in range(self._columns)]
        if not len(lines):
            return [pa.array([], pa.string()) for _ in names]
        ended = pa.concat_arrays([lines, pa.array([b""], pa.binary())])
        joined = pc.binary_join(pa.ListArray.from_arrays(pa.array([0, len(ended)], pa.int32()), ended), b"\n")[0].as_buffer()
        try:
            table = csv.read_csv(
                pa.BufferReader(joined),
                csv.ReadOptions(use_threads=False, block_size=joined.size + 1, column_names=names),
                csv.ParseOptions(
                    delimiter=self._delimiter, quote_char=self._quote or False, double_quote=True, ignore_empty_lines=False
                ),
                csv.ConvertOptions(
                    column_types=dict.fromkeys(names, pa.string()),
                    null_values=[""],
                    strings_can_be_null=True,
                    quoted_strings_can_be_null=False,
                ),
            )
        except pa.ArrowInvalid:  # a line is no UTF-8
            return None
        return [pa.concat_arrays(column.chunks) for column in table.columns] if table.num_rows == len(lines) else None

    # One by one ---------------------------------------------------------------------------------------------------------

    def _with_doubtful(
        self, columns: Sequence[pa.Array], origins: pa.Array, bodies: pa.Array, doubtful: Sequence[int]
    ) -> Records:
        import pyarrow as pa
        import pyarrow.compute as pc

        rows: list[Sequence[str | None]] = []
        owners: list[int] = []
        letters: list[Unreadable] = []
        for number in doubtful:
            good, bad = self._one(number, bodies[number].as_py())
            rows += good
            owners += [number] * len(good)
            letters += bad
        more = list(zip(*rows, strict=True)) or [()] * self._columns
        both = [pa.concat_arrays([one, pa.array(other, pa.string())]) for one, other in zip(columns, more, strict=True)]
        origins = pa.concat_arrays([origins, pa.array(owners, pa.int32())])
        order = pc.sort_indices(pa.table({"origin": origins}), sort_keys=[("origin", "ascending")])
        return Records([column.take(order) for column in both], origins.take(order), letters)

    def _one(self, number: int, body: bytes) -> tuple[list[Sequence[str | None]], list[Unreadable]]:
        """The records of one body, and what is none in it. A body of which nothing can be read is one letter."""
        out, rejects = io.BytesIO(), _Letters(number)
        Tidying(self._grammar, out, rejects).run(body, iter(()))
        records, at = out.getvalue(), 0
        rows: list[Sequence[str | None]] = []
        while at < len(records):
            found = self._grammar.cells(records, at)
            if found is None:  # pragma: no cover - what was tidied is whole
                raise AssertionError(records[at:])
            cells, at = found
            rows.append([None if cell is None else cell.decode() for cell in cells[: self._columns]])
        if not rows and len(rejects.letters) == 1:
            bad = rejects.letters[0]
            return rows, [Unreadable(number, bad.reason, bad.detail)]
        return rows, rejects.letters


class _Letters(Rejects):
    """Takes what is no record as letters."""

    def __init__(self, number: int) -> None:
        super().__init__(io.StringIO())
        self.number = number
        self.letters: list[Unreadable] = []

    def add(self, text: bytes, reason: str, message: str) -> None:
        self.rejected += 1
        word = "utf8.invalid" if reason == "encoding" else f"csv.{reason}"
        self.letters.append(
            Unreadable(self.number, word, f"record {self.accepted + self.rejected}: {message}", text.rstrip(b"\r\n"))
        )


def _lines_of(bodies: pa.Array, *, keep_blank: bool) -> tuple[pa.Array, pa.Array]:
    """The lines without their ends, and of each the number of its body. What stands behind the last line end is a line if it is
    anything."""
    import pyarrow.compute as pc

    split = pc.split_pattern(bodies.cast("binary"), b"\n")
    lines, owners = pc.list_flatten(split), pc.list_parent_indices(split).cast("int32")
    lines, owners = _without(pc.and_(_empty(lines), pc.not_equal(owners, _shifted(owners))), lines, owners)
    if pc.any(pc.ends_with(lines, b"\r"), min_count=0).as_py():
        lines = pc.replace_substring_regex(lines, rb"\r$", b"")
    return (lines, owners) if keep_blank else _without(_empty(lines), lines, owners)


def _empty(lines: pa.Array) -> pa.Array:
    import pyarrow.compute as pc

    return pc.equal(pc.binary_length(lines), 0)


def _without(unwanted: pa.Array, lines: pa.Array, owners: pa.Array) -> tuple[pa.Array, pa.Array]:
    import pyarrow.compute as pc

    if not pc.any(unwanted, min_count=0).as_py():
        return lines, owners
    return lines.filter(pc.invert(unwanted)), owners.filter(pc.invert(unwanted))


def _shifted(owners: pa.Array) -> pa.Array:
    """The owner of the next line of each; -1 behind the last."""
    import pyarrow as pa

    return pa.concat_arrays([owners.slice(1), pa.array([-1] if len(owners) else [], owners.type)])


def _plain_record(delimiter: str, quote: str, columns: int) -> str:
    """A record on one line that all readers of CSV read alike: fields without a quote, or quoted from end to end."""
    mark, sign = _escaped(delimiter), _escaped(quote) if quote else ""
    field = rf"[^{mark}{sign}\r\n\x00]*"
    if quote:
        field = rf"(?:{field}|{sign}(?:[^{sign}\r\n\x00]|{sign}{sign})*{sign})"
    more = f"(?:{mark}{field})" + "{" + str(columns - 1) + "}"
    return rf"\A{field}{more if columns > 1 else ''}\z"


def _escaped(sign: str) -> str:
    return rf"\x{ord(sign):02x}"


def header_of(body: bytes, delimiter: str, quote: str) -> tuple[tuple[str, ...], bytes]:
    """The names in the first record of a body, and what stands behind it. Raises `ValueError` with what is wrong with them."""
    whole = body if re.search(rb"[\r\n]\Z", body) else body + b"\n"
    found = Grammar(delimiter, quote, quote, 1).fields(whole, 0)
    if found is None:
        raise ValueError("the message does not begin with a record that could hold the names of columns")
    names = tuple(name.decode() for name in found[0])
    if not any(names):
        raise ValueError("the message does not begin with the names of columns")
    if twice := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"the column `{min(twice)}` is named twice")
    return names, body[found[1] :]
