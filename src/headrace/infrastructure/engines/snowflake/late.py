"""The rules that need more than the row, in the database: keys, by one grouping, and references, by an anti join. Not the rules of
one row.

What they find is a table of (row, rule), empty when all is well, in which case nothing else is read.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from headrace.business.model.contract import OnViolation
from headrace.business.processing.plan import PlannedSource
from headrace.business.validation.compiled import KeyRule, ReferenceRule
from headrace.infrastructure.engines.snowflake.checked import Checked
from headrace.infrastructure.engines.snowflake.dialect import DIALECT
from headrace.infrastructure.engines.snowflake.intake import ROW
from headrace.infrastructure.engines.snowflake.staging_area import StagingArea

#: What keeps a row from counting.
_HELD: tuple[OnViolation, ...] = ("fail", "quarantine", "drop")

_identifier = DIALECT.identifier


class Late:
    """The late findings of one dataset."""

    def __init__(self, area: StagingArea, source: PlannedSource, checked: Checked) -> None:
        self.area, self.source, self.checked = area, source, checked
        self.table = area.name("late", source.name)
        self.rules = tuple(source.contract.late)
        self.counts: dict[str, int] = {}

    def find(self, good: Mapping[str, str]) -> None:
        """Fill the table. `good` gives, by dataset, the relation of the good rows that references may point at."""
        if not self.rules:
            return
        self.area.connection.run(self.area.creating(self.table, '"r" NUMBER(19, 0), "rule" NUMBER(10, 0)'))
        own: list[tuple[int, ReferenceRule]] = []
        for number, rule in enumerate(self.rules):
            if isinstance(rule, KeyRule):
                self._add(number, self._repeated(rule))
            elif rule.dataset == self.source.name:
                own.append((number, rule))
            else:
                self._add(number, self._orphaned(number, rule, good[rule.dataset]))
        # A row that is held back is nobody's parent any more, so its children follow, and theirs: a pass for each generation.
        while sum(self._add(number, self._orphaned_here(number, rule)) for number, rule in own):
            continue

    def _add(self, number: int, query: str) -> int:
        """Write down the rows of a query as having broken a rule; how many they are."""
        found = self.area.connection.run(f'INSERT INTO {self.table} SELECT "r", {number} FROM ({query}) AS found')
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
            return "FALSE"
        return f'{ROW} IN (SELECT "r" FROM {self.table} WHERE "rule" IN ({", ".join(numbers)}))'

    def _repeated(self, rule: KeyRule) -> str:
        columns = [_identifier(name) for name in rule.columns]
        complete = " AND ".join(f"{c} IS NOT NULL" for c in columns)
        same = " AND ".join(f"c.{c} = k.{c}" for c in columns)
        listed = ", ".join(columns)
        return (
            f'SELECT c.{ROW} AS "r" FROM {self.checked.table} AS c JOIN (SELECT {listed} FROM {self.checked.table} '
            f"WHERE {complete} GROUP BY {listed} HAVING count(*) > 1) AS k ON {same}"
        )

    def _orphaned_here(self, number: int, rule: ReferenceRule) -> str:
        """As far as known now: among the rows of the dataset itself that nothing holds back."""
        held = f"{self.checked.breaks(_HELD)} OR {self.breaks(_HELD)}"
        return self._orphaned(number, rule, f"(SELECT * FROM {self.checked.table} WHERE NOT ({held}))")

    def _orphaned(self, number: int, rule: ReferenceRule, parents: str) -> str:
        mine: Sequence[str] = [_identifier(name) for name in rule.columns]
        complete = " AND ".join(f"c.{c} IS NOT NULL" for c in mine)
        if self.counts.get(rule.name):
            complete += f' AND c.{ROW} NOT IN (SELECT "r" FROM {self.table} WHERE "rule" = {number})'
        same = " AND ".join(f"c.{c} = p.{_identifier(p)}" for c, p in zip(mine, rule.parents, strict=True))
        return (
            f'SELECT c.{ROW} AS "r" FROM {self.checked.table} AS c WHERE {complete} '
            f"AND NOT EXISTS (SELECT 1 FROM {parents} AS p WHERE {same})"
        )
