"""What delimited text and JSON share when DuckDB reads them: which files it may read by itself, and what it could not read.

No record may be lost. DuckDB is fast but not to be trusted with every file: an open quote at the end, mixed line ends or a
misplaced guess can make records vanish without a word. So after each reading the lines that DuckDB accounts for are held
against an independent count; a file that does not add up is tidied, slowly and surely, and the tidied copy is read instead.
"""

from __future__ import annotations

import shutil
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Literal

import duckdb

from headrace.business.ports import DelimitedScan, InputFile, JsonScan, Tidied
from headrace.errors import NonRetryableError, RetryableError, Unbalanced
from headrace.infrastructure.duckdb_connection import Connection
from headrace.infrastructure.engines.duckdb.literals import exactly, identifier, text
from headrace.infrastructure.engines.duckdb.reading_census import Census, Counting, Doubt
from headrace.infrastructure.engines.duckdb.reading_open import Landing

#: What DuckDB says when it cannot read delimited text at all.
UNREADABLE = (duckdb.InvalidInputException, duckdb.ConversionException)


@dataclass
class Part:
    """One file of a scan: read by the engine itself, or its tidied copy."""

    index: int
    file: InputFile
    trusted: bool
    tidied: Tidied | None = None
    rejects_from_copy: bool = False
    """The rows are the engine's, which was right about them, but what was rejected is told by the tidied copy."""

    @property
    def copied(self) -> bool:
        return self.tidied is not None and not self.rejects_from_copy


#: Of a file that the engine read by itself: every line is accounted for; the lines do not add up, but nothing else looks wrong,
#: so that a careful count can still prove it right; or it cannot be right.
Verdict = Literal["right", "recount", "wrong"]


#: Tells apart the tables that readings on one connection have DuckDB make.
_READINGS = count()


class TextReading(ABC):
    """Reads text files, each by itself as far as it can be trusted with it."""

    def __init__(
        self,
        con: Connection,
        scan: DelimitedScan | JsonScan,
        name: str,
        trusted: Iterable[bool],
        *,
        sample: bool,
    ) -> None:
        self.con, self.scan, self.name, self._sample = con, scan, name, sample
        self.parts = [Part(i, file, trust) for i, (file, trust) in enumerate(zip(scan.files, trusted, strict=True))]
        self.bytes_total = sum(file.bytes for file in scan.files)
        self.loaded = sample
        self._number_of_reading = next(_READINGS)
        self._folder: Path | None = None
        self._rejected: str | None = None
        for part in self.parts:
            if not sample:
                unchanged(part.file)
            if not part.trusted:
                self._tidy(part)

    # What the engine asks -------------------------------------------------------------------------------------------

    @property
    @abstractmethod
    def relation(self) -> str:
        """A parenthesised SELECT with the columns of the scan and `_file`, in the order of the files."""

    def _doubt(self) -> Doubt | None:
        """What in such files the engine may take for something else."""
        return None

    def load(self, into: Landing) -> None:
        """Have the landing built, and again where a file turns out to need the careful way."""
        while True:
            self._rejected = None
            self._forget_rejects()
            direct = [part for part in self.parts if not part.tidied and part.file.bytes]
            with Counting((part.file.path for part in direct), self._doubt()) as counting:
                failed = not self._built(into, direct)
                found = {} if failed else counting.results()
            if not failed and self._settled(into, found):
                break
            if failed:
                for part in direct:
                    self._tidy(part)
            into.drop()
        self.loaded = True
        for part in self.parts:
            unchanged(part.file)

    def rejected(self) -> str | None:
        """The temporary table of what could not be read: `file, record, text, reason, message`. None when there is nothing."""
        if self._rejected is None:
            self._rejected = identifier(f"rejected {self.name}")
            parts = [*self._direct_rejects(), *(_copied_rejects(p.index, p.tidied) for p in self.parts if p.tidied)]
            empty = "SELECT 0::INTEGER AS \"file\", 0::BIGINT AS record, '' AS text, '' AS reason, '' AS message WHERE false"
            union = " UNION ALL ".join([empty, *parts])
            self.con.execute(
                f'CREATE OR REPLACE TEMP TABLE {self._rejected} AS SELECT * FROM ({union}) ORDER BY "file", record'
            )
        return self._rejected if self._number(f"SELECT count(*) FROM {self._rejected}") else None

    def record_numbers(self, ranks_table: str) -> str:
        """A SELECT of `file, rank, record`: which record of its file an accepted row is, by its rank among the accepted ones."""
        return record_numbers(ranks_table, self.rejected())

    def placed(self, held: str) -> None:  # noqa: ARG002 - they are in the files of the scan
        return None

    def close(self) -> None:
        self._drop_rejects()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    # What the formats say ---------------------------------------------------------------------------------------------

    @abstractmethod
    def _verdicts(self, parts: list[Part], rows: dict[int, int], found: dict[str, Census]) -> list[Verdict]:
        """Of each file that the engine read by itself: whether every line is in a row, or in a reject that can be trusted."""

    @abstractmethod
    def _direct_rejects(self) -> list[str]:
        """SELECTs of what the engine rejected in the files that it read by itself."""

    @abstractmethod
    def _forget_rejects(self) -> None:
        """Before each reading."""

    @abstractmethod
    def _drop_rejects(self) -> None:
        """Remove what DuckDB noted of rejected lines."""

    # How ------------------------------------------------------------------------------------------------------------

    def _built(self, into: Landing, direct: list[Part]) -> bool:
        try:
            into.build(self.relation)
        except UNREADABLE:
            if not direct:
                raise
            return False
        return True

    def _settled(self, into: Landing, found: dict[str, Census]) -> bool:
        """Whether the table may stay. What cannot be trusted is tidied, to be read from the copy next time."""
        rows = dict(into.rows())
        direct = [part for part in self.parts if part.tidied is None and part.file.path in found]
        for part in self.parts:
            _demand(part, rows.get(part.index, 0))
        settled = True
        for part, verdict in zip(direct, self._verdicts(direct, rows, found), strict=True):
            if verdict != "right":
                copy = self._tidy(part)
                part.rejects_from_copy = verdict == "recount" and copy.records == rows.get(part.index, 0)
                settled = settled and part.rejects_from_copy
        return settled

    def _tidy(self, part: Part) -> Tidied:
        if self.scan.tidy is None:
            raise NonRetryableError(f"`{part.file.name}` cannot be read: it is not plain text as the engine knows it")
        folder = self._workplace() / str(part.index)
        folder.mkdir()
        part.tidied = self.scan.tidy(part.file, folder, sample=self._sample)
        return part.tidied

    def _workplace(self) -> Path:
        if self._folder is None:
            self._folder = workplace(self.con)
        return self._folder

    def _number(self, query: str) -> int:
        return int(self.con.execute(query).fetchall()[0][0])


