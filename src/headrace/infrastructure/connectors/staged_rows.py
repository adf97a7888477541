"""Reads staged Parquet through DuckDB for sinks: the rows in the types that their schema says, and what a key must not be.

Not the engine of a run: it computes nothing but what publishing needs, within little memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from headrace.business.model.schema import Schema
from headrace.business.ports import Staged
from headrace.errors import NonRetryableError
from headrace.infrastructure.connectors.duckdb_types import duckdb_type
from headrace.infrastructure.duckdb_connection import Connection
from headrace.infrastructure.duckdb_lending import lent
from headrace.infrastructure.sql_text import literal, quoted, quoted_list

if TYPE_CHECKING:
    import pyarrow as pa

#: What a sink may hold in memory before DuckDB spills to disk.
MEMORY = "1GB"

#: The name under which the staged rows are found.
INCOMING = "incoming"
_ARRIVED = "arrived"


def reader(spill: Path, **settings: str) -> AbstractContextManager[Connection]:
    """A DuckDB in memory with these settings that spills to `spill`. See `lent` for what is to be temporary."""
    return lent(memory_limit=MEMORY, temp_directory=str(spill), TimeZone="UTC", **settings)


@contextmanager
def incoming_rows(staged: Staged, key: Sequence[str], **settings: str) -> Iterator[Connection]:
    """A connection of DuckDB that knows the staged rows as `incoming`; the key is one, where there is to be one."""
    with TemporaryDirectory(prefix="headrace-") as spill, reader(Path(spill), **settings) as rows:
        define_incoming(rows, staged)
        if key:
            check_key(rows, INCOMING, key)
        yield rows


def define_incoming(con: Connection, staged: Staged) -> None:
    """Make the staged rows known as `incoming`."""
    con.execute(f"CREATE OR REPLACE TEMP VIEW {INCOMING} AS {select_staged(staged)}")


def select_staged(staged: Staged) -> str:
    return _typed(staged.schema, parquet(staged.files)) if staged.files else empty(staged.schema)


def define_arrived(con: Connection, rows: pa.Table, schema: Schema) -> None:
    """Make rows of Arrow known as `incoming`, as long as the connection lives."""
    con.register(_ARRIVED, rows)
    con.execute(f"CREATE OR REPLACE TEMP VIEW {INCOMING} AS {_typed(schema, _ARRIVED)}")


def _typed(schema: Schema, relation: str) -> str:
    columns = ", ".join(f"CAST({quoted(c.name)} AS {duckdb_type(c.type)}) AS {quoted(c.name)}" for c in schema)
    return f"SELECT {columns} FROM {relation}"


def empty(schema: Schema) -> str:
    """No rows of a schema."""
    columns = ", ".join(f"CAST(NULL AS {duckdb_type(c.type)}) AS {quoted(c.name)}" for c in schema)
    return f"SELECT {columns} WHERE false"


def parquet(files: Sequence[Path]) -> str:
    return f"read_parquet({path_list(files)}, hive_partitioning = false)"


def path_list(files: Sequence[Path]) -> str:
    return "[" + ", ".join(literal(_exactly(str(f))) for f in files) + "]"


def _exactly(path: str) -> str:
    """A path that DuckDB must not take for a pattern."""
    return "".join(f"[{c}]" if c in "*?[" else c for c in path)


def check_key(con: Connection, relation: str, key: Sequence[str]) -> None:
    """Of rows that DuckDB knows: see `demand_key`."""
    demand_key(lambda query: con.execute(query).fetchall(), relation, key)


def demand_key(rows: Callable[[str], Sequence[Sequence[Any]]], relation: str, key: Sequence[str]) -> None:
    """Refuse rows that a key cannot tell apart, before any target is touched. `rows` gives those of a query."""
    names = quoted_list(key)
    nulls = " OR ".join(f"{quoted(k)} IS NULL" for k in key)
    without = int(rows(f"SELECT count(*) FROM {relation} WHERE {nulls}")[0][0])
    shown = ", ".join(key)
    if without:
        raise NonRetryableError(
            f"{without:,} rows have a null in their key ({shown}), so it cannot be told which row they replace",
            hint="let the contract require these columns, or filter such rows",
        )
    groups = f"SELECT {names}, count(*) AS n FROM {relation} GROUP BY {names} HAVING count(*) > 1"
    repeated = int(rows(f"SELECT count(*) FROM ({groups}) AS repeated")[0][0])
    if repeated:
        example = rows(f"SELECT {names} FROM ({groups}) AS repeated ORDER BY {names} LIMIT 1")[0]
        raise NonRetryableError(
            f"{repeated:,} keys ({shown}) stand for more than one row, e.g. {', '.join(map(str, example))}",
            hint="declare the key in the contract, or keep one row of each with `clean: {dedupe: ...}`",
        )


def scalar(con: Connection, query: str) -> int:
    """The one number that a query gives."""
    rows = con.execute(query).fetchall()
    return int(rows[0][0]) if rows and rows[0][0] is not None else 0
