"""Copies the good records of delimited text into plain UTF-8 with "\\n" as line end, and writes down the others. Reads no dialect.

This is the careful way to read: each byte of the file ends up either in a good record, once, or in a rejected text, once, or
in a blank line or a comment. It holds no more than one block and one record in memory, and no record longer than `LONGEST`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from headrace.infrastructure.formats.delimited_grammar import LINE_END, LINE_ENDS, Fault, Grammar
from headrace.infrastructure.formats.opening import BLOCK
from headrace.infrastructure.formats.rejects import Rejects

#: A record longer than this is rejected. It bounds the memory that one broken file can cost.
LONGEST = 8 << 20


class Tidying:
    """One pass over one file, from behind its preamble."""

    def __init__(self, grammar: Grammar, out: BinaryIO, rejects: Rejects) -> None:
        self.grammar, self.out, self.rejects = grammar, out, rejects
        self.longest = BLOCK
        self._quote = grammar.quote.encode()
        self._comment = grammar.comment.encode() if grammar.comment else None

    def run(self, rest: bytes, blocks: Iterator[bytes]) -> None:
        """Consume `rest` and then all the blocks."""
        for block in blocks:
            rest = self._consume(rest + block, final=False)
            if len(rest) > LONGEST:
                rest = self._give_up(rest, blocks)
        if rest and not rest.endswith((b"\n", b"\r")):
            rest += b"\n"
        self._consume(rest, final=True)

    def _consume(self, buffer: bytes, *, final: bool) -> bytes:
        """Everything that is surely whole; what is left over is returned, to be seen again with more bytes behind it."""
        self.longest = max(self.longest, len(buffer))
        held = b"" if final or not buffer.endswith(b"\r") else b"\r"  # a "\n" may follow it in the next block
        buffer = buffer[: len(buffer) - len(held)]
        position = 0
        while position < len(buffer):
            after = self._step(buffer, position, final=final)
            if after == position:
                break
            position = after
        return buffer[position:] + held

    def _step(self, buffer: bytes, at: int, *, final: bool) -> int:
        """One run of good records, of blank lines, or one comment or fault; where it ends, or `at` when more bytes are needed."""
        good = self.grammar.run.match(buffer, at)
        if good and good.end() > at:
            self._accept(buffer[at : good.end()])
            return good.end()
        if self.grammar.columns > 1 and (blank := LINE_ENDS.match(buffer, at)):
            return blank.end()
        if self._comment and buffer.startswith(self._comment, at):
            line = LINE_END.search(buffer, at)
            return line.end() if line else at
        fault = self.grammar.fault(buffer, at, final=final)
        if fault is None:
            return at
        self._reject(buffer[at : fault.end], fault)
        return fault.end

    def _accept(self, records: bytes) -> None:
        try:
            records.decode()
        except UnicodeDecodeError:
            self._accept_each(records)
            return
        if b"\r" in records:
            records, count = self.grammar.record.subn(rb"\1\n", records)
        elif self._quote and self._quote in records:
            count = self.grammar.record.subn(b"", records)[1]
        else:
            count = records.count(b"\n")
        self.out.write(records)
        self.rejects.accepted += count

    def _accept_each(self, records: bytes) -> None:
        """As `_accept`, for records of which some are not UTF-8."""
        for record in self.grammar.record.finditer(records):
            try:
                record[1].decode()
            except UnicodeDecodeError as error:
                self.rejects.add(
                    record[0], "encoding", f"not text in the encoding of the file, from its byte {error.start + 1} on"
                )
            else:
                self.out.write(record[1] + b"\n")
                self.rejects.accepted += 1

    def _reject(self, text: bytes, fault: Fault) -> None:
        self.rejects.add(text, fault.reason, fault.message)

    def _give_up(self, rest: bytes, blocks: Iterator[bytes]) -> bytes:
        """A record that is longer than any may be: reject its first line, however long that is, and go on behind it."""
        line = LINE_END.search(rest)
        if line:
            fault = self.grammar.fault(rest, 0, final=True)
            end = fault.end if fault else line.end()
            self.rejects.add(rest[:end], "too_long", f"a record may have {LONGEST:,} bytes")
            return self._consume(rest[end:], final=False)
        kept, length = rest[:LONGEST], len(rest)
        for block in blocks:
            found = LINE_END.search(block)
            length += found.start() if found else len(block)
            if found:
                rest = block[found.end() :]
                break
        else:
            rest = b""
        self.rejects.add(kept, "too_long", f"a record may have {LONGEST:,} bytes, this line has {length:,}")
        return self._consume(rest, final=False)
