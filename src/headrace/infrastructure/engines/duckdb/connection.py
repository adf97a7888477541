"""Opens DuckDB for one run: bounded memory and threads, no file but those of the plan, no network. And runs long statements."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from headrace.business.engine import Limits, Progress
from headrace.business.model.types import Integer, String
from headrace.business.ports import DuckDBScan
from headrace.business.processing.plan import Plan
from headrace.errors import NonRetryableError, RetryableError
from headrace.infrastructure import duckdb_connection
from headrace.infrastructure.duckdb_connection import Connection
from headrace.infrastructure.engines.duckdb.literals import exactly, identifier, literal
from headrace.infrastructure.engines.duckdb.spare import Spare

#: Inputs up to this size are worked on in memory; larger ones in a file, which is smaller and faster than spilled tables.
IN_MEMORY_BYTES = 1 << 30


def connect(
    plan: Plan,
    workspace: Path,
    limits: Limits,
    spare: Spare,
    also: Sequence[Path] = (),
    settings: Mapping[str, str | int] | None = None,
) -> Connection:
    """A connection that may touch the inputs of the plan, its own workspace and what is named `also`, and nothing else."""
    workspace.mkdir(parents=True, exist_ok=True)
    size = sum(f.bytes for s in plan.sources for f in getattr(s.scan, "files", ()))
    if size <= IN_MEMORY_BYTES and limits.memory is None:
        con = spare.take()
    else:
        spare.close()
        con = opened(str(workspace / "work.duckdb"), limits)
    spill = str((limits.temp_directory or workspace / "spill").resolve())
    con.execute(f"SET temp_directory = {literal(spill, String())}")
    if limits.temp is not None:
        con.execute(f"SET max_temp_directory_size = {literal(limits.temp, String())}")
    con.execute("SET TimeZone = 'UTC'")
    for name, value in (settings or {}).items():
        con.execute(f"SET {name} = {literal(value, Integer(64) if isinstance(value, int) else String())}")
    # A list after IN would become a join, and a join does not keep rows in the order of the file, by which records are numbered.
    con.execute("SET disabled_optimizers = 'in_clause'")
    allowed = [f.path for s in plan.sources for f in getattr(s.scan, "files", ())]
    allowed += [path for s in plan.sources if (path := getattr(s.scan, "path", None))]
    # Whoever opens a database asks whether what was written last lies beside it.
    allowed += [f"{s.scan.path}.wal" for s in plan.sources if isinstance(s.scan, DuckDBScan)]
    # A name with a wild card is read by a pattern that means it alone, and both have to be allowed.
    spelt = dict.fromkeys(spelling for path in allowed for spelling in (path, exactly(path)))
    con.execute(f"SET allowed_paths = [{', '.join(literal(path, String()) for path in spelt)}]")
    own = (workspace, workspace.parent.parent, *also, *([limits.temp_directory] if limits.temp_directory else []))
    folders = ", ".join(literal(str(folder.resolve()), String()) for folder in own)
    con.execute(f"SET allowed_directories = [{folders}]")
    _lock(con)
    return con


def opened(database: str, limits: Limits) -> Connection:
    """A connection within these limits, which is not shut in yet."""
    return duckdb_connection.connect(
        database,
        preserve_insertion_order=True,
        autoinstall_known_extensions=False,
        autoload_known_extensions=False,
        python_enable_replacements=False,
        **({} if limits.memory is None else {"memory_limit": limits.memory}),
        **({} if limits.threads is None else {"threads": limits.threads}),
    )


def _lock(con: Connection) -> None:
    """From here on no statement can reach a file outside of the plan, nor change that; whatever a definition makes us print."""
    con.execute("SET enable_external_access = false")
    con.execute("SET lock_configuration = true")


def watched(con: Connection, statement: str, progress: Progress) -> int:
    """Run a long statement and tell now and then how far it is; the number of rows it wrote."""
    with statement_faults():
        row = con.execute(statement, progress=lambda percent: progress(percent / 100 if percent > 0 else None)).fetchone()
    return int(row[0]) if row else 0


@contextmanager
def statement_faults() -> Iterator[None]:
    """Turn what stops a long statement into our errors. What the rows themselves are wrong about stays DuckDB's own."""
    try:
        yield
    except duckdb.Error as error:
        _raise_known(type(error), error)
        raise
    except OSError as error:  # by which Arrow passes on what DuckDB says in words
        _raise_known(next((kind for words, kind in _IN_WORDS.items() if str(error).startswith(words)), None), error)
        raise


_IN_WORDS: dict[str, type[duckdb.Error]] = {
    "Out of Memory": duckdb.OutOfMemoryException, "IO Error": duckdb.IOException, "INTERRUPT": duckdb.InterruptException,
}  # fmt: skip


def _raise_known(kind: type[duckdb.Error] | None, error: Exception) -> None:
    if kind is duckdb.OutOfMemoryException:
        raise NonRetryableError(
            f"the run needs more memory than it may use: {first_line(error)}",
            hint="raise `memory_limit` or `temp_limit` in headrace.toml, or give it a `temp_directory` with more room",
        ) from error
    if kind is duckdb.IOException:
        raise RetryableError(
            f"reading or writing failed: {first_line(error)}",
            hint="see that the disk is not full and the files stay where they are",
        ) from error
    if kind is duckdb.InterruptException:
        raise KeyboardInterrupt from error


def fetch_rows(con: Connection, query: str, limit: int) -> list[dict[str, Any]]:
    """Rows by column name. Instants come as aware times in UTC; DuckDB would want another library to give them."""
    described = con.execute(f"DESCRIBE {query}").fetchall()
    columns = [
        f"{identifier(name)} AT TIME ZONE 'UTC' AS {identifier(name)}"
        if kind == "TIMESTAMP WITH TIME ZONE"
        else identifier(name)
        for name, kind, *_ in described
    ]
    instants = {name for name, kind, *_ in described if kind == "TIMESTAMP WITH TIME ZONE"}
    names = [name for name, *_ in described]
    rows = con.execute(f"SELECT {', '.join(columns)} FROM ({query}) LIMIT {int(limit)}").fetchall()
    found = [dict(zip(names, row, strict=True)) for row in rows]
    for row in found:
        # Python has no moment before the year 1 or after 9999: such a one comes as text.
        row |= {name: row[name].replace(tzinfo=UTC) for name in instants if isinstance(row[name], datetime)}
    return found


def first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
