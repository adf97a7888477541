"""The SQL of a dedupe, fast where few keys repeat: only their rows are ordered, all others pass straight through.

One grouping finds the keys that repeat. An anti join lets every other row pass (a null in the key equals nothing, so such
rows pass too), a semi join brings the rest to `row_number`. Ordering all rows instead costs about twice as much.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from headrace.infrastructure.engines.duckdb.literals import identifier
from headrace.infrastructure.engines.duckdb.relations_layout import Clauses, indented, listed, nested
from headrace.records import record

#: What the number of rows of a key is called.
COUNT = "n"


def repeated_keys(source: str, key: Sequence[str]) -> str:
    """The keys that several rows share and how many rows that is. A key with a null in it is shared by nobody."""
    columns = [_stored(name, key) for name in key]
    return Clauses(
        source,
        columns=[
            *(identifier(k) if k == c else f"{identifier(k)} AS {identifier(c)}" for k, c in zip(key, columns, strict=True)),
            f"count(*) AS {COUNT}",
        ],
        where=[f"{identifier(name)} IS NOT NULL" for name in key],
        group=[identifier(name) for name in key],
        having=["count(*) > 1"],
    ).text()


@record
class Rows:
    """Where a dedupe reads its rows, which it does up to three times: from a name, or from a query that gets one.

    `kept` says that it is cheaper to keep what the query gives than to ask it again.
    """

    text: str
    query: bool
    kept: bool = False


def dedupe_text(key: Sequence[str], order: Sequence[str], rows: Rows, known: str | None, taken: Collection[str]) -> str:
    """The rows that are left. `known` is the table of the repeating keys if there is one, `taken` holds names in use."""
    parts: list[str] = []
    source = rows.text
    if rows.query:
        source = identifier(unused("rows", taken))
        parts.append(f"{source} AS {'' if rows.kept else 'NOT '}MATERIALIZED {nested(rows.text)}")
    repeated = known
    if repeated is None:
        repeated = identifier(unused("repeated", taken))
        parts.append(f"{repeated} AS MATERIALIZED {nested(repeated_keys(source, key))}")
    columns = ", ".join(map(identifier, key))
    partner = f"{_keys_of(repeated, key)} USING ({columns})"
    alone = Clauses(f"{source}\nANTI JOIN {partner}")
    window = "\n".join((listed("PARTITION BY", [identifier(name) for name in key]), listed("ORDER BY", order)))
    chosen = Clauses(f"{source}\nSEMI JOIN {partner}", qualify=f"row_number() OVER (\n{indented(window)}\n) = 1")
    with_clause = f"WITH {', '.join(parts)}\n" if parts else ""
    return f"{with_clause}{alone.text()}\nUNION ALL\n{chosen.text()}"


def unused(name: str, taken: Collection[str]) -> str:
    lowered, found = {t.lower() for t in taken}, name
    while found.lower() in lowered:
        found += "_"
    return found


def _stored(name: str, key: Sequence[str]) -> str:
    """The name of a key column in the table of repeating keys: its own, unless that is the name of the count."""
    return name if name.lower() != COUNT else unused(f"{name}_", key)


def _keys_of(repeated: str, key: Sequence[str]) -> str:
    stored = [_stored(name, key) for name in key]
    if stored == list(key):
        return repeated
    columns = ", ".join(f"{identifier(c)} AS {identifier(k)}" for c, k in zip(stored, key, strict=True))
    return f"(SELECT {columns} FROM {repeated})"
