"""Reads and exports rows that were held back, from the Parquet files that runs left. Not what is done with them."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from headrace.business.model.schema import Schema
from headrace.business.model.types import String
from headrace.business.ports import InputFile, ParquetScan
from headrace.errors import UsageError
from headrace.infrastructure.duckdb_lending import lent

#: What spreadsheets take for a formula at the beginning of a cell (OWASP, CSV injection), and what looks as if it were escaped.
_FORMULA = r"^'*[=+\-@\t\r]"
_NUMBER = r"^[+\-]?[0-9][0-9.,]*([eE][+\-]?[0-9]+)?$"


class ParquetHeldRows:
    """Rows in quarantine, one Parquet file per run and dataset."""

    def rows(self, path: Path, reason: str | None, limit: int) -> Sequence[Mapping[str, Any]]:
        _be_there(path)
        query = f"SELECT id, file, record, reasons, raw, text, note FROM {_rows(path)}{_having(reason)} LIMIT {int(limit)}"
        names = ("id", "file", "record", "reasons", "raw", "text", "note")
        with lent() as con:
            return [dict(zip(names, row, strict=True)) for row in con.execute(query).fetchall()]

    def ids(self, path: Path, *, readable: bool = True) -> Sequence[str]:
        _be_there(path)
        where = " WHERE raw IS NOT NULL" if readable else ""
        with lent() as con:
            found = con.execute(f"SELECT id FROM {_rows(path)}{where}").fetchall()
        return [row[0] for row in found]

    def texts(self, path: Path, ids: Collection[str], columns: Sequence[str], out: Path) -> ParquetScan:
        """The cells of these rows as they came, as a scan of texts."""
        cells = ", ".join(f"json_extract_string(raw, {_path(name)}) AS {_name(name)}" for name in columns)
        with lent() as con:
            con.execute("CREATE TEMP TABLE wanted AS SELECT unnest(?::VARCHAR[]) AS id", [list(ids)])
            return _written(
                con,
                f"SELECT {cells} FROM {_rows(path)} SEMI JOIN wanted USING (id)",
                columns,
                out,
            )

    def mended(
        self, file: Path, known: Collection[str], columns: Sequence[str], out: Path
    ) -> tuple[Sequence[str], ParquetScan]:
        """The rows of a mended export, and which they are. Raises `UsageError` for rows that were never exported, or twice."""
        with lent() as con:
            con.execute(f"CREATE TEMP TABLE mended AS SELECT * FROM {_reader(file)}")
            present = [row[0] for row in con.execute("DESCRIBE mended").fetchall()]
            if "held_id" not in present:
                raise UsageError(
                    f"{file} has no column `held_id`", hint="start from a file that `headrace quarantine export` wrote"
                )
            ids = [row[0] for row in con.execute("SELECT held_id FROM mended").fetchall()]
            strangers = [i for i in ids if i not in set(known)]
            if strangers or len(set(ids)) < len(ids):
                what = (
                    f"{len(strangers)} rows that are not open in this quarantine"
                    if strangers
                    else "the same row more than once"
                )
                raise UsageError(f"{file} has {what}", hint="the column `held_id` must stay as it was exported")
            cells = ", ".join(_unescaped(name) if name in present else f"NULL::VARCHAR AS {_name(name)}" for name in columns)
            return ids, _written(con, f"SELECT {cells} FROM mended", columns, out)

    def export(self, path: Path, reason: str | None, columns: Sequence[str], out: Path) -> int:
        """Write id, place and reasons, each named `held_...`, and the cells to a CSV, JSON Lines or Parquet file; the number of rows."""
        forms = {".csv": "FORMAT csv, HEADER", ".jsonl": "FORMAT json", ".parquet": "FORMAT parquet"}
        if out.suffix not in forms:
            raise UsageError(f"{out} is none of {', '.join(forms)}")
        escape = out.suffix == ".csv"
        cells = "".join(f", {_escaped(name) if escape else _extracted(name)} AS {_name(name)}" for name in columns)
        place = (
            "id AS held_id, file AS held_file, record AS held_record, "
            "list_aggregate(reasons, 'string_agg', ' ') AS held_reasons, text AS held_text"
        )
        query = f"SELECT {place}{cells} FROM {_rows(path)}{_having(reason)}"
        with lent() as con:
            row = con.execute(f"COPY ({query}) TO {_text(out)} ({forms[out.suffix]})").fetchone()
        return int(row[0]) if row else 0

    def columns(self, path: Path) -> Sequence[str]:
        """The columns that the rows had in the data, in order."""
        _be_there(path)
        with lent() as con:
            found = con.execute(f"SELECT json_keys(raw) FROM {_rows(path)} WHERE raw IS NOT NULL LIMIT 1").fetchone()
        return list(found[0]) if found else []


def write_texts(folder: Path, name: str, columns: Sequence[str], rows: Sequence[Sequence[str | None]]) -> ParquetScan:
    """Rows of texts as a scan: what a test of a definition hands in."""
    folder.mkdir(parents=True, exist_ok=True)
    with lent() as con:
        con.execute(f"CREATE TEMP TABLE given ({', '.join(f'{_name(c)} VARCHAR' for c in columns) or 'nothing VARCHAR'})")
        if rows and columns:
            con.executemany(f"INSERT INTO given VALUES ({', '.join('?' * len(columns))})", [list(row) for row in rows])
        return _written(con, "SELECT * FROM given", columns, folder / f"{name}.parquet")


def _be_there(path: Path) -> None:
    if not path.exists():
        raise UsageError(f"the rows that were held back are gone: there is no file {path}", hint="run the pipeline again")


def _written(con: Any, query: str, columns: Sequence[str], out: Path) -> ParquetScan:
    out.parent.mkdir(parents=True, exist_ok=True)
    con.execute(f"COPY ({query}) TO {_text(out)} (FORMAT parquet)")
    stat = out.stat()
    with out.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    file = InputFile(str(out.resolve()), stat.st_size, stat.st_mtime_ns, digest)
    return ParquetScan(Schema.of(**{name: String() for name in columns}), (file,), all_text=True)


def _having(reason: str | None) -> str:
    return f" WHERE list_contains(reasons, {_literal(reason)})" if reason else " WHERE true"


def _reader(file: Path) -> str:
    if file.suffix == ".parquet":
        return _rows(file)
    if file.suffix == ".jsonl":
        return f"read_json({_text(file)}, format = 'newline_delimited', hive_partitioning = false)"
    if file.suffix == ".csv":
        dialect = "header = true, delim = ',', quote = '\"', escape = '\"'"
        return f"read_csv({_text(file)}, hive_partitioning = false, all_varchar = true, allow_quoted_nulls = false, {dialect})"
    raise UsageError(f"{file} is none of .csv, .jsonl, .parquet")


def _extracted(name: str) -> str:
    return f"json_extract_string(raw, {_path(name)})"


def _escaped(name: str) -> str:
    """A cell that a spreadsheet would take for a formula begins with an apostrophe instead."""
    cell = _extracted(name)
    formula = f"regexp_matches({cell}, {_literal(_FORMULA)}) AND NOT regexp_matches({cell}, {_literal(_NUMBER)})"
    return f"CASE WHEN {formula} THEN '''' || {cell} ELSE {cell} END"


def _unescaped(name: str) -> str:
    column = f"CAST({_name(name)} AS VARCHAR)"
    formula = f"starts_with({column}, '''') AND regexp_matches(substr({column}, 2), {_literal(_FORMULA)})"
    return f"CASE WHEN {formula} THEN substr({column}, 2) ELSE {column} END AS {_name(name)}"


def _path(name: str) -> str:
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    return _literal(f'$."{quoted}"')


def _rows(file: Path) -> str:
    """The rows of a file; of a folder, which a stream leaves, those of all its files."""
    files = f"[{', '.join(_text(part) for part in sorted(file.glob('*.parquet')))}]" if file.is_dir() else _text(file)
    return f"read_parquet({files}, hive_partitioning = false)"


def _text(path: Path) -> str:
    return _literal(str(path))


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
