"""What the tests do not prove of the engine snowflake. They run what it prints on fakesnow, which makes DuckDB's SQL of it: that shows
that the statements can be read, and mean what Snowflake's manual says. The page on engines prints this table, and the tests leave out what
stands in it, and nothing else.
"""

from __future__ import annotations

from headrace.records import record


@record
class NotProved:
    """Something that is carried out by what Snowflake's manual says of it alone."""

    what: str
    why: str
    functions: frozenset[str] = frozenset()
    """Functions of the catalogue that are left out as a whole."""
    types: frozenset[str] = frozenset()
    """Types that are left out."""
    texts_of: frozenset[str] = frozenset()
    """Types of which casts to string are left out."""
    distinct: frozenset[str] = frozenset()
    """Aggregates that are left out where they look at distinct values alone."""


NOT_PROVED = (
    NotProved(
        "whole numbers of more than 64 bits, and `decimal(38, 0)`",
        "fakesnow keeps NUMBER(38, 0) in 64 bits",
        types=frozenset(("int128", "uint128", "uint64", "decimal(38, 0)")),
    ),
    NotProved(
        "`//` of numbers beyond 2^53", "fakesnow divides as floats, Snowflake exactly", functions=frozenset(("integer_divide",))
    ),
    NotProved(
        "`trim`, `ltrim` and `rtrim` of other characters than spaces, and the white space that a cast passes over",
        "fakesnow trims spaces, whatever is asked for",
        functions=frozenset(("trim", "ltrim", "rtrim")),
    ),
    NotProved(
        "`reverse` of letters with combining accents",
        "DuckDB keeps them together, Snowflake's manual does not say",
        functions=frozenset(("reverse",)),
    ),
    NotProved(
        "times and timestamps as text",
        "fakesnow does not read the format in which they are asked for",
        texts_of=frozenset(("time", "timestamp", "timestamptz")),
    ),
    NotProved(
        "`sum`, `avg` and spreads of distinct values",
        "fakesnow cannot read DISTINCT there",
        distinct=frozenset(("sum", "avg", "stddev", "stddev_pop", "variance", "var_pop")),
    ),
    NotProved("rounding decimals without digits before the point to tens", "DuckDB makes zero of null there"),
    NotProved(
        "`lower` and `upper` beyond ASCII, `%` and `//` below zero, the last bits of `exp`, `ln`, spreads and quantiles, floats that "
        "overflow to an infinity, the text `.5` or `5.` as a number, and whether a branch of CASE is calculated that is not taken",
        "the answers here are DuckDB's; Snowflake's manual does not say, or not to the last digit",
    ),
    NotProved(
        "who waits for whom when two publish at once, what becomes of a publication whose process dies, the limits of time, and what "
        "Ctrl-C cancels",
        "fakesnow refuses the second at once, never ends the transaction of one who is gone, knows no limits, and cancels nothing",
    ),
    NotProved(
        "a wrong password, a missing role or warehouse, and key pairs",
        "fakesnow lets everybody in; the tests answer as Snowflake does, by a server that refuses",
    ),
)


def left_out(field: str) -> frozenset[str]:
    """All that the table names in one of its fields."""
    return frozenset().union(*(getattr(row, field) for row in NOT_PROVED))


def table() -> str:
    """The table, in Markdown."""
    rows = (f"| {row.what} | {row.why} |" for row in NOT_PROVED)
    return "\n".join(("| not proved | why |", "|---|---|", *rows)) + "\n"
