"""Our types as the engine keeps them in Snowflake, and those that it refuses. How tables of people are stored is the sink's matter."""

from __future__ import annotations

from headrace.business.model.types import DataType, Float, Interval, Json, List, Null, Struct
from headrace.infrastructure.snowflake import types as storage

_REFUSED: dict[type[DataType], str] = {
    Json: "Snowflake puts the fields of json in an order of its own and forgets how numbers were written; keep it as string",
    List: "Snowflake's arrays hold values without a type of ours; keep them as string, or run the step with `engine: duckdb`",
    Struct: "Snowflake's objects hold values without a type of ours; make a column of each field",
    Interval: "Snowflake's tables hold no intervals; keep days or seconds as a number",
}


def snowflake_type(kind: DataType) -> str:
    """The type in which Snowflake keeps it. Raises `TypeError` for one that is refused (see `type_problem`)."""
    if why := type_problem(kind):
        raise TypeError(why)
    return "VARCHAR" if isinstance(kind, Null) else storage.snowflake_type(kind)


def type_problem(kind: DataType) -> str | None:
    """Why the engine does not keep it, or None."""
    if isinstance(kind, Float) and kind.bits == 32:
        return "Snowflake calculates with floats of 64 bits alone; cast it to float64"
    return _REFUSED.get(type(kind))
