"""A contract made ready for an engine: typed cells, rules with their verdict expressions, keys and references.

Not how it is written (`model.contract`) nor how an engine evaluates it. Verdicts are expressions over the *cells* relation:
the typed columns by their names, what was cast behind `tidy(name)`, and what the data held behind `raw(name in the data)`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import field

from headrace.business.model.contract import OnViolation
from headrace.business.model.schema import Column, Schema
from headrace.business.processing.expressions.ir import Expr
from headrace.records import record

#: From the heaviest: what happens to a row that breaks several rules.
SEVERITY: tuple[OnViolation, ...] = ("fail", "quarantine", "drop", "warn")

#: The reason of a record that could not even be split into cells.
UNREADABLE = "row.unreadable"


#: What names of our own beside those of the data begin with.
OURS = "#:"


def raw(name: str) -> str:
    """The name of a column's untouched text in the cells relation."""
    return f"{OURS}raw {name}"


def tidy(name: str) -> str:
    """The name of what is cast to become a column: its text without the words for null."""
    return f"{OURS}tidy {name}"


def reserved(name: str) -> bool:
    """Whether a column of this name would hide one that is needed to judge the rows."""
    return re.fullmatch(rf"_file|#(\d+|raw|file|rowid)|{OURS}.*", name, re.IGNORECASE | re.DOTALL) is not None


def version(name: str, text: str) -> str:
    """A short fingerprint of what a rule says."""
    return hashlib.sha256(f"{name}: {text}".encode()).hexdigest()[:12]


@record
class Cell:
    """One column of a dataset: its name in the data, and the expression that makes its value.

    A column that is cast has an expression for what is cast, over the raw columns; its value is then made of `tidy(name)`.
    """

    column: Column
    source: str
    tidied: Expr | None
    value: Expr


@record
class Rule:
    """A rule of one row. `violated` is true for a row that breaks it; null counts as kept."""

    name: str
    columns: tuple[str, ...]
    violated: Expr
    action: OnViolation
    text: str

    @property
    def version(self) -> str:
        return version(self.name, self.text)


@record
class KeyRule:
    """No two rows share these values. Every row of a value that repeats breaks it; a row with a null among them does not."""

    name: str
    columns: tuple[str, ...]
    action: OnViolation

    @property
    def text(self) -> str:
        return f"unique ({', '.join(self.columns)})"

    @property
    def version(self) -> str:
        return version(self.name, self.text)


@record
class ReferenceRule:
    """These values stand among those of the good rows of another dataset. A row with a null among them does not break it."""

    name: str
    columns: tuple[str, ...]
    dataset: str
    parents: tuple[str, ...]
    action: OnViolation

    @property
    def text(self) -> str:
        return f"({', '.join(self.columns)}) in {self.dataset} ({', '.join(self.parents)})"

    @property
    def version(self) -> str:
        return version(self.name, self.text)


@record
class LatenessRule:
    """A row of a stream comes at most so many microseconds behind the watermark of its partition."""

    name: str
    most: int
    action: OnViolation
    columns: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        return f"at most {self.most} us behind the watermark"

    @property
    def version(self) -> str:
        return version(self.name, self.text)


@record
class CopyRule:
    """No row of a partition with these values came before that happened less than `within` microseconds from it. A row with a null
    among them breaks nothing."""

    name: str
    columns: tuple[str, ...]
    within: int
    action: OnViolation

    @property
    def text(self) -> str:
        return f"unique ({', '.join(self.columns)}) within {self.within} us"

    @property
    def version(self) -> str:
        return version(self.name, self.text)


@record
class SequenceRule:
    """In a partition the numbers of the first column, for each of the values of the others, have no gap."""

    name: str
    columns: tuple[str, ...]
    action: OnViolation

    @property
    def text(self) -> str:
        return f"sequence ({', '.join(self.columns)})"

    @property
    def version(self) -> str:
        return version(self.name, self.text)


#: How a row of a stream comes behind those of its partition that came before it. Not in a batch, where nothing comes.
ArrivalRule = LatenessRule | CopyRule | SequenceRule


@record
class CompiledContract:
    """All that an engine needs to judge the rows of one dataset."""

    cells: tuple[Cell, ...]
    rules: tuple[Rule, ...] = ()
    keys: tuple[KeyRule, ...] = ()
    references: tuple[ReferenceRule, ...] = ()
    arrivals: tuple[ArrivalRule, ...] = ()
    unreadable: OnViolation = "quarantine"
    raw_columns: tuple[str, ...] = field(default=())
    """The columns of the data whose text goes with a row into quarantine."""

    @property
    def schema(self) -> Schema:
        return Schema(tuple(cell.column for cell in self.cells))

    @property
    def late(self) -> Sequence[KeyRule | ReferenceRule]:
        """The rules that need more than the row itself."""
        return (*self.keys, *self.references)

    @property
    def everything(self) -> Sequence[AnyRule]:
        """All rules: those of one row, those that need more, and those of how rows come."""
        return (*self.rules, *self.late, *self.arrivals)


AnyRule = Rule | KeyRule | ReferenceRule | ArrivalRule
