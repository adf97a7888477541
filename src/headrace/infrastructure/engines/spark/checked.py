"""The one scan that judges a dataset on the executors: typed values with a mask of broken rules per row. Not keys and references."""

from __future__ import annotations

from headrace.business.ports import PROVENANCE
from headrace.business.processing.plan import PlannedSource
from headrace.business.validation.compiled import tidy
from headrace.infrastructure.engines.spark.expressions import ExpressionPrinter
from headrace.infrastructure.engines.spark.intake import ROW
from headrace.infrastructure.engines.spark.naming import identifier, text
from headrace.infrastructure.engines.sql.masks import Masks

FILE = identifier("#file")
NUMBER = identifier(ROW)


class Checked(Masks):
    """The SQL around the checked rows of one source."""

    def __init__(self, source: PlannedSource) -> None:
        super().__init__(source.contract.rules, identifier)
        self.source = source
        self.kept = [cell.column.name for cell in source.contract.cells if cell.column.name in source.needed]

    def among(self, mask: str, bits: int) -> str:
        return f"({mask} & {bits}L)"

    def query(self, relation: str) -> str:
        """What judges the rows of `relation`, whose columns are the number, the file and the raw cells."""
        printer = ExpressionPrinter()
        cells = self.source.contract.cells
        tidied = [f"{printer.sql(c.tidied)} AS {identifier(tidy(c.column.name))}" for c in cells if c.tidied is not None]
        typed = [f"{printer.sql(cell.value)} AS {identifier(cell.column.name)}" for cell in cells]
        masks = [f"{self._mask(i, printer)} AS {mask}" for i, mask in enumerate(self.masks)]
        kept = [*map(identifier, self.kept), *self.masks, f"{identifier(PROVENANCE)} AS {FILE}", NUMBER]
        return (
            f"SELECT {_lines(kept)}\nFROM (\n"
            f"SELECT {_lines(['*', *masks])}\nFROM (\n"
            f"SELECT {_lines(['*', *typed])}\nFROM (\n"
            f"SELECT {_lines(['*', *tidied])}\nFROM {relation}\n)))"
        )

    def _mask(self, number: int, printer: ExpressionPrinter) -> str:
        rules = self.rules_of(number)
        return "\n       + ".join(
            f"CASE WHEN {printer.sql(rule.violated)} THEN {1 << bit}L ELSE 0L END" for bit, rule in enumerate(rules)
        )

    def reasons(self) -> str:
        """An array of the names of the rules that a row broke, in the order of the contract."""
        names = [f"CASE WHEN {broken} THEN {text(rule.name)} END" for rule, broken in self.each()]
        return f"array_compact(CAST(array({', '.join(names)}) AS ARRAY<STRING>))"


def _lines(parts: list[str]) -> str:
    return ",\n       ".join(parts)
