"""Looks at the start of a delimited file: what separates its fields, what its columns are called, where its records start.

Nothing is guessed but the delimiter, and that by one rule: of comma, semicolon, tab and bar the one that splits most of the
first records into as many fields as the first of them, and more than one. Everything else is said, or has one default.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from headrace.business.ports import PROVENANCE, Head
from headrace.errors import NonRetryableError
from headrace.infrastructure.formats.delimited_grammar import LINE_END, Grammar
from headrace.infrastructure.formats.opening import shown
from headrace.records import record

#: How much of a file is looked at.
LOOKED_AT = 1 << 16

#: A header longer than this is none.
LONGEST_HEADER = 4 << 20

_DELIMITERS = ",;\t|"


@record
class Dialect:
    """How delimited text is written, as far as it was said."""

    delimiter: str | None
    quote: str
    escape: str
    header: bool
    skip: int
    comment: str | None
    columns: tuple[str, ...] = ()

    def grammar(self, columns: int, delimiter: str | None = None) -> Grammar:
        return Grammar(delimiter or self.delimiter or ",", self.quote, self.escape, columns, self.comment)


@record
class Start:
    """The start of a file: its column names as written, and the bytes from the first record on, as far as they were looked at."""

    names: tuple[str, ...]
    lines: int
    simple: bool
    """Whether the preamble is as many lines as records, so that an engine can count over it."""
    newline: bytes
    rest: bytes
    whole: bool
    """Whether `rest` is all there is."""


def gathered(blocks: Iterator[bytes], enough: int) -> tuple[bytes, bool]:
    """The first `enough` bytes or more, and whether they are all there are."""
    parts, size = [], 0
    for block in blocks:
        parts.append(block)
        size += len(block)
        if size >= enough:
            return b"".join(parts), False
    return b"".join(parts), True


def start_of(path: str, blocks: Iterator[bytes], dialect: Dialect) -> Start | None:
    """The start of one file, or None when it has neither header nor records. `blocks` stand behind what was looked at."""
    enough = LOOKED_AT
    buffer, whole = b"", False
    while not whole:
        more, whole = gathered(blocks, enough - len(buffer))
        buffer += more
        if found := _start(path, buffer, whole, dialect):
            return found
        if len(buffer) > LONGEST_HEADER:
            raise NonRetryableError(
                f"`{path}` has no header: its first record does not end within {LONGEST_HEADER:,} bytes",
                hint="name the right `delimiter` and `quote`, or is this no delimited text at all?",
            )
        enough = len(buffer) * 4
    return None


def _start(path: str, buffer: bytes, whole: bool, dialect: Dialect) -> Start | None:
    """As `start_of`, of what was read so far; None when that is not enough."""
    ended = buffer if not whole or not buffer or buffer.endswith((b"\n", b"\r")) else buffer + b"\n"
    at, lines = 0, 0
    for _ in range(dialect.skip):
        line = LINE_END.search(ended, at)
        if line is None:
            return None
        at, lines = line.end(), lines + 1
    skipped_quote = bool(dialect.quote) and dialect.quote.encode() in ended[:at]
    at, lines, simple = _over_blanks(ended, at, lines, dialect.comment)
    simple = simple and not skipped_quote
    found = dialect.grammar(1).fields(ended, at) if at < len(ended) else None
    if found is None:
        if whole and at < len(ended):
            _refuse_header(path, ended[at:])
        return None
    fields, end = found
    header = ended[at:end]
    newline = b"\r\n" if header.endswith(b"\r\n") else header[-1:]
    names = dialect.columns or tuple(f"column_{i + 1}" for i in range(len(fields)))
    if dialect.header:
        names = tuple(_name(path, field) for field in fields)
        at, lines = end, lines + 1
        simple = simple and b"\n" not in header.rstrip(b"\r\n") and b"\r" not in header.rstrip(b"\r\n")
    return Start(names, lines, simple, newline, buffer[at:], whole)


def _over_blanks(buffer: bytes, at: int, lines: int, comment: str | None) -> tuple[int, int, bool]:
    """Behind the blank lines and comments at `at`. An engine counts differently over them."""
    begun = at
    while line := LINE_END.search(buffer, at):
        text = buffer[at : line.start()]
        if text and not (comment and text.startswith(comment.encode())):
            break
        at, lines = line.end(), lines + 1
    return at, lines, at == begun


def _name(path: str, field: bytes) -> str:
    try:
        name = field.decode().strip()
    except UnicodeDecodeError as error:
        raise NonRetryableError(
            f"the header of `{path}` is not text in the given encoding: {shown(field)}",
            hint="name the right `encoding`, e.g. latin-1",
        ) from error
    if "\x00" in name:
        raise NonRetryableError(f"the header of `{path}` has NUL bytes in it", hint="name the right `encoding`, e.g. utf-16")
    return name


def _refuse_header(path: str, text: bytes) -> None:
    raise NonRetryableError(
        f"the first record of `{path}` cannot be read: {shown(text[:80])}",
        hint="a quote is not closed, or it has NUL bytes: name the right `quote` and `encoding`",
    )


def guessed_delimiter(sample: bytes, dialect: Dialect) -> str:
    """The delimiter that splits the most records of the sample as it splits the first; a comma when none does."""
    best = (0.0, 0, ",")
    for delimiter in _DELIMITERS:
        counts = _field_counts(sample, dialect.grammar(1, delimiter))
        if counts and counts[0] > 1:
            share = Counter(counts)[counts[0]] / len(counts)
            if (share, counts[0]) > best[:2]:
                best = (share, counts[0], delimiter)
    return best[2]


def _field_counts(sample: bytes, grammar: Grammar, most: int = 100) -> list[int]:
    counts: list[int] = []
    at = 0
    while len(counts) < most and at < len(sample):
        found = grammar.fields(sample, at)
        if found is None:
            line = LINE_END.search(sample, at)
            if line is None:
                break
            at = line.end()
            continue
        fields, at = found
        if fields != [b""]:
            counts.append(len(fields))
    return counts


def unique_names(written: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of which no two are alike, case aside, and a note for each that had to change. `_file` is a name of ours."""
    taken = {name.lower() for name in written if name} | {PROVENANCE}
    seen: set[str] = {PROVENANCE}
    names, notes = [], []
    for position, name in enumerate(written, 1):
        new = name or f"column_{position}"
        number = 2
        while new.lower() in seen or (new != name and new.lower() in taken):
            new, number = f"{name or f'column_{position}'}_{number}", number + 1
        seen.add(new.lower())
        names.append(new)
        if new != name:
            what = f"a further column `{name}`" if name else f"column {position}, which has no name,"
            notes.append(f"{what} is called `{new}`")
    return tuple(names), tuple(notes)


