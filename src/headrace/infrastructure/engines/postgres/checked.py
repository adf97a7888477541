"""The one scan that judges a dataset in the database: a table of typed values with a mask of broken rules per row. Not keys and
references.

Every cast and every verdict is computed once: `OFFSET 0` keeps the planner from putting an expression wherever its name is used,
which would evaluate each cast once for each rule on its column (measured at two and a half times the work).
"""

from __future__ import annotations

from headrace.business.model.types import String
from headrace.business.ports import PROVENANCE
from headrace.business.processing.plan import PlannedSource
from headrace.business.validation.compiled import raw, tidy
from headrace.infrastructure.engines.postgres.dialect import DIALECT
from headrace.infrastructure.engines.postgres.expressions import ExpressionPrinter
from headrace.infrastructure.engines.postgres.intake import ROW
from headrace.infrastructure.engines.sql.masks import Masks

FILE = '"#file"'

_identifier = DIALECT.identifier


class Checked(Masks):
    """The names and the SQL around the checked table of one source. With `keeps_cells` it also keeps the cells, as they came, of the
    rows that broke a rule: for rows that are nowhere else under their number."""

    def __init__(self, source: PlannedSource, table: str, *, keeps_cells: bool) -> None:
        super().__init__(source.contract.rules, _identifier)
        self.source, self.table, self.keeps_cells = source, table, keeps_cells
        self.kept = [cell.column.name for cell in source.contract.cells if cell.column.name in source.needed]

    def create(self, relation: str) -> str:
        """The statement that reads `relation`, whose columns are `ROW`, the file and the raw cells, and leaves the checked table."""
        printer = ExpressionPrinter()
        cells = [cell for cell in self.source.contract.cells if cell.source in self.source.columns_read]
        tidied = [f"{printer.sql(c.tidied)} AS {_identifier(tidy(c.column.name))}" for c in cells if c.tidied is not None]
        typed = [f"{printer.sql(cell.value)} AS {_identifier(cell.column.name)}" for cell in cells]
        masks = [f"{self._mask(i, printer)} AS {mask}" for i, mask in enumerate(self.masks)]
        kept = [*map(_identifier, self.kept), *self.masks, *self._cells(), f"{PROVENANCE} AS {FILE}", ROW]
        return (
            f"CREATE UNLOGGED TABLE {self.table} AS\n"
            f"SELECT {_lines(kept)}\nFROM (\n"
            f"SELECT {_lines(['*', *masks])}\nFROM (\n"
            f"SELECT {_lines(['*', *typed])}\nFROM (\n"
            f"SELECT {_lines(['*', *tidied])}\nFROM {relation} AS arriving OFFSET 0\n"
            ") AS tidied OFFSET 0\n) AS typed OFFSET 0\n) AS judged"
        )

    def _mask(self, number: int, printer: ExpressionPrinter) -> str:
        rules = self.rules_of(number)
        return "\n       + ".join(
            f"CASE WHEN {printer.sql(rule.violated)} THEN {1 << bit}::bigint ELSE 0 END" for bit, rule in enumerate(rules)
        )

    def _cells(self) -> list[str]:
        if not self.keeps_cells or not self.masks:
            return []
        names = [_identifier(raw(name)) for name in self.source.contract.raw_columns]
        return [f"CASE WHEN {self.any_bit()} THEN {name} END AS {name}" for name in names]

    def few(self) -> str:
        """As `any_bit`, for a planner that knows nothing of the table yet: it takes a range for rare, and would take "not zero" for nearly
        all rows, sort both sides and join them, where it has but to look up a few."""
        return f"({' OR '.join(f'{mask} BETWEEN 1 AND {2**63 - 1}' for mask in self.masks)})" if self.masks else "false"

    def reasons(self) -> str:
        """An array of the names of the rules that a row broke, in the order of the contract."""
        names = [f"CASE WHEN {broken} THEN {DIALECT.literal(rule.name, String())} END" for rule, broken in self.each()]
        return f"array_remove(ARRAY[{', '.join(names)}]::text[], NULL)"


def _lines(parts: list[str]) -> str:
    return ",\n       ".join(parts)