def workplace(con: Connection) -> Path:
    """A new folder for large temporary files. Where DuckDB spills is the place that was given for these."""
    folder = con.execute("SELECT current_setting('temp_directory')").fetchall()[0][0]
    place = Path(folder) if folder else None
    if place is None or not place.is_absolute():
        place = None
    else:
        place.mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(prefix="headrace-reading-", dir=place))


def _copied_rejects(index: int, copy: Tidied) -> str:
    columns = "{record: 'BIGINT', text: 'VARCHAR', reason: 'VARCHAR', message: 'VARCHAR'}"
    path = text(str(copy.rejects))
    return (
        f'SELECT {index}::INTEGER AS "file", record, text, reason, message FROM read_json({path}, '
        f"format = 'newline_delimited', hive_partitioning = false, columns = {columns}, maximum_object_size = 1048576)"
    )


def _demand(part: Part, rows: int) -> None:
    """A tidied copy leaves no room for doubt: its records are what must have been read."""
    if part.tidied is not None and part.tidied.records != rows:
        raise Unbalanced(
            f"`{part.file.name}` has {part.tidied.records:,} readable records, but {rows:,} were read",
            hint="this is a defect of Headrace: please report it with the file",
        )


def record_numbers(ranks_table: str, rejected: str | None) -> str:
    """As `TextReading.record_numbers`: a row's number is its rank and one, and one more for each record rejected before it."""
    if rejected is None:
        return f'SELECT "file", rank, rank + 1 AS record FROM {ranks_table}'
    numbered = f'SELECT "file", record, row_number() OVER (PARTITION BY "file" ORDER BY record) AS n FROM {rejected}'
    steps = f'SELECT "file", record - n AS accepted_before, max(n) AS n FROM ({numbered}) GROUP BY ALL'
    return (
        f'SELECT r."file", r.rank, r.rank + 1 + coalesce(s.n, 0) AS record FROM {ranks_table} AS r '
        f'ASOF LEFT JOIN ({steps}) AS s ON r."file" = s."file" AND r.rank >= s.accepted_before'
    )


def unchanged(file: InputFile) -> None:
    """Refuse a file that is no longer the one that was looked at."""
    try:
        now = Path(file.path).stat()
    except OSError as error:
        raise RetryableError(
            f"`{file.name}` is gone: {error.strerror}", hint="run again when the files stay where they are"
        ) from error
    if now.st_size != file.bytes or (file.modified_ns and now.st_mtime_ns != file.modified_ns):
        raise RetryableError(f"`{file.name}` was changed while it was being read", hint="run again when nobody writes to it")


def union_all(selects: list[str], columns: tuple[str, ...]) -> str:
    if selects:
        return f"({' UNION ALL '.join(selects)})"
    nothing = ", ".join(f"NULL::VARCHAR AS {identifier(c)}" for c in columns)
    return f'(SELECT {nothing}, 0::INTEGER AS "_file" WHERE false)'


def paths(files: Iterable[str]) -> str:
    """A list of file names for a reading function."""
    return f"[{', '.join(text(exactly(file)) for file in files)}]"
