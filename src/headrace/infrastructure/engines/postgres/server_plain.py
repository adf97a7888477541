"""Functions of the session that know texts in the usual notation, which can be cast at once. To all others they say no: `server_reading`
reads those with care. They may say no to a text that is good, and never yes to one that is not.

Since version 16 PostgreSQL can say whether it would take a text. It takes more than we do (`yesterday`, `0x1F`, `44-03-15 BC`), so the value
has to be written as the text is: that takes a third of the time of a regular expression.
"""

from __future__ import annotations

from headrace.infrastructure.engines.postgres.server_definitions import Changes, expression

#: Since this version there is `pg_input_is_valid`.
_KNOWS_INPUT = 16

#: A day that there is, in a year of our time, but for the last of February in leap years; and a time without fractions.
_DAY = "[12][0-9]{3}-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)"
_CLOCK = "(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9])?"


def plain(version: int) -> tuple[str, ...]:
    return (_LIKE_DECIMAL, *(_BY_THE_SERVER if version >= _KNOWS_INPUT else _BY_PATTERN))


def _knows(what: str, body: str, changes: Changes = "STABLE") -> str:
    return expression(f"plain_{what}", "boolean", body, changes)


#: By its pattern alone, which the planner knows of a constant.
_LIKE_DECIMAL = expression("like_decimal(x text, digits integer, behind integer)", "boolean", """
    octet_length(x) <= digits + CASE WHEN behind > 0 THEN 1 ELSE 0 END
    AND x COLLATE "C" ~ ('^-?[0-9]+' || CASE WHEN behind > 0 THEN '[.][0-9]{' || behind::text || '}' ELSE '' END || '$')""")  # fmt: skip

_BY_THE_SERVER = (
    _knows("whole(x text, kind text)", "pg_input_is_valid(x, kind) AND x::bigint::text = x"),
    _knows("decimal(x text, digits integer, behind integer)", """x <> 'NaN' AND pg_input_is_valid(x, 'numeric(' || digits::text || ',' || behind::text || ')')
        AND round(x::numeric, behind)::text = x"""),
    # Ten bytes are no infinity, no year beyond 9999, and none before our time.
    _knows("date(x text)", "octet_length(x) = 10 AND pg_input_is_valid(x, 'date') AND x::date::text = x"),
    # A point in the twentieth place tells a fraction from a year beyond 9999 or before our time.
    _knows("timestamp(x text)", """pg_input_is_valid(x, 'timestamp') AND CASE WHEN octet_length(x) = 19 THEN x::timestamp::text = replace(x, 'T', ' ')
        ELSE octet_length(x) > 20 AND substr(x, 20, 1) = '.' AND x::timestamp::text = rtrim(rtrim(replace(x, 'T', ' '), '0'), '.') END"""),
    # Of the first year and the last, some instants are in another.
    _knows("instant(x text)", """x COLLATE "C" BETWEEN '0002' AND '9999' AND CASE WHEN right(x, 1) = 'Z' THEN pg_temp.plain_timestamp(left(x, -1))
        ELSE right(x, 6) COLLATE "C" ~ '^[+-](0[0-9]|1[0-5]):[0-5][0-9]$' AND pg_temp.plain_timestamp(left(x, -6)) END"""),
)  # fmt: skip

_BY_PATTERN = (
    _knows("whole(x text, kind text)", """octet_length(x) BETWEEN 1 AND CASE kind WHEN 'smallint' THEN 4 WHEN 'integer' THEN 9 ELSE 18 END
        AND x COLLATE "C" !~ '[^0-9]'""", "IMMUTABLE"),
    _knows("decimal(x text, digits integer, behind integer)", "pg_temp.like_decimal(x, digits, behind)", "IMMUTABLE"),
    _knows("date(x text)", f"x COLLATE \"C\" ~ '^{_DAY}$'", "IMMUTABLE"),
    _knows("timestamp(x text)", f"x COLLATE \"C\" ~ '^{_DAY}[T ]{_CLOCK}$'", "IMMUTABLE"),
    _knows("instant(x text)", "false", "IMMUTABLE"),
)  # fmt: skip
