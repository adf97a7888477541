"""The rules that need more than the row, on the executors: keys, by one grouping, and references, by an anti join. Not the rules of one
row.

What they find is written down as (row, rule), a folder for each pass; empty when all is well, in which case nothing else is read.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from headrace.business.model.contract import OnViolation
from headrace.business.processing.plan import PlannedSource
from headrace.business.validation.compiled import KeyRule, ReferenceRule
from headrace.infrastructure.engines.spark.area import Area, read
from headrace.infrastructure.engines.spark.checked import NUMBER, Checked
from headrace.infrastructure.engines.spark.naming import identifier

#: What keeps a row from counting.
HELD: tuple[OnViolation, ...] = ("fail", "quarantine", "drop")
#: The numbers of the late rules that a row broke, in order; null when it broke none.
LATE = identifier("#late")


class Late:
    """The late findings of one dataset, over the rows that lie in `checked_rows`."""

    def __init__(self, area: Area, source: PlannedSource, checked: Checked, checked_rows: str) -> None:
        self.area, self.source, self.checked, self.checked_rows = area, source, checked, checked_rows
        self.rules = tuple(source.contract.late)
        self.counts: dict[str, int] = {}
        self._found: list[Path] = []

    def find(self, good: Mapping[str, str], left: str = "false") -> None:
        """Look. `good` gives, by dataset, the relation of the good rows that references may point at. Rows of which `left` is true count
        beside the others, but nothing is found of them: an earlier run has judged them."""
        own: list[tuple[int, ReferenceRule]] = []
        for number, rule in enumerate(self.rules):
            if isinstance(rule, KeyRule):
                self._add(number, self._repeated(rule), left)
            elif rule.dataset == self.source.name:
                own.append((number, rule))
            else:
                self._add(number, self._orphaned(number, rule, good[rule.dataset]), left)
        # A row that is held back is nobody's parent any more, so its children follow, and theirs: a pass for each generation.
        while sum(self._add(number, self._orphaned_here(number, rule), left) for number, rule in own):
            continue

    @property
    def any(self) -> bool:
        return any(self.counts.values())

    @property
    def rows(self) -> str:
        """The checked rows with `LATE` beside them."""
        if not self._found:
            return f"(SELECT *, CAST(NULL AS ARRAY<INT>) AS {LATE} FROM {self.checked_rows})"
        rules = f"SELECT r, sort_array(collect_set(rule)) AS {LATE} FROM {read(*self._found)} GROUP BY r"
        return f"(SELECT c.*, l.{LATE} FROM {self.checked_rows} AS c LEFT JOIN ({rules}) AS l ON l.r = c.{NUMBER})"

    def breaks(self, actions: Collection[OnViolation]) -> str:
        """A condition on `rows`: the row broke a late rule with one of these consequences."""
        numbers = [str(i) for i, rule in enumerate(self.rules) if rule.action in actions and self.counts.get(rule.name)]
        return f"coalesce(arrays_overlap({LATE}, array({', '.join(numbers)})), false)" if numbers else "false"

    def _add(self, number: int, query: str, left: str) -> int:
        """Write down the rows of a query as having broken a rule; how many they are."""
        new = (
            query
            if left == "false"
            else f"SELECT r FROM ({query}) WHERE r NOT IN (SELECT {NUMBER} FROM {self.checked_rows} WHERE {left})"
        )
        path = self.area.write("late", self.source.name, f"SELECT r, {number} AS rule FROM ({new})")
        found = int(self.area.cluster.rows(f"SELECT count(*) FROM {read(path)}")[0][0])
        if found:
            self._found.append(path)
        name = self.rules[number].name
        self.counts[name] = self.counts.get(name, 0) + found
        return found

    def _repeated(self, rule: KeyRule) -> str:
        columns = [identifier(name) for name in rule.columns]
        complete = " AND ".join(f"{c} IS NOT NULL" for c in columns)
        listed = ", ".join(columns)
        return (
            f"SELECT c.{NUMBER} AS r FROM {self.checked_rows} AS c LEFT SEMI JOIN (SELECT {listed} FROM {self.checked_rows} "
            f"WHERE {complete} GROUP BY {listed} HAVING count(*) > 1) AS k ON {' AND '.join(f'c.{c} = k.{c}' for c in columns)}"
        )

    def _orphaned_here(self, number: int, rule: ReferenceRule) -> str:
        """As far as known now: among the rows of the dataset itself that nothing holds back."""
        held = f"{self.checked.breaks(HELD)} OR {self.breaks(HELD)}"
        return self._orphaned(number, rule, f"(SELECT * FROM {self.rows} WHERE NOT ({held}))")

    def _orphaned(self, number: int, rule: ReferenceRule, parents: str) -> str:
        mine = [identifier(name) for name in rule.columns]
        complete = " AND ".join(f"c.{c} IS NOT NULL" for c in mine)
        if self.counts.get(rule.name):
            complete += f" AND NOT coalesce(array_contains(c.{LATE}, {number}), false)"
        same = " AND ".join(f"c.{c} = p.{identifier(p)}" for c, p in zip(mine, rule.parents, strict=True))
        children = f"(SELECT * FROM {self.rows} AS c WHERE {complete})"
        return f"SELECT c.{NUMBER} AS r FROM {children} AS c LEFT ANTI JOIN {parents} AS p ON {same}"
