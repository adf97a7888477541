"""The reference of functions, written from the catalogue. Not the meaning of types and casts: see `docs/specs/semantics.md`."""

from __future__ import annotations

from headrace.business.processing.expressions.catalog import FUNCTIONS
from headrace.business.processing.expressions.function import Function
from headrace.business.processing.expressions.time_formats import LETTERS

_HEAD = """# Functions

Every function that an expression may call; there are no others. What holds for all of them (types, null, order, casts) is in
[what expressions mean](../specs/semantics.md). This page is written from the catalogue, and each example is run by the tests.

In a signature, `[x: kind]` may be left out, `x: kind...` may be repeated, and `constant` asks for a literal. A kind is a type or
one of these groups, and the same group twice is the same type: `any`, `ordered` (all but json, lists and structs), `number`,
`integer`, `float`, `moment` (`date`, `timestamp` or `timestamptz`), `struct`. A `unit` is one of microsecond, millisecond, second,
minute, hour, day, week, month, quarter, year.

The examples of aggregates are over five rows whose `x` is 1, 2, 2, null and 5, and whose `s` is a, b, c, d and e. Those of windows
give the value in the third of three rows whose `x` is 10, 20 and 20, and whose `y` is 1, 2 and 3.
"""


def reference() -> str:
    """The page `docs/reference/functions.md`."""
    families = list(dict.fromkeys(function.family for function in FUNCTIONS))
    parts = [_HEAD]
    for family in families:
        parts.append(f"\n## {family}\n")
        parts += [_entry(function) for function in FUNCTIONS if function.family == family]
    letters = "\n".join(f"| `{letter}` | {meaning} |" for letter, meaning in LETTERS.items())
    return "".join(parts) + f"\n## Letters of date formats\n\n| letter | meaning |\n|---|---|\n{letters}\n"


def _entry(function: Function) -> str:
    title = function.written if function.written else function.name
    signature = "" if function.written else f"`{function.signature}`\n\n"
    aliases = f" Also called {', '.join(f'`{name}`' for name in function.aliases)}." if function.aliases else ""
    return (
        f"\n### `{title}`\n\n{signature}{function.meaning}{aliases}\n\n"
        f"- Null: {function.nulls}.\n- Example: `{function.example}` gives `{function.gives}`.\n"
    )
