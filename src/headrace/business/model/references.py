"""What stands in a definition for values from outside: `${params.day}`, `${env.HOME}`, `${secret:env/TOKEN}`; `$${` is a plain `${`.
And how a parameter's value gets into SQL. Not where the values come from (see `infrastructure.loading.substitution`).

SQL never takes a value raw. In an option of type `Sql`, a parameter becomes a literal of its type:

    filter: day = ${params.day}           day is a date     ->  day = DATE '2013-01-01'
    filter: carrier = ${params.carrier}   a string          ->  carrier = 'O''Hare'
    filter: path = 'in/${params.day}'     inside quotes     ->  path = 'in/2013-01-01'
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, WithJsonSchema

from headrace.records import record

Space = Literal["params", "env", "secret", "escape", "unknown", "unclosed"]

_OPENING = re.compile(r"(?P<escape>\$\$\{)|\$\{(?P<inside>[^{}\n]*)(?P<end>\})?")
_INSIDE = re.compile(r"(?P<dotted>params|env)\.(?P<name>[A-Za-z_][A-Za-z0-9_]*)|secret:(?P<secret>[^/]+/.+)")
#: The stretches of SQL in which a quote or a reference means something else than outside.
_QUOTED = re.compile(
    r"""(?P<escaped>\b[eE]'(?:[^'\\]|\\.|'')*'?) | (?P<text>'(?:[^']|'')*'?) | (?P<name>"(?:[^"]|"")*"?)
      | (?P<comment>--[^\n]*|/\*.*?(?:\*/|\Z)) | (?P<dollar>\$(?P<tag>\w*)\$.*?(?:\$(?P=tag)\$|\Z))""",
    re.DOTALL | re.VERBOSE,
)


@record
class Reference:
    """A reference in a text, from `start` to `end`; or an escaped or mistaken one."""

    start: int
    end: int
    space: Space
    name: str


def references(text: str) -> Iterator[Reference]:
    """The references in a text, in order."""
    for found in _OPENING.finditer(text):
        inside = _INSIDE.fullmatch((found["inside"] or "").strip())
        if found["escape"]:
            space, name = "escape", ""
        elif not found["end"]:
            space, name = "unclosed", found["inside"]
        elif inside is None:
            space, name = "unknown", found["inside"].strip()
        else:
            space, name = inside["dotted"] or "secret", inside["name"] or inside["secret"]
        yield Reference(found.start(), found.end(), space, name)  # type: ignore[arg-type]


@record
class Replaced:
    """A stretch of a finished text, and the stretch of the written text that it came from."""

    start: int
    end: int
    written_start: int
    written_end: int


class Interpolated(str):
    """A text in which references were replaced: as such it is plain, and `sql` is what SQL makes of it."""

    __slots__ = ("sql",)
    sql: str

    def __new__(cls, plain: str, sql: str) -> Self:
        made = super().__new__(cls, plain)
        made.sql = sql
        return made


class Unquotable(ValueError):
    """A parameter stands where SQL can take no value: in a comment, or in a text quoted with `E''` or `$$`."""

    def __init__(self, reference: Reference) -> None:
        self.reference = reference
        super().__init__("a parameter cannot stand in a comment, an E'...' or a $$...$$ text")


def replace(text: str, value: Callable[[Reference], str], escape: str = "${") -> tuple[str, list[Replaced]]:
    """The text with each reference replaced and `escape` for each escaped `${`, and which stretch came from where."""
    out: list[str] = []
    spans: list[Replaced] = []
    end = length = 0
    for found in references(text):
        new = escape if found.space == "escape" else value(found)
        out += [text[end : found.start], new]
        length += found.start - end
        spans.append(Replaced(length, length + len(new), found.start, found.end))
        length, end = length + len(new), found.end
    return "".join([*out, text[end:]]), spans


def replace_in_sql(text: str, value: Callable[[Reference], Any]) -> tuple[str, list[Replaced]]:
    """The SQL with each reference replaced by a literal, or by its text inside quotes. Raises `Unquotable`."""
    quoted = [(m.start(), m.end(), str(m.lastgroup if m.lastgroup != "tag" else "dollar")) for m in _QUOTED.finditer(text)]

    def written(reference: Reference) -> str:
        kind = next((kind for start, end, kind in quoted if start < reference.start < end), None)
        found = value(reference)
        match kind:
            case None:
                return literal(found)
            case "text":
                return plain(found).replace("'", "''")
            case "name":
                return plain(found).replace('"', '""')
        raise Unquotable(reference)

    return replace(text, written)


def plain(value: Any) -> str:
    """A parameter's value as text."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case datetime():
            return value.isoformat(sep=" ")
        case date():
            return value.isoformat()
    return str(value)


def literal(value: Any) -> str:
    """A parameter's value as a literal of its type in our SQL."""
    match value:
        case None:
            return "NULL"
        case bool():
            return "true" if value else "false"
        case int() | Decimal():
            return f"({value})" if value < 0 else str(value)
        case float():
            if not math.isfinite(value):
                return f"CAST('{value}' AS DOUBLE)"
            digits = repr(value) if "e" in repr(value) else f"{value!r}e0"
            return f"({digits})" if value < 0 else digits
        case datetime():
            return f"{'TIMESTAMPTZ' if value.tzinfo else 'TIMESTAMP'} '{plain(value)}'"
        case date():
            return f"DATE '{plain(value)}'"
    return "'" + str(value).replace("'", "''") + "'"


def _sql(written: Any) -> Any:
    if isinstance(written, Interpolated):
        return written.sql
    return literal(written) if isinstance(written, bool | int | float | Decimal | date) else written


#: An option that is read as SQL, an expression or a query. Annotate every such option with it: parameters then enter as
#: literals. A number or `true` may be written bare.
Sql = Annotated[str, BeforeValidator(_sql), WithJsonSchema({"type": ["string", "number", "boolean"], "description": "SQL"})]
