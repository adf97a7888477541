"""What a dataset promises, as people write it: typed columns, their rules, keys, and what happens to rows that break them.

Not how it is checked: `validation` compiles a contract into typed expressions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime, time
from decimal import Decimal
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BeforeValidator, Field, PlainSerializer, StrictBool, StrictInt, WithJsonSchema

from headrace.business.model.durations import Duration
from headrace.business.model.part import Model
from headrace.business.model.references import Sql
from headrace.business.model.schema import did_you_mean, suggest
from headrace.business.model.shorthand import Shorthand
from headrace.business.model.types import ALIASES, TYPE_NAMES, DataType, parse_type
from headrace.business.model.wording import Misworded

#: What happens to a row that breaks a rule: held back (and kept), dropped (and counted), the run fails, or only noted.
OnViolation = Literal["quarantine", "drop", "fail", "warn"]

#: What happens when the data have columns that the contract does not list, or values of another type.
OnDrift = Literal["evolve", "freeze", "discard_row", "discard_value", "quarantine_row"]

Scalar = StrictBool | StrictInt | float | Decimal | datetime | date | time | str
T = TypeVar("T")


#: The types by their first word.
_HEADS = {re.split("[(<]", name)[0]: name for name in (*TYPE_NAMES, *ALIASES)}


def _type(written: Any) -> DataType:
    if isinstance(written, DataType):
        return written
    if not isinstance(written, str):
        raise Misworded("a type is a word such as `int32` or `decimal(15, 2)`")
    try:
        return parse_type(written)
    except ValueError as error:
        near = suggest(re.split("[(<]", written)[0].strip(), _HEADS)
        raise Misworded(str(error), f"did you mean `{_HEADS[near]}`?" if near else did_you_mean(written, TYPE_NAMES)) from None


TypeOption = Annotated[
    DataType,
    BeforeValidator(_type),
    PlainSerializer(str, return_type=str),
    WithJsonSchema(
        {
            "anyOf": [
                {"enum": [*(name for name in TYPE_NAMES if name.isalnum()), *ALIASES]},
                {"type": "string", "pattern": r"^\s*((decimal|numeric)\b|(list|struct)\s*<|enum\s*\(|timestamp\b|.*\[\]\s*$)"},
            ],
            "examples": ["int32", "decimal(15, 2)"],
        }
    ),
]


class Ruled(Model, Generic[T]):
    """A rule's value, written bare (`required: true`) or with its own severity (`required: {is: true, on_violation: warn}`)."""

    is_: T = Field(alias="is")
    on_violation: OnViolation | None = None


def _ruled(written: Any) -> Any:
    if isinstance(written, Ruled) or (isinstance(written, Mapping) and ("is" in written or "on_violation" in written)):
        return written
    return {"is": written}


class Length(Model):
    """How many characters (Unicode code points) a text may have."""

    min: Annotated[int, Field(ge=0)] | None = None
    max: Annotated[int, Field(ge=0)] | None = None


def _length(written: Any) -> Any:
    return {"min": written, "max": written} if isinstance(written, int) and not isinstance(written, bool) else written


def _list(written: Any) -> Any:
    return [written] if isinstance(written, str) else written


