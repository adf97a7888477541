"""Reads lines of JSON with DuckDB, every column as text, and finds the lines that are no objects. Not who finds the keys."""

from __future__ import annotations

from headrace.business.ports import JsonScan
from headrace.infrastructure.duckdb_connection import Connection
from headrace.infrastructure.engines.duckdb.literals import identifier, text
from headrace.infrastructure.engines.duckdb.reading_census import Census
from headrace.infrastructure.engines.duckdb.reading_text import Part, TextReading, Verdict, paths, union_all
from headrace.infrastructure.formats.json_path import pointer

#: The longest line that is read.
_LONGEST_LINE = 8 << 20

_BLANKS = "chr(32) || chr(9) || chr(13)"
_FILLED = f"trim(coalesce(line, ''), {_BLANKS}) <> ''"
_OBJECT = f"coalesce(starts_with(ltrim(line, {_BLANKS}), '{{') AND json_valid(line), false)"


class JsonReading(TextReading):
    """See `TextReading`. A line is an object, or it is rejected; the values are taken out by their keys as text."""

    scan: JsonScan

    def __init__(self, con: Connection, scan: JsonScan, name: str, *, sample: bool = False) -> None:
        super().__init__(con, scan, name, (file.path in scan.plain or not file.bytes for file in scan.files), sample=sample)

    @property
    def relation(self) -> str:
        pointers = [text(pointer(key)) for key in self.scan.keys]
        columns = ", ".join(f"v[{i}] AS {identifier(name)}" for i, name in enumerate(self.scan.schema.names, 1))
        values = f"json_extract_string(line, [{', '.join(pointers)}])"
        selects = [
            f"SELECT {columns}, _file FROM ("
            f'SELECT {values} AS v, {part.index}::INTEGER AS "_file" FROM {self._lines(part)} WHERE {_OBJECT})'
            for part in self.parts
            if part.file.bytes
        ]
        return union_all(selects, self.scan.schema.names)

    def _lines(self, part: Part, *, rejects: bool = True) -> str:
        copy = part.tidied if part.copied else None
        longest = max(_LONGEST_LINE, copy.longest) if copy else _LONGEST_LINE
        errors = "ignore_errors = true"
        if rejects and not copy and not self.loaded:
            table, scans = self._reject_tables(part)
            errors = f"store_rejects = true, rejects_table = {text(table)}, rejects_scan = {text(scans)}"
        file = paths([str(copy.path) if copy else part.file.path])
        return (
            f"read_csv({file}, auto_detect = false, hive_partitioning = false, columns = {{line: 'VARCHAR'}}, header = false, "
            rf"delim = chr(1), quote = '', escape = '', new_line = '\n', {errors}, "
            f"max_line_size = {longest}, buffer_size = {4 * longest})"
        )

    # Rejects ------------------------------------------------------------------------------------------------------------

    def _reject_tables(self, part: Part) -> tuple[str, str]:
        return f"rejects_{self._number_of_reading}_{part.index}", f"rejects_scan_{self._number_of_reading}_{part.index}"

    def _forget_rejects(self) -> None:
        self._drop_rejects()

    def _drop_rejects(self) -> None:
        for part in self.parts:
            for table in self._reject_tables(part):
                self.con.execute(f"DROP TABLE IF EXISTS {identifier(table)}")

    def _verdicts(self, parts: list[Part], rows: dict[int, int], found: dict[str, Census]) -> list[Verdict]:
        return ["right" if self._adds_up(part, rows.get(part.index, 0), found[part.file.path]) else "wrong" for part in parts]

    def _adds_up(self, part: Part, rows: int, found: Census) -> bool:
        table, _ = self._reject_tables(part)
        if found.nul or found.pairs or found.lone_returns or self._number(f"SELECT count(*) FROM {identifier(table)}"):
            return False
        if rows == found.lines - found.blank_end:
            return True
        counts = f"SELECT count(*), count_if({_OBJECT}) FROM {self._lines(part, rejects=False)}"
        return self.con.execute(counts).fetchone() == (found.lines, rows)

    def _direct_rejects(self) -> list[str]:
        return [self._part_rejects(part) for part in self.parts if not part.tidied and part.file.bytes]

    def _part_rejects(self, part: Part) -> str:
        numbered = f"SELECT row_number() OVER () AS record, line FROM {self._lines(part, rejects=False)} WHERE {_FILLED}"
        return (
            f'SELECT {part.index}::INTEGER AS "file", record, line AS text, '
            "CASE WHEN json_valid(line) THEN 'not_an_object' ELSE 'not_json' END AS reason, "
            "CASE WHEN json_valid(line) THEN 'a JSON value, but not an object' ELSE 'not JSON' END AS message "
            f"FROM ({numbered}) WHERE NOT {_OBJECT}"
        )
