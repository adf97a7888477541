"""Proposes a contract from data: a look at a sample, a look at all rows, and a closer one, each in one pass.

    sample = measured(look(schema, text=True))                     # over some thousand rows
    found = measured(look(schema, text=True, sample=sample))       # over all rows
    closer = measured(look_closer(schema, found, text=True))       # over all rows
    proposal = propose(schema, found, closer, text=True)

`text` says that every column is text, as from CSV, and its type has to be found; the sample only spares trying types that
cannot be. What is proposed is no promise: people read it, and keep what is meant. It is cautious: a type is proposed when every
value has it, `required` when every row has a value, `in` for few words that come often, a key where every row has another
value. Ranges are told in words only, because the next file may well exceed them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from headrace.business.model.contract import ColumnContract, Contract, Key
from headrace.business.model.schema import Column, Schema
from headrace.business.model.types import (
    Boolean,
    DataType,
    Date,
    Decimal,
    Enum,
    Float,
    Integer,
    Json,
    List,
    String,
    Struct,
    Time,
    Timestamp,
)  # fmt: skip
from headrace.business.processing.expressions.build import cast, constant, null_if_one_of, test
from headrace.business.processing.expressions.ir import Aggregate, CastFormat, ColumnRef, Expr, SortKey
from headrace.business.validation.checks.measuring import aggregate
from headrace.business.validation.checks.wording import number
from headrace.records import record

#: Texts that mean null in columns of anything but text. In a column of text they may be words: NA is Namibia.
TOKENS = ("", "NA", "N/A", "n/a", "NULL", "null", "None", "\\N", "-", "#N/A", "?")

#: At most so many different words are an enumeration, if each comes so often on average.
MOST_WORDS, OFTEN = 20, 20

#: About so large a share of different values makes a closer look for a key worth its while.
NEARLY_ALL = 0.9


@record
class Candidate:
    """A type that texts may be of, and how they are written."""

    name: str
    kind: DataType
    pattern: str | None = None
    only: str | None = None
    """A pattern that the texts must match as well."""

    @property
    def written(self) -> CastFormat:
        return CastFormat(pattern=self.pattern)


#: From the narrowest. Texts such as 007 are no numbers: the zeros mean something.
CANDIDATES = (
    Candidate("boolean", Boolean()),
    Candidate("integer", Integer(64), only="^[+-]?(0|[1-9][0-9]*)$"),
    Candidate("money", Decimal(15, 2), only=r"^[+-]?(0|[1-9][0-9]{0,12})\.[0-9]{2}$"),
    Candidate("float", Float(64), only=r"^[+-]?(0|[1-9][0-9]*)?(\.[0-9]*)?([eE][+-]?[0-9]+)?$"),
    Candidate("date", Date()),
    Candidate("timestamp", Timestamp()),
    Candidate("instant", Timestamp(True)),
    Candidate("time", Time()),
    Candidate("date_dots", Date(), "%d.%m.%Y"),
    Candidate("date_slashes", Date(), "%d/%m/%Y"),
    Candidate("date_american", Date(), "%m/%d/%Y"),
)


@record
class Proposal:
    """A contract, with a remark on each column of what was seen, and one on the whole."""

    contract: Contract
    seen: Mapping[str, str]
    about: str


def look(schema: Schema, *, text: bool, sample: Mapping[str, Any] | None = None) -> Mapping[str, Expr]:
    """What to measure first: rows, values, words for null, and how many texts each type could hold.

    With the measures of a sample, only the types that hold all of its texts are tried.
    """
    measures: dict[str, Expr] = {"rows": aggregate("count")}
    for i, column in enumerate(schema):
        value: Expr = ColumnRef(column.type, column.name)
        measures[f"{i}.values"] = aggregate("count", value)
        if _is_comparable(column.type):
            measures[f"{i}.different"] = aggregate("approx_count_distinct", value)
        if not (text and isinstance(column.type, String)):
            continue
        for j, token in enumerate(TOKENS):
            measures[f"{i}.token{j}"] = aggregate("count_if", test("equal", value, constant(token, String())))
        for candidate in CANDIDATES if sample is None else _Seen(i, column, sample, text).fitting:
            measures[f"{i}.{candidate.name}"] = aggregate("count", _read(value, candidate), where=_only(value, candidate))
    return measures


def look_closer(schema: Schema, found: Mapping[str, Any], *, text: bool) -> Mapping[str, Expr]:
    """What to measure next, now that types are known: extremes, words, and whether values repeat."""
    measures: dict[str, Expr] = {}
    for i, column in enumerate(schema):
        seen = _Seen(i, column, found, text)
        if not seen.values:
            continue
        value = seen.value
        if value.type.is_ordered and not isinstance(value.type, Boolean | String | Enum):
            measures |= {f"{i}.low": _shown(aggregate("min", value)), f"{i}.high": _shown(aggregate("max", value))}
        if isinstance(value.type, String) and seen.different <= MOST_WORDS * 2:
            measures[f"{i}.words"] = Aggregate(List(String()), "list", (value,), True, None, (SortKey(value),))
        if seen.may_be_key:
            measures[f"{i}.distinct"] = aggregate("count", value, distinct=True)
    return measures


def propose(schema: Schema, found: Mapping[str, Any], closer: Mapping[str, Any], *, text: bool) -> Proposal:
    """The contract that the measures of both looks suggest."""
    columns: dict[str, ColumnContract] = {}
    remarks: dict[str, str] = {}
    keys = []
    for i, column in enumerate(schema):
        seen = _Seen(i, column, found, text)
        columns[column.name] = _contract(seen, closer)
        remarks[column.name] = _remark(seen, closer)
        if seen.may_be_key and closer.get(f"{i}.distinct") == seen.rows:
            keys.append(column.name)
    key = Key(columns=(keys[0],)) if keys else None
    about = f"{found['rows']:,} rows were looked at"
    if len(keys) > 1:
        about += f"; {', '.join(keys[1:])} would make a key as well"
    return Proposal(Contract(columns=columns, key=key), remarks, about)


@record
class _Seen:
    """What the first look found of one column."""

    place: int
    column: Column
    found: Mapping[str, Any]
    text: bool

    @property
    def rows(self) -> int:
        return int(self.found["rows"])

    @property
    def is_text(self) -> bool:
        return self.text and isinstance(self.column.type, String)

    def _measured(self, what: str) -> int:
        return int(self.found.get(f"{self.place}.{what}") or 0)

    @property
    def tokens(self) -> dict[str, int]:
        """How often each word for null was seen."""
        counts = {token: self._measured(f"token{j}") for j, token in enumerate(TOKENS)} if self.is_text else {}
        return {token: count for token, count in counts.items() if count}

    @property
    def fitting(self) -> list[Candidate]:
        """The types that hold every text but the words for null."""
        values = self._measured("values") - sum(self.tokens.values())
        return [c for c in CANDIDATES if self._measured(c.name) == values] if self.is_text else []

    @property
    def candidate(self) -> Candidate | None:
        """The narrowest of them; none for text, where there are no values, and where two ways to write dates fit equally."""
        fitting = self.fitting
        ambiguous = {"date_slashes", "date_american"} <= {c.name for c in fitting}
        return None if ambiguous or not fitting or len(fitting) == len(CANDIDATES) else fitting[0]

    @property
    def kind(self) -> DataType:
        return self.candidate.kind if self.candidate else self.column.type

    @property
    def null_words(self) -> tuple[str, ...]:
        """The words that stand for null here."""
        if not self.is_text:
            return ()
        return tuple(self.tokens) if self.candidate else tuple(token for token in self.tokens if token == "")

    @property
    def values(self) -> int:
        return self._measured("values") - sum(self.tokens[word] for word in self.null_words)

    @property
    def different(self) -> int:
        return self._measured("different")

    @property
    def value(self) -> Expr:
        """The typed value of the column."""
        value: Expr = ColumnRef(self.column.type, self.column.name)
        if self.null_words:
            value = null_if_one_of(value, self.null_words)
        return _read(value, self.candidate) if self.candidate else value

    @property
    def may_be_key(self) -> bool:
        likely = isinstance(self.kind, Integer | String) and self.different >= NEARLY_ALL * self.rows
        return likely and self.rows > 1 and self.values == self.rows


def _contract(seen: _Seen, closer: Mapping[str, Any]) -> ColumnContract:
    written: dict[str, Any] = {"type": seen.kind}
    if seen.candidate and seen.candidate.pattern:
        written["format"] = seen.candidate.pattern
    default = () if isinstance(seen.kind, String) else ("",)
    if not set(seen.null_words) <= set(default):
        written["nulls"] = tuple(dict.fromkeys((*default, *seen.null_words)))
    if seen.rows and seen.values == seen.rows:
        written["required"] = True
    if words := _words(seen, closer):
        written["in"] = words
    return ColumnContract.model_validate(written)


def _words(seen: _Seen, closer: Mapping[str, Any]) -> tuple[str, ...]:
    """The few words of a column of text, if they come often enough to be all there are."""
    listed = [word for word in closer.get(f"{seen.place}.words") or () if word is not None]
    few = 1 < len(listed) <= MOST_WORDS and seen.values >= OFTEN * len(listed)
    return tuple(listed) if few and not set(listed) & set(TOKENS) else ()


def _remark(seen: _Seen, closer: Mapping[str, Any]) -> str:
    parts = []
    low, high = closer.get(f"{seen.place}.low"), closer.get(f"{seen.place}.high")
    if low is not None:
        parts.append(_told(low) if low == high else f"{_told(low)} to {_told(high)}")
    elif seen.values and seen.different and not _words(seen, closer):
        parts.append("one value" if seen.different == 1 else f"about {seen.different:,} different values")
    missing = seen.rows - seen.values
    if not seen.values:
        parts.append("no values at all")
    elif missing:
        parts.append(f"{missing:,} without a value")
    odd = [f"`{token}` {count:,} times" for token, count in seen.tokens.items() if token not in seen.null_words]
    if odd:
        parts.append(f"{', '.join(odd)}: add it to `nulls` if it means nothing")
    return "; ".join(parts)


def _read(value: Expr, candidate: Candidate) -> Expr:
    return cast(value, candidate.kind, lenient=True, written=candidate.written)


def _only(value: Expr, candidate: Candidate) -> Expr | None:
    return None if candidate.only is None else test("regexp_matches", value, constant(candidate.only, String()))


def _shown(extreme: Expr) -> Expr:
    """Instants as text, as people read them."""
    return cast(extreme, String()) if extreme.type == Timestamp(True) else extreme


def _told(value: Any) -> str:
    return str(value) if isinstance(value, int | str) else number(value)


def _is_comparable(kind: DataType) -> bool:
    return not isinstance(kind, Json | List | Struct)
