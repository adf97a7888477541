"""Reads rows that have to be fetched first: they are laid down as files of JSON, and read as such. Not who fetches them."""

from __future__ import annotations

import shutil
from collections.abc import Sequence

from headrace.business.fetched import FetchedScan, Wanted
from headrace.infrastructure.duckdb_connection import Connection
from headrace.infrastructure.engines.duckdb.literals import identifier
from headrace.infrastructure.engines.duckdb.reading_json import JsonReading
from headrace.infrastructure.engines.duckdb.reading_open import Landing
from headrace.infrastructure.engines.duckdb.reading_text import workplace


class FetchedReading:
    """See `OpenScan`: the reading of the files that were fetched, which last as long as it."""

    def __init__(self, con: Connection, scan: FetchedScan, name: str, wanted: Wanted, *, sample: bool = False) -> None:
        self.con, self.name = con, name
        self._folder = workplace(con)
        opened = False
        try:
            self._fetched = scan.fetch(self._folder, wanted, sample=sample)
            self._json = JsonReading(con, self._fetched.scan, name, sample=sample)
            opened = True
        finally:
            if not opened:
                shutil.rmtree(self._folder, ignore_errors=True)
        self.bytes_total = self._json.bytes_total

    @property
    def relation(self) -> str:
        return self._json.relation

    def load(self, into: Landing) -> None:
        self._json.load(into)

    def rejected(self) -> str | None:
        return self._json.rejected()

    def record_numbers(self, ranks_table: str) -> str:
        return self._json.record_numbers(ranks_table)

    def placed(self, held: str) -> Sequence[str] | None:
        """Each record at its place in its page; of the pages, only those that records were held of."""
        pages = identifier(f"pages of {self.name}")
        self.con.execute(f"CREATE OR REPLACE TEMP TABLE {pages} (page INTEGER, file INTEGER, first BIGINT, place VARCHAR)")
        columns = [list(column) for column in zip(*self._fetched.pages, strict=True)] or [[], [], []]
        self.con.execute(
            f"INSERT INTO {pages} SELECT unnest(range(len($files)::BIGINT)), unnest($files), unnest($firsts), unnest($places)",
            {"files": columns[0], "firsts": columns[1], "places": columns[2]},
        )
        found = (
            f"SELECT DISTINCT h.file, h.record, p.page, p.first, p.place FROM {held} AS h "
            f"ASOF JOIN {pages} AS p ON h.file = p.file AND h.record >= p.first"
        )
        numbered = f"SELECT *, dense_rank() OVER (ORDER BY page) - 1 AS n FROM ({found})"
        places = self.con.execute(f"SELECT DISTINCT n, place FROM ({numbered}) ORDER BY n").fetchall()
        self.con.execute(
            f"UPDATE {held} AS h SET file = s.n, record = s.record - s.first + 1 FROM ({numbered}) AS s "
            "WHERE h.file = s.file AND h.record = s.record"
        )
        return [place for _, place in places]

    def close(self) -> None:
        self._json.close()
        shutil.rmtree(self._folder, ignore_errors=True)
