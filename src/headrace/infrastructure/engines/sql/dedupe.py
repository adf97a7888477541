"""The SQL of a dedupe, fast where few keys repeat: only their rows are ordered, all others pass straight through.

One grouping finds the keys that repeat. An anti join lets every other row pass (a null in the key equals nothing, so such
rows pass too), a semi join brings the rest to `row_number`. Ordering all rows instead costs about twice as much.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from headrace.infrastructure.engines.sql.dialect import DedupeParts, Dialect
from headrace.infrastructure.engines.sql.layout import Clauses, nested
from headrace.records import record

#: What the number of rows of a key is called.
COUNT = "n"


def repeated_keys(source: str, key: Sequence[str], identifier: Callable[[str], str]) -> str:
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


def dedupe_text(
    key: Sequence[str], order: Sequence[str], rows: Rows, known: str | None, taken: Collection[str], dialect: Dialect
) -> str:
    """The rows that are left. `known` is the table of the repeating keys if there is one, `taken` holds names in use."""
    identifier = dialect.identifier
    parts: list[str] = []
    source = rows.text
    if rows.query:
        source = identifier(unused("rows", taken))
        parts.append(f"{source} AS {dialect.kept(rows.kept)}{nested(rows.text)}")
    repeated = known
    if repeated is None:
        repeated = identifier(unused("repeated", taken))
        parts.append(f"{repeated} AS {dialect.kept(True)}{nested(repeated_keys(source, key, identifier))}")
    names = [identifier(name) for name in key]
    alone, chosen = dialect.dedupe(DedupeParts(source, names, order, _keys_of(repeated, key, identifier)))
    with_clause = f"WITH {', '.join(parts)}\n" if parts else ""
    return f"{with_clause}{alone}\nUNION ALL\n{chosen}"


def unused(name: str, taken: Collection[str]) -> str:
    lowered, found = {t.lower() for t in taken}, name
    while found.lower() in lowered:
        found += "_"
    return found


def _stored(name: str, key: Sequence[str]) -> str:
    """The name of a key column in the table of repeating keys: its own, unless that is the name of the count."""
    return name if name.lower() != COUNT else unused(f"{name}_", key)


def _keys_of(repeated: str, key: Sequence[str], identifier: Callable[[str], str]) -> str:
    stored = [_stored(name, key) for name in key]
    if stored == list(key):
        return repeated
    columns = ", ".join(f"{identifier(c)} AS {identifier(k)}" for c, k in zip(stored, key, strict=True))
    return f"(SELECT {columns} FROM {repeated})"
