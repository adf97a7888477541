r"""What a record of delimited text is, as regular expressions over UTF-8 bytes, and what is wrong with one that is none.

    record  = field (delimiter field)* delimiter* line-end      as many fields as there are columns; more only if empty
    field   = plain | [space] quoted space*
    plain   = anything but the delimiter, a line end or NUL, that does not start with a quote
    quoted  = quote (anything but quote and NUL | quote quote)* quote
    line-end = "\n" | "\r\n" | "\r"

A record that breaks off inside quotes, or goes on behind them, is rejected up to the end of its first line only, so that one
lone quote does not swallow the records after it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from headrace.records import record

#: Up to so many columns the pattern is written out field by field, which is faster than a counted repetition.
_WRITTEN_OUT = 64

LINE_END = re.compile(rb"\r\n|\n|\r")
LINE_ENDS = re.compile(rb"[\r\n]+")


@record
class Fault:
    """Bytes that are no record: where they end, a word for why, and the reason in a sentence."""

    end: int
    reason: str
    message: str


@dataclass(frozen=True)
class Grammar:
    """The records of one dialect. `columns` is how many fields a good one has."""

    delimiter: str
    quote: str
    escape: str
    columns: int
    comment: str | None = None

    @cached_property
    def record(self) -> re.Pattern[bytes]:
        """One good record; its first group leaves out the line end."""
        return re.compile(b"(" + self._body + rb")(?:\r\n|\n|\r)", re.DOTALL)

    @cached_property
    def run(self) -> re.Pattern[bytes]:
        """As many good records as follow each other. It never takes back what it took, so its time is linear."""
        return re.compile(b"(?>(?:" + self._body + rb"(?:\r\n|\n|\r))*)", re.DOTALL)

    def fault(self, buffer: bytes, at: int, *, final: bool) -> Fault | None:
        """What is wrong with the record at `at`, or None when only more bytes can tell."""
        position, count = at, 0
        while True:
            end = self._field_end(buffer, position)
            count += 1
            if separator := self._separator.match(buffer, end):
                position = separator.end()
                if separator[1] is None:
                    continue
                return Fault(position, *self._miscounted(count))
            if end >= len(buffer) and not final:
                return None
            return self._broken(buffer, at, position, end, final=final)

    def fields(self, buffer: bytes, at: int) -> tuple[list[bytes], int] | None:
        """The fields at `at` without their quotes, and where the next record starts; None when there is no whole record."""
        found = self.cells(buffer, at)
        return found and ([cell or b"" for cell in found[0]], found[1])

    def cells(self, buffer: bytes, at: int) -> tuple[list[bytes | None], int] | None:
        """As `fields`, with None for a field in which there is nothing, not even quotes."""
        found: list[bytes | None] = []
        position = at
        while True:
            end = self._field_end(buffer, position)
            separator = self._separator.match(buffer, end)
            if separator is None:
                return None
            found.append(self.unquoted(buffer[position:end]) if end > position else None)
            position = separator.end()
            if separator[1] is not None:
                return found, position

    def unquoted(self, field: bytes) -> bytes:
        """The value of a field."""
        quote, escape = self.quote.encode(), self.escape.encode()
        inner = field.strip(b" ")
        if not quote or not inner.startswith(quote) or len(inner) < 2:
            return field
        return re.sub(re.escape(escape) + b"(.)", rb"\1", inner[1:-1], flags=re.DOTALL)

    # The parts --------------------------------------------------------------------------------------------------

    @cached_property
    def _body(self) -> bytes:
        field, delimiter = self._field.pattern, self._delimiter
        more = delimiter + field
        rest = more * (self.columns - 1) if self.columns <= _WRITTEN_OUT else b"(?:%b){%d}" % (more, self.columns - 1)
        start = b"(?!%b)" % re.escape(self.comment.encode()) if self.comment else b""
        return start + field + rest + b"(?>(?:%b)*)" % delimiter

    @property
    def _delimiter(self) -> bytes:
        return re.escape(self.delimiter.encode())

    @cached_property
    def _separator(self) -> re.Pattern[bytes]:
        return re.compile(b"%b|(\r\n|\n|\r)" % self._delimiter)

    @cached_property
    def _field(self) -> re.Pattern[bytes]:
        plain = self._plain(b"")
        if not self.quote:
            return re.compile(self._many(plain))
        quote = re.escape(self.quote.encode())
        quoted = self._open_quote.pattern + quote + (b"" if self.delimiter == " " else b" *+")
        if self.delimiter == " ":
            return re.compile(b"(?:%b%b|%b|)" % (self._plain(quote), self._many(plain), quoted), re.DOTALL)
        after_space = b" (?:%b|(?!%b)%b)" % (quoted, quote, self._many(plain))
        parts = (self._plain(quote + b" "), self._many(plain), quoted, after_space)
        return re.compile(b"(?:%b%b|%b|%b|)" % parts, re.DOTALL)

    def _plain(self, excluded: bytes) -> bytes:
        """One byte of an unquoted field."""
        if len(self.delimiter.encode()) == 1:
            return b"[^%b\n\r\x00%b]" % (self._delimiter, excluded)
        return b"(?:(?!%b)[^\n\r\x00%b])" % (self._delimiter, excluded)

    def _many(self, plain: bytes) -> bytes:
        """As many as there are, and none given back. Of a group that is an atomic one: before Python 3.11.5 a possessive repetition of
        a group may match too little (CPython issue 106052)."""
        return plain + b"*+" if plain.startswith(b"[") else b"(?>%b*)" % plain

    @cached_property
    def _open_quote(self) -> re.Pattern[bytes]:
        """A quoted field without its closing quote."""
        quote, escape = re.escape(self.quote.encode()), re.escape(self.escape.encode())
        if self.quote == self.escape:
            return re.compile(b"%b[^%b\x00]*+(?>(?:%b%b[^%b\x00]*+)*)" % ((quote,) * 5))
        other = b"[^%b%b\x00]*+" % (quote, escape)
        return re.compile(b"%b%b(?>(?:%b[^\x00]%b)*)" % (quote, other, escape, other), re.DOTALL)

    def _field_end(self, buffer: bytes, at: int) -> int:
        found = self._field.match(buffer, at)
        return found.end() if found else at

    def _miscounted(self, count: int) -> tuple[str, str]:
        reason = "too_few_fields" if count < self.columns else "too_many_fields"
        return reason, f"{self.columns} field{'s' if self.columns > 1 else ''} expected, {count} found"

    def _broken(self, buffer: bytes, at: int, field: int, end: int, *, final: bool) -> Fault | None:
        """Why no separator stands at `end`, behind what could be read of the field at `field` of the record at `at`."""
        fault = self._why(buffer, field, end, final=final)
        line = LINE_END.search(buffer, at)
        if fault is None or line is None:
            return None
        return Fault(line.end(), *fault)

    def _why(self, buffer: bytes, field: int, end: int, *, final: bool) -> tuple[str, str] | None:
        opening = end + 1 if buffer[end : end + 1] == b" " else end
        opened = self._open_quote.match(buffer, opening) if self.quote and end == field else None
        stop = opened.end() if opened else end
        if buffer[stop : stop + 1] == b"\x00":
            return "nul_byte", "a NUL byte stands in it"
        if opened:
            return ("open_quote", "a quote is opened and not closed") if final or stop < len(buffer) else None
        return "broken_quote", "text follows a closing quote"
