"""What the YAML parser complains about, in words for people, at the line where the mistake is. Not what a definition may hold."""

from __future__ import annotations

import re
from typing import Any

from headrace.errors import Location, Problem

_QUOTE_HINT = "put the value in quotes: a `'` on both sides"
_LINES = re.compile(r"\r\n|\r|\n")

#: What the parser says, what it means, and what to do; the place is where the parser stopped.
_AT_PROBLEM = (
    ("found unknown escape character", "there is no such escape (`\\`) in double quotes", "use single quotes: nothing is escaped in them"),
    ("found invalid Unicode character escape", "this escape is not a character", None),
    ("block sequence entries are not allowed", "a list cannot begin behind its key", "begin it on the next line, or write `[a, b]`"),
    ("did not find expected comment or line break", "nothing may follow `|` or `>` here", "begin the text on the next line, indented"),
    ("found undefined tag handle", "tags (`!...`) are not allowed", _QUOTE_HINT),
    ("found incompatible YAML document", "only YAML 1.1 and 1.2 are read", "remove the `%YAML` line"),
    ("did not find expected <document start>", "the document ended before this", "begin the keys of a definition at the margin"),
    ("did not find expected alphabetic or numeric character", "a value that begins with `*` or `&` needs quotes", _QUOTE_HINT),
    ("found duplicate anchor", "this anchor exists already", "give it another name"),
)  # fmt: skip


def explain(error: Any, text: str, file: str) -> Problem:
    """The problem behind a parser's error."""
    problem, where = str(error.problem or "").strip(), error.problem_mark or error.context_mark
    lines = _LINES.split(text)
    line, column = (where.line, where.column) if where else (0, 0)
    if line >= len(lines):
        # The parser adds a line to a text that ends without one.
        line, column = len(lines) - 1, len(lines[-1])
    if found := _opened(error, file):
        return found
    if found := _swallowed(lines, line, column, file):
        return found
    for said, message, hint in _AT_PROBLEM:
        if problem.startswith(said):
            return _problem(message, hint, file, line, column)
    written = lines[line] if line < len(lines) else ""
    if problem.startswith("found character that cannot start"):
        return _strange_start(written, file, line, column)
    if problem.startswith(("mapping values are not allowed", "could not find expected ':'")):
        return _colon(lines, file, line, column)
    if str(error.context or "").startswith("while parsing a block"):
        return _indentation(lines, error.context_mark, file, line, column)
    return _problem(problem or "this is not YAML", None, file, line, column)


def _opened(error: Any, file: str) -> Problem | None:
    """What was opened and never closed is reported where it was opened: the end of the file tells nobody anything."""
    said, opened = str(error.context or ""), error.context_mark
    if opened is None:
        return None
    if "unexpected end of stream" in str(error.problem) or "unexpected document indicator" in str(error.problem):
        return _problem(
            "this quote is never closed", "close it, or double it if it is part of the text", file, opened.line, opened.column
        )
    for kind, bracket, closing in (("sequence", "[", "]"), ("mapping", "{", "}")):
        if said == f"while parsing a flow {kind}":
            stop = error.problem_mark
            hint = f"it breaks off at line {stop.line + 1}, column {stop.column + 1}: a comma or quotes may be missing there"
            return _problem(f"this `{bracket}` is not closed by `{closing}`", hint, file, opened.line, opened.column)
    return None


def _swallowed(lines: list[str], line: int, column: int, file: str) -> Problem | None:
    """A quote that was never closed ends at the next one in the file, and the trouble shows only behind that."""
    before = lines[line][:column] if line < len(lines) else ""
    for quote in "'\"":
        if before.count(quote) % 2 == 0:
            continue
        opened = next((n for n in range(line - 1, -1, -1) if lines[n].count(quote) % 2), None)
        if opened is not None:
            hint = f"close it on this line: it goes on to the next `{quote}`, in line {line + 1}"
            return _problem("this quote is not closed", hint, file, opened, lines[opened].rindex(quote))
    return None


def _strange_start(written: str, file: str, line: int, column: int) -> Problem:
    char = written[column : column + 1]
    if "\t" in written[: column + 1]:
        return _problem("a tab cannot indent", "use spaces", file, line, written.index("\t"))
    return _problem(f"a value cannot begin with `{char}`", _QUOTE_HINT, file, line, column)


def _colon(lines: list[str], file: str, line: int, column: int) -> Problem:
    """A `:` that makes no sense where it stands: it is one too many here, or one is missing on the line before."""
    above = next(
        (n for n in range(min(line, len(lines)) - 1, -1, -1) if lines[n].strip() and not lines[n].lstrip().startswith("#")),
        None,
    )
    first_here = not re.search(r":(\s|$)", lines[line][:column]) if line < len(lines) else True
    if above is not None and first_here:
        stripped = lines[above].strip()
        if not re.search(r":(\s|$)", stripped):
            return _problem(f"`{stripped.removeprefix('- ')}` needs a `:` behind it", None, file, above, _indent(lines[above]))
        if _indent(lines[line]) > _indent(lines[above]):
            return _problem(
                "this is indented deeper than the line above, which has a value already",
                "align it with the line above",
                file,
                line,
                _indent(lines[line]),
            )
    return _problem("a `: ` inside a value", _QUOTE_HINT, file, line, column)


def _indentation(lines: list[str], opened: Any, file: str, line: int, column: int) -> Problem:
    written = lines[line] if line < len(lines) else ""
    if written[:column].strip():
        return _problem(
            "this does not belong behind the value", "put the whole value in quotes, or begin a new line", file, line, column
        )
    hint = f"it began at line {opened.line + 1}, column {opened.column + 1}: align the lines of a block" if opened else None
    return _problem("this line fits neither the block above nor one around it", hint, file, line, column)


def _indent(written: str) -> int:
    return len(written) - len(written.lstrip(" "))


def _problem(message: str, hint: str | None, file: str, line: int, column: int) -> Problem:
    return Problem(message, (), hint, location=Location(file, line + 1, column + 1))
