"""The rules that need more than the row: keys, by one grouping, and references, by looking for parents. Not the rules of one row.

What they find is written down as (row, rule) in a table of its own; it is empty when all is well, in which case nothing else reads it.
How statements are carried out, and what a row and its columns are called, an engine says.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from typing import Any, ClassVar, Protocol

from headrace.business.model.contract import OnViolation
from headrace.business.processing.plan import PlannedSource
from headrace.business.validation.compiled import KeyRule, ReferenceRule

_HELD: tuple[OnViolation, ...] = ("fail", "quarantine", "drop")


class Judged(Protocol):
    """The checked table of a dataset."""

    table: str

    def breaks(self, actions: Collection[OnViolation]) -> str:
        """A condition: the row broke a rule of one row with one of these consequences."""
        ...


class LateRules(ABC):
    """The late findings of one dataset, in a table with the columns `r` and `rule`."""

    row: ClassVar[str]
    """What the number of a row of the checked table is called there, as SQL."""
    creating: ClassVar[str]
    """How a table is made that the run alone needs: `CREATE UNLOGGED TABLE`."""

    def __init__(self, source: PlannedSource, checked: Judged, table: str) -> None:
        self.source, self.checked, self.table = source, checked, table
        self.rules = tuple(source.contract.late)
        self.counts: dict[str, int] = {}

    @abstractmethod
    def run(self, statement: str) -> int:
        """Carry out a statement; the number of rows that it made."""

    @abstractmethod
    def rows(self, query: str) -> Sequence[Sequence[Any]]: ...

    @abstractmethod
    def column(self, name: str) -> str:
        """A column of a relation of good rows, as SQL."""

    def stored(self, name: str) -> str:
        """The same of the checked table."""
        return self.column(name)

    def find(self, good: Mapping[str, str], left: str = "false") -> None:
        """Fill the table. `good` gives, by dataset, the relation of the good rows that references may point at. Rows of which `left`
        is true count beside the others, but nothing is found of them: an earlier run has judged them."""
        if not self.rules:
            return
        self.run(f"{self.creating} {self.table} (r bigint, rule integer)")
        own: list[tuple[int, ReferenceRule]] = []
        for number, rule in enumerate(self.rules):
            if isinstance(rule, KeyRule):
                self._add(number, self._repeated(rule))
            elif rule.dataset == self.source.name:
                own.append((number, rule))
            else:
                self._add(number, self._orphaned(number, rule, good[rule.dataset], list(map(self.column, rule.parents))))
        # A row that is held back is nobody's parent any more, so its children follow, and theirs: a pass for each generation.
        while sum(self._add(number, self._orphaned_here(number, rule)) for number, rule in own):
            continue
        if left != "false":
            self._forget(left)

    @property
    def any(self) -> bool:
        return any(self.counts.values())

    def breaks(self, actions: Collection[OnViolation]) -> str:
        """A condition on the checked table: the row broke a late rule with one of these consequences."""
        numbers = [str(i) for i, rule in enumerate(self.rules) if rule.action in actions and self.counts.get(rule.name)]
        if not numbers:
            return "false"
        return f"{self.row} IN (SELECT r FROM {self.table} WHERE rule IN ({', '.join(numbers)}))"

    # How -------------------------------------------------------------------------------------------------------------

    def _add(self, number: int, query: str) -> int:
        """Write down the rows of a query as having broken a rule; how many they are."""
        found = self.run(f"INSERT INTO {self.table} SELECT r, {number} FROM ({query}) AS found")
        name = self.rules[number].name
        self.counts[name] = self.counts.get(name, 0) + found
        return found

    def _forget(self, left: str) -> None:
        self.run(f"DELETE FROM {self.table} WHERE r IN (SELECT {self.row} FROM {self.checked.table} WHERE {left})")
        remaining = self.rows(f"SELECT rule, count(*) FROM {self.table} GROUP BY rule")
        self.counts = {self.rules[number].name: int(count) for number, count in remaining}

    def _repeated(self, rule: KeyRule) -> str:
        columns = list(map(self.stored, rule.columns))
        complete = " AND ".join(f"{c} IS NOT NULL" for c in columns)
        same = " AND ".join(f"c.{c} = k.{c}" for c in columns)
        listed = ", ".join(columns)
        return (
            f"SELECT c.{self.row} AS r FROM {self.checked.table} AS c JOIN (SELECT {listed} FROM {self.checked.table} "
            f"WHERE {complete} GROUP BY {listed} HAVING count(*) > 1) AS k ON {same}"
        )

    def _orphaned_here(self, number: int, rule: ReferenceRule) -> str:
        """As far as known now: among the rows of the dataset itself that nothing holds back."""
        held = f"{self.checked.breaks(_HELD)} OR {self.breaks(_HELD)}"
        parents = f"(SELECT * FROM {self.checked.table} WHERE NOT ({held}))"
        return self._orphaned(number, rule, parents, list(map(self.stored, rule.parents)))

    def _orphaned(self, number: int, rule: ReferenceRule, parents: str, theirs: Sequence[str]) -> str:
        mine = list(map(self.stored, rule.columns))
        complete = " AND ".join(f"c.{c} IS NOT NULL" for c in mine)
        if self.counts.get(rule.name):
            complete += f" AND c.{self.row} NOT IN (SELECT r FROM {self.table} WHERE rule = {number})"
        same = " AND ".join(f"c.{c} = p.{p}" for c, p in zip(mine, theirs, strict=True))
        return (
            f"SELECT c.{self.row} AS r FROM {self.checked.table} AS c WHERE {complete} "
            f"AND NOT EXISTS (SELECT 1 FROM {parents} AS p WHERE {same})"
        )
