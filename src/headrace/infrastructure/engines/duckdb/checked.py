"""The one scan that judges a dataset: a table of typed values with a mask of broken rules per row. Not keys and references.

The table holds the accepted records in the order of the data, so its `rowid` says which record a row was; what the data held
as text is kept only for rows that broke something. A mask has a bit for each rule; beyond 62 rules there are several.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from headrace.business.model.types import String
from headrace.business.processing.plan import PlannedSource
from headrace.business.processing.relation import Relation
from headrace.business.validation.compiled import raw, tidy
from headrace.infrastructure.engines.duckdb.expressions import ExpressionPrinter
from headrace.infrastructure.engines.duckdb.literals import identifier, literal
from headrace.infrastructure.engines.sql.masks import Masks
from headrace.infrastructure.engines.sql.tally import BITS

_WIDTHS = ((8, "UTINYINT"), (16, "USMALLINT"), (32, "UINTEGER"), (BITS, "UBIGINT"))


class Checked(Masks):
    """The names and the SQL around the checked table of one source."""

    row = "rowid"

    def __init__(self, source: PlannedSource, print_relation: Callable[[Relation], str] | None = None) -> None:
        super().__init__(source.contract.rules, identifier)
        self.source, self._print_relation = source, print_relation
        self.table = identifier(f"checked {source.name}")
        self.kept = [cell.column.name for cell in source.contract.cells if cell.column.name in source.needed]

    def create(self, relation: str) -> str:
        """The statement that reads `relation` once and leaves the checked table."""
        columns = [f"{identifier(n)} AS {stored(n)}" if n.lower() == "rowid" else stored(n) for n in self.kept]
        return f"CREATE TABLE {self.table} AS\n" + self.judged(relation, [*columns, '"_file" AS "#file"'], ["_file"])

    def judged(self, relation: str, columns: Sequence[str], beside: Sequence[str] = ()) -> str:
        """The query of these columns of the rows of `relation`, with masks, and the text of those that broke something. What is to be
        passed on from there is named `beside` the columns of the data."""
        printer = ExpressionPrinter(self._print_relation)
        cells = self.source.contract.cells
        arriving = [f"{identifier(name)} AS {identifier(raw(name))}" for name in self.source.contract.raw_columns]
        tidied = [f"{printer.sql(c.tidied)} AS {identifier(tidy(c.column.name))}" for c in cells if c.tidied is not None]
        typed = [f"{printer.sql(cell.value)} AS {identifier(cell.column.name)}" for cell in cells]
        masks = [f"{self._mask(i, printer)} AS {mask}" for i, mask in enumerate(self.masks)]
        verdicts = [*self.masks, f'{self._raw_text()} AS "#raw"']
        return (
            f"SELECT {_lines([*columns, *verdicts])}\nFROM (\n"
            f"SELECT {_lines(['*', *masks])}\nFROM (\n"
            f"SELECT {_lines(['*', *typed])}\nFROM (\n"
            f"SELECT {_lines(['*', *tidied])}\nFROM (\n"
            f"SELECT {_lines([*arriving, *beside])}\nFROM {relation}\n))))"
        )

    def _mask(self, number: int, printer: ExpressionPrinter) -> str:
        rules = self.rules_of(number)
        width = next(name for bits, name in _WIDTHS if len(rules) <= bits)
        return "\n       + ".join(
            f"CASE WHEN {printer.sql(rule.violated)} THEN {1 << bit}::{width} ELSE 0::{width} END"
            for bit, rule in enumerate(rules)
        )

    def _raw_text(self) -> str:
        """The cells as they came, for rows that broke something."""
        if not self.masks:
            return "NULL::VARCHAR"
        return f"CASE WHEN {self.any_bit()} THEN {self.as_it_came(raw)} END"

    def as_it_came(self, name_of: Callable[[str], str]) -> str:
        """The cells of a row as they came, as a JSON object; each is in the column that its name in the data gives."""
        names = self.source.contract.raw_columns
        cells = ", ".join(f"{literal(name, String())}, {identifier(name_of(name))}" for name in names)
        return f"CAST(json_object({cells}) AS VARCHAR)" if names else "NULL::VARCHAR"

    def stored(self, name: str) -> str:
        return stored(name)

    def acquit(self, rows: str) -> str:
        """The statement after which these rows have broken nothing: an earlier run has judged them."""
        zero = ", ".join(f"{mask} = 0" for mask in self.masks)
        return f"UPDATE {self.table} SET {zero} WHERE ({self.any_bit()}) AND {rows}"

    def reasons(self) -> str:
        """A list of the names of the rules that a row broke, in the order of the contract."""
        if not self.rules:
            return "[]::VARCHAR[]"
        names = ", ".join(f"CASE WHEN {broken} THEN {literal(rule.name, String())} END" for rule, broken in self.each())
        return f"list_filter([{names}], lambda r: r IS NOT NULL)"


def stored(name: str) -> str:
    """A column as the checked table has it: under its name, unless that would hide the number of the row."""
    return identifier(f"#{name}" if name.lower() == "rowid" else name)


def _lines(parts: list[str]) -> str:
    return ",\n       ".join(parts)
