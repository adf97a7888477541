"""How a function of the session is defined: as a single expression, or as a few statements."""

from __future__ import annotations

from typing import Literal

Changes = Literal["IMMUTABLE", "STABLE", "VOLATILE"]


def expression(signature: str, gives: str, body: str, changes: Changes = "IMMUTABLE") -> str:
    """A function that is one expression, which the planner can put into the statement that calls it."""
    return f"CREATE OR REPLACE FUNCTION pg_temp.{signature} RETURNS {gives} LANGUAGE sql {changes} PARALLEL SAFE AS $f$SELECT {body}$f$"


def procedure(
    signature: str, gives: str, body: str, declare: str = "", changes: Changes = "IMMUTABLE", *, strict: bool = True
) -> str:
    """A function of several statements. A strict one gives null for a null."""
    kind = f"{changes}{' STRICT' if strict else ''} PARALLEL SAFE"
    declared = f"DECLARE {declare}\n" if declare else ""
    return f"CREATE OR REPLACE FUNCTION pg_temp.{signature} RETURNS {gives} LANGUAGE plpgsql {kind} AS $f${declared}BEGIN\n{body}\nEND$f$"
