"""What SQL can say and an expression may not: the words for it, and what to write instead."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headrace.business.processing.expressions.faults import BindError, ExpressionError
from headrace.business.processing.expressions.syntax import start_of

if TYPE_CHECKING:
    from sqlglot import exp

_BITS = ("operators on bits are not in the catalogue", "compute it in a python step")
_REFUSED: dict[str, tuple[str, str | None]] = {
    "placeholder": ("parameters are written `${params.name}`", None),
    "parameter": ("parameters are written `${params.name}`", None),
    "sessionparameter": ("parameters are written `${params.name}`", None),
    "positionalcolumn": ("columns are named, not numbered", None),
    "star": ("`*` stands for no value here", "name a column; only `count(*)` takes it"),
    "lambda": ("functions of items are not in the catalogue", "use the step `unnest`, or a python step"),
    "kwarg": ("arguments are given by place, not by name", None),
    "propertyeq": ("arguments are given by place, not by name", None),
    "collate": ("collations are not read: text is ordered by code point", "compare `lower(x)` to ignore case"),
    "similarto": ("`similar to` is not read", "write `regexp_full_match(x, 'pattern')`"),
    "glob": ("`glob` is not read", "write `x like 'a%'` or `regexp_matches(x, 'pattern')`"),
    "concat": ("two texts stand side by side", "join them with `||`"),
    **{f"bitwise{name}": _BITS for name in ("and", "or", "xor", "not", "leftshift", "rightshift")},
    "select": ("a query cannot stand here", "write one expression; queries go into the step `sql`"),
    "union": ("a query cannot stand here", "write one expression; queries go into the step `sql`"),
    "command": ("this is a statement, and only expressions are read here", None),
    "pragma": ("this is a statement, and only expressions are read here", None),
    "withingroup": ("`within group` is not read", "write `quantile(x, 0.5)`"),
    "ignorenulls": ("`ignore nulls` is not read", "leave the rows out with `filter (where x is not null)`"),
    "respectnulls": ("`respect nulls` need not be said", None),
    "bytestring": ("texts are written in single quotes, without a letter before them", None),
    "hexstring": ("bytes are written `cast('c3a9' as binary)`", None),
    "tuple": ("several values in brackets are no value", "compare each of them"),
    "distinct": ("`distinct` stands at the start of the brackets of an aggregate", None),
    "any": ("`any (...)` is not read", "write `list_contains(items, x)` or `x in (...)`"),
    "map": ("maps are not read", "use a struct `{'a': 1}` or json"),
}  # fmt: skip


def refusal(node: exp.Expression) -> BindError | ExpressionError:
    """Why a node cannot be read."""
    if node.key == "alias" and node.args.get("alias") is None:
        return refusal(node.this)
    if node.key == "alias":
        word = node.args["alias"]
        return ExpressionError(
            f"`{node.alias}` was not expected here", start_of(word), "an operator is missing before it, or a quote"
        )
    if node.key in _REFUSED:
        return BindError(*_REFUSED[node.key])
    return BindError(
        f"`{node.key}` is not something that an expression can say", "see the reference of functions for what there is"
    )
