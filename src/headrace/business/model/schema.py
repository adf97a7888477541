"""Schemas: the named, typed columns of a dataset or of an edge between two steps. Not its rules (see `validation`)."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from headrace.business.model.types import DataType
from headrace.records import record


@record
class Column:
    """A column: name, type, whether it may hold nulls, and how sensitive it is."""

    name: str
    type: DataType
    nullable: bool = True
    classification: str | None = None

    def __str__(self) -> str:
        return f"{self.name}: {self.type}" + ("" if self.nullable else " not null")


@dataclass(frozen=True)
class Schema:
    """Columns in order. Names are compared exactly; `resolve` also finds them without regard to case, as SQL does."""

    columns: tuple[Column, ...] = ()

    @classmethod
    def of(cls, **types: DataType) -> Schema:
        return cls(tuple(Column(name, kind) for name, kind in types.items()))

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(c.name for c in self.columns)

    def __iter__(self) -> Iterator[Column]:
        return iter(self.columns)

    def __len__(self) -> int:
        return len(self.columns)

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    def __getitem__(self, name: str) -> Column:
        return self._by_name[name]

    @cached_property
    def _by_name(self) -> dict[str, Column]:
        """The first of each name: whether names are unique is for others to judge."""
        return {column.name: column for column in reversed(self.columns)}

    def resolve(self, name: str) -> Column | None:
        """The column of that name: the exact one, else the only one that differs in case alone."""
        if name in self:
            return self[name]
        alike = [c for c in self.columns if c.name.lower() == name.lower()]
        return alike[0] if len(alike) == 1 else None

    def select(self, names: Iterable[str]) -> Schema:
        return Schema(tuple(self[name] for name in names))

    def suggest(self, name: str) -> str | None:
        return suggest(name, self.names)


def suggest(word: str, words: Iterable[str]) -> str | None:
    """The word that was probably meant, or None when nothing is near."""
    by_lower = {w.lower(): w for w in words}
    near = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[near[0]] if near else None


def did_you_mean(word: str, words: Iterable[str]) -> str:
    """A hint: the nearest word if there is one, else the allowed ones."""
    allowed = list(words)
    if near := suggest(word, allowed):
        return f"did you mean `{near}`?"
    shown = ", ".join(allowed[:12]) + (", ..." if len(allowed) > 12 else "")
    return f"allowed: {shown}" if allowed else "nothing is allowed here"
