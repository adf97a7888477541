"""The rules that need more than the row: keys, by one grouping, and references, by an anti join. Not the rules of one row.

What they find is a table of (row, rule), empty when all is well, in which case nothing else is read.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from headrace.business.model.contract import OnViolation
from headrace.business.processing.plan import PlannedSource
from headrace.business.validation.compiled import KeyRule, ReferenceRule
from headrace.infrastructure.duckdb_connection import Connection
from headrace.infrastructure.engines.duckdb.checked import Checked, stored
from headrace.infrastructure.engines.duckdb.literals import identifier

#: What keeps a row from counting.
_HELD: tuple[OnViolation, ...] = ("fail", "quarantine", "drop")


class Late:
    """The late findings of one dataset."""

    def __init__(self, con: Connection, source: PlannedSource, checked: Checked) -> None:
        self.con, self.source, self.checked = con, source, checked
        self.rules = tuple(source.contract.late)
        self.table = identifier(f"late {source.name}")
        self.counts: dict[str, int] = {}

    def find(self, good: Mapping[str, str], left: str = "false") -> None:
        """Fill the table. `good` gives, by dataset, the relation of the good rows that references may point at. Rows of which `left`
        is true count beside the others, but nothing is found of them: an earlier run has judged them."""
        self.con.execute(f'CREATE TABLE {self.table} ("row" BIGINT, rule INTEGER)')
        own: list[tuple[int, ReferenceRule]] = []
        for number, rule in enumerate(self.rules):
            if isinstance(rule, KeyRule):
                self._add(number, self._repeated(rule))
            elif rule.dataset == self.source.name:
                own.append((number, rule))
            else:
                self._add(number, self._orphaned(number, rule, good[rule.dataset], [identifier(name) for name in rule.parents]))
        # A row that is held back is nobody's parent any more, so its children follow, and theirs: a pass for each generation.
        while sum(self._add(number, self._orphaned_here(number, rule)) for number, rule in own):
            continue
        if left != "false":
            self._forget(left)

    def _forget(self, left: str) -> None:
        self.con.execute(f'DELETE FROM {self.table} WHERE "row" IN (SELECT rowid FROM {self.checked.table} WHERE {left})')
        remaining = self.con.execute(f"SELECT rule, count(*) FROM {self.table} GROUP BY rule").fetchall()
        self.counts = {self.rules[number].name: int(count) for number, count in remaining}

    def _add(self, number: int, query: str) -> int:
        """Write down the rows of a query as having broken a rule; how many they are."""
        found = int(self.con.execute(f"INSERT INTO {self.table} SELECT r, {number} FROM ({query})").fetchall()[0][0])
        name = self.rules[number].name
        self.counts[name] = self.counts.get(name, 0) + found
        return found

    @property
    def any(self) -> bool:
        return any(self.counts.values())

    def breaks(self, actions: Collection[OnViolation]) -> str:
        """A condition on the checked table: the row broke a late rule with one of these consequences."""
        numbers = [str(i) for i, rule in enumerate(self.rules) if rule.action in actions and self.counts.get(rule.name)]
        if not numbers:
            return "false"
        return f'rowid IN (SELECT "row" FROM {self.table} WHERE rule IN ({", ".join(numbers)}))'

    def _repeated(self, rule: KeyRule) -> str:
        columns = [stored(name) for name in rule.columns]
        complete = " AND ".join(f"{c} IS NOT NULL" for c in columns)
        same = " AND ".join(f"c.{c} = k.{c}" for c in columns)
        return (
            f"SELECT c.rowid AS r FROM {self.checked.table} AS c SEMI JOIN (SELECT {', '.join(columns)} FROM {self.checked.table} "
            f"WHERE {complete} GROUP BY ALL HAVING count(*) > 1) AS k ON {same}"
        )

    def _orphaned_here(self, number: int, rule: ReferenceRule) -> str:
        """As far as known now: among the rows of the dataset itself that nothing holds back."""
        held = f"{self.checked.breaks(_HELD)} OR {self.breaks(_HELD)}"
        parents = f"(SELECT * FROM {self.checked.table} WHERE NOT ({held}))"
        return self._orphaned(number, rule, parents, [stored(name) for name in rule.parents])

    def _orphaned(self, number: int, rule: ReferenceRule, parents: str, theirs: Sequence[str]) -> str:
        mine = [stored(name) for name in rule.columns]
        complete = " AND ".join(f"c.{c} IS NOT NULL" for c in mine)
        if self.counts.get(rule.name):
            complete += f' AND c.rowid NOT IN (SELECT "row" FROM {self.table} WHERE rule = {number})'
        same = " AND ".join(f"c.{c} = p.{p}" for c, p in zip(mine, theirs, strict=True))
        rows = f'SELECT c.rowid AS "#:r", c.* FROM {self.checked.table} AS c WHERE {complete}'
        return f'SELECT "#:r" AS r FROM ({rows}) AS c ANTI JOIN {parents} AS p ON {same}'