class ColumnContract(Model):
    """What one column promises. Null breaks no rule but `required`."""

    type: TypeOption | None = Field(None, description="The type; inferred from the data when left out")
    source: str | None = Field(None, description="The column's name in the data, when it differs")
    description: str | None = None
    classification: str | None = Field(None, description="How sensitive it is: pii, confidential, public, ...")

    nulls: tuple[str, ...] | None = Field(None, description="Texts that mean null, instead of the empty one")
    trim: bool = Field(False, description="Strip spaces from the text before anything else")
    format: str | None = Field(None, description="How dates and times are written, in strptime letters")
    decimal_mark: Literal[".", ","] = "."
    thousands_mark: Literal[",", ".", " ", "'", "_"] | None = None
    true_words: tuple[str, ...] = Field(("true",), description="Texts that mean true, whatever their case")
    false_words: tuple[str, ...] = Field(("false",), description="Texts that mean false, whatever their case")

    required: Annotated[Ruled[StrictBool], Shorthand(_ruled, of="is")] | None = None
    unique: Annotated[Ruled[StrictBool], Shorthand(_ruled, of="is")] | None = None
    in_: Annotated[Ruled[tuple[Scalar, ...]], Shorthand(_ruled, of="is")] | None = Field(None, alias="in")
    not_in: Annotated[Ruled[tuple[Scalar, ...]], Shorthand(_ruled, of="is")] | None = None
    between: Annotated[Ruled[tuple[Scalar | None, Scalar | None]], Shorthand(_ruled, of="is")] | None = None
    at_least: Annotated[Ruled[Scalar], Shorthand(_ruled, of="is")] | None = None
    at_most: Annotated[Ruled[Scalar], Shorthand(_ruled, of="is")] | None = None
    above: Annotated[Ruled[Scalar], Shorthand(_ruled, of="is")] | None = None
    below: Annotated[Ruled[Scalar], Shorthand(_ruled, of="is")] | None = None
    matches: Annotated[Ruled[str], Shorthand(_ruled, of="is")] | None = Field(
        None, description="A regular expression (RE2) that must be found in the text; anchor it with ^ and $"
    )
    length: Annotated[Ruled[Annotated[Length, Shorthand(_length, of="min")]], Shorthand(_ruled, of="is")] | None = None
    references: Annotated[Ruled[str], Shorthand(_ruled, of="is")] | None = Field(
        None, description="`dataset.column` that must hold the value"
    )
    on_violation: OnViolation | None = Field(None, description="For all rules of this column")


class DatasetRule(Model):
    """A rule over a whole row: a condition that must be true, a reference of one or several columns to another dataset, or, in a
    stream, how the row comes behind those of its partition that came before it."""

    expression: Sql | None = None
    references: str | tuple[str, ...] | None = Field(
        None, description="`dataset.column`, or several of them, in the order of `column`"
    )
    column: Annotated[tuple[str, ...], Shorthand(_list, also=(("type", "string"),))] | None = None
    nulls: Literal["pass", "fail"] = Field("pass", description="Whether a condition that is null passes")
    lateness: Duration | None = Field(
        None, description="How far behind the watermark of its partition a row of a stream may come, at the most"
    )
    unique: Annotated[tuple[str, ...], Shorthand(_list, also=(("type", "string"),))] | None = Field(
        None,
        min_length=1,
        description="Columns by which no row of a stream came before that happened less than `within` from it",
    )
    within: Duration | None = Field(None, description="With `unique`: how long, in event time, rows are remembered")
    sequence: str | None = Field(
        None,
        description="A column whose numbers have no gap: none is greater by more than one than the greatest before it. The row behind a "
        "gap is not at fault, so `on_violation` is `warn` unless said here",
    )
    by: Annotated[tuple[str, ...], Shorthand(_list, also=(("type", "string"),))] = Field(
        (), description="With `sequence`: columns that have a sequence for each of their values"
    )
    on_violation: OnViolation | None = None
    description: str | None = None


def _rule(written: Any) -> Any:
    return {"expression": written} if isinstance(written, str) else written


class Key(Model):
    """Columns that together name a row: none of them null, no two rows alike."""

    columns: Annotated[tuple[str, ...], Shorthand(_list, also=(("type", "string"),)), Field(min_length=1)]
    on_violation: OnViolation | None = None


def _key(written: Any) -> Any:
    return {"columns": written} if isinstance(written, str | list | tuple) else written


class Drift(Model):
    """What happens when the data no longer look like the contract."""

    columns: OnDrift = Field("evolve", description="Columns that the contract does not list")
    types: Literal["discard_row", "discard_value", "quarantine_row", "freeze"] = Field(
        "quarantine_row", description="Values that are not of their type"
    )


def _drift(written: Any) -> Any:
    if not isinstance(written, str):
        return written
    return {"columns": written} if written == "evolve" else {"columns": written, "types": written}


def _column(written: Any) -> Any:
    return {"type": written} if isinstance(written, str | DataType) else written


class Contract(Model):
    """What a dataset promises."""

    columns: dict[str, Annotated[ColumnContract, Shorthand(_column, of="type")]] = Field(default_factory=dict)
    key: Annotated[Key, Shorthand(_key, of="columns")] | None = None
    rules: dict[str, Annotated[DatasetRule, Shorthand(_rule, of="expression")]] = Field(default_factory=dict)
    on_violation: OnViolation = "quarantine"
    on_drift: Annotated[Drift, Shorthand(_drift, of="columns")] = Drift()
    description: str | None = None
