"""DuckDB in memory, opened once in a process and lent again and again, for what is asked of it beside the work of a run. Not the engine.

To open DuckDB takes longer than to say what types a file has, or to read some staged rows for a sink. Whoever is lent it has it alone; for
somebody beside them another one is opened.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from headrace.infrastructure.duckdb_connection import Connection, connect
from headrace.infrastructure.sql_text import literal, quoted

#: By the process that opened them: in one that was forked from there DuckDB's threads are missing.
_kept: defaultdict[int, list[Connection]] = defaultdict(list)

#: Who is lent one often asks for a type meanwhile.
_KEPT_AT_MOST = 2


@contextmanager
def lent(**settings: str) -> Iterator[Connection]:
    """A connection with these settings, which loads nothing from the network.

    What is made in it has to be temporary, and what is set for all connections has to be among the settings. When it is given back, that
    is gone, and what was attached as well.
    """
    kept = _kept[os.getpid()]
    instance = _taken(kept) or _opened()
    try:
        with instance.cursor() as con:
            con.execute("SET enable_progress_bar_print = false")
            for name, value in settings.items():
                con.execute(f"SET {name} = {literal(value)}")
            yield con
    finally:
        if _tidied(instance, settings) and len(kept) < _KEPT_AT_MOST:
            kept.append(instance)
        else:
            instance.close()


def _taken(kept: list[Connection]) -> Connection | None:
    try:
        return kept.pop()
    except IndexError:  # It is empty, or another thread was quicker.
        return None


def _opened() -> Connection:
    return connect(
        autoinstall_known_extensions=False,
        autoload_known_extensions=False,
        python_enable_replacements=False,
        enable_external_file_cache=False,  # Nobody comes back for the files, and they would fill the memory meanwhile.
    )


def _tidied(instance: Connection, settings: Iterable[str]) -> bool:
    """Whether it is as it was when it was opened. It cannot be any more when something was spilled: that stays in its folder."""
    import duckdb

    try:
        attached = instance.execute(
            "SELECT database_name FROM duckdb_databases() WHERE NOT internal AND database_name <> 'memory'"
        )
        for (name,) in attached.fetchall():
            instance.execute(f"DETACH {quoted(name)}")
        for name in settings:
            instance.execute(f"RESET {name}")
    except duckdb.Error:
        return False
    return True