def head_of(start: Start, names: tuple[str, ...], grammar: Grammar, *, as_utf8: bool) -> Head:
    """What an engine needs to know to read the file, and whether it may be trusted with it."""
    newline = "\r\n" if start.newline == b"\r\n" else "\n"
    plain = as_utf8 and start.simple and start.newline != b"\r" and grammar.comment is None and _is_plain(start, grammar)
    return Head(names, start.lines, newline, plain, len(start.rest) // max(1, start.rest.count(b"\n")))  # type: ignore[arg-type]


def _is_plain(start: Start, grammar: Grammar) -> bool:
    """Whether the sample has one kind of line end and no faults but records with too few or too many fields."""
    sample = start.rest if start.whole else start.rest[: start.rest.rfind(b"\n") + 1]
    if sample and not sample.endswith(b"\n"):
        sample += start.newline
    returns = sample.count(b"\r")
    if b"\x00" in sample or (returns if start.newline == b"\n" else returns != sample.count(b"\n")):
        return False
    at = 0
    while at < len(sample):
        good = grammar.run.match(sample, at)
        at = good.end() if good else at
        if at >= len(sample):
            break
        if line := LINE_END.match(sample, at):
            at = line.end()
            continue
        fault = grammar.fault(sample, at, final=start.whole)
        if fault is None:
            break
        if fault.reason not in ("too_few_fields", "too_many_fields"):
            return False
        at = fault.end
    return True
