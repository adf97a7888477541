"""The one scan that judges a dataset in the database: a table of typed values with a mask of broken rules per row. Not keys and
references."""

from __future__ import annotations

from headrace.business.model.types import String
from headrace.business.ports import PROVENANCE
from headrace.business.processing.plan import PlannedSource
from headrace.business.validation.compiled import raw, tidy
from headrace.infrastructure.engines.snowflake.dialect import DIALECT
from headrace.infrastructure.engines.snowflake.expressions import ExpressionPrinter
from headrace.infrastructure.engines.snowflake.intake import ROW
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

    def among(self, mask: str, bits: int) -> str:
        return f"BITAND({mask}, {bits})"

    def query(self, relation: str) -> str:
        """A query of `relation`, whose columns are `ROW`, the file and the raw cells, that gives the checked rows."""
        printer = ExpressionPrinter()
        cells = self.source.contract.cells
        tidied = [f"{printer.sql(c.tidied)} AS {_identifier(tidy(c.column.name))}" for c in cells if c.tidied is not None]
        typed = [f"{printer.sql(cell.value)} AS {_identifier(cell.column.name)}" for cell in cells]
        masks = [f"{self._mask(i, printer)} AS {mask}" for i, mask in enumerate(self.masks)]
        kept = [*map(_identifier, self.kept), *self.masks, *self._cells(), f"{_identifier(PROVENANCE)} AS {FILE}", ROW]
        return (
            f"SELECT {_lines(kept)}\nFROM (\nSELECT {_lines(['*', *masks])}\nFROM (\nSELECT {_lines(['*', *typed])}\nFROM (\n"
            f"SELECT {_lines(['*', *tidied])}\nFROM {relation} AS arriving\n) AS tidied\n) AS typed\n) AS judged"
        )

    def _mask(self, number: int, printer: ExpressionPrinter) -> str:
        rules = self.rules_of(number)
        bits = (f"CASE WHEN {printer.sql(rule.violated)} THEN {1 << bit} ELSE 0 END" for bit, rule in enumerate(rules))
        whole = "\n       + ".join(bits)
        return f"CAST({whole} AS BIGINT)"

    def _cells(self) -> list[str]:
        if not self.keeps_cells or not self.masks:
            return []
        names = [_identifier(raw(name)) for name in self.source.contract.raw_columns]
        return [f"CASE WHEN {self.any_bit()} THEN {name} END AS {name}" for name in names]

    def reasons(self) -> str:
        """The names of the rules that a row broke, in the order of the contract, each behind a line break."""
        names = [
            f"CASE WHEN {broken} THEN {DIALECT.literal(chr(10) + rule.name, String())} ELSE '' END"
            for rule, broken in self.each()
        ]
        return f"({' || '.join(names)})" if names else "''"


def _lines(parts: list[str]) -> str:
    return ",\n       ".join(parts)
