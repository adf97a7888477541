"""How names of ours are called in Snowflake, and the other way round. Not how they are quoted.

Snowflake writes a name that nobody quotes in capitals. So a plain name in small letters stands for that one, as with every client that
does not tell case apart: `orders` is the table that people there call `orders`, `Orders` and `ORDERS`. Every other name is itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from headrace.infrastructure.sql_text import quoted

#: The longest name that Snowflake takes, in characters.
LONGEST_NAME = 255
_SMALL = re.compile(r"[a-z_][a-z0-9_$]*")
_CAPITAL = re.compile(r"[A-Z_][A-Z0-9_$]*")


def stored(name: str) -> str:
    """What a name of ours is called there."""
    return name.upper() if _SMALL.fullmatch(name) else name


def spoken(name: str) -> str:
    """What a name from there is called here."""
    return name.lower() if _CAPITAL.fullmatch(name) else name


def path(written: str) -> str:
    """A table as people write it, `table`, `schema.table` or `database.schema.table`, as SQL."""
    return ".".join(quoted(stored(part)) for part in written.split("."))


def escaped(statement: str) -> str:
    """A statement whose texts are written in standard SQL, as Snowflake reads it: there a backslash in a text begins an escape.
    No name in the statement may hold a backslash."""
    return statement.replace("\\", "\\\\")


def name_problems(names: Iterable[str]) -> Iterable[str]:
    """What cannot be a name there: one sentence for each."""
    for name in names:
        if len(name) > LONGEST_NAME:
            yield f"the name `{name}` has more than {LONGEST_NAME} characters, which is the most in Snowflake; choose a shorter one"
        if "\\" in name:
            yield f"the name `{name}` has a backslash, which begins an escape in Snowflake's statements; choose another"
