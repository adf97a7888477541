"""The kinds of option that several steps share, and the ways in which people write them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from headrace.business.model.contract import Scalar
from headrace.business.model.references import Sql

Name = Annotated[str, Field(min_length=1)]


def _names(written: Any) -> Any:
    return (written,) if isinstance(written, str) else written


def _null_sql(written: Any) -> Any:
    return "NULL" if written is None else written


def _null_word(written: Any) -> Any:
    """An option may be the word `null`, which YAML reads as nothing at all."""
    return "null" if written is None else written


#: One name or a list of them.
Names = Annotated[tuple[Name, ...], BeforeValidator(_names, json_schema_input_type=Name | tuple[Name, ...])]

#: SQL, or a constant as YAML reads it.
Expression = Annotated[Sql, BeforeValidator(_null_sql)]

#: One ordering or a list of them.
Terms = Annotated[tuple[Sql, ...], BeforeValidator(_names, json_schema_input_type=Name | tuple[Name, ...])]

NullWord = BeforeValidator(_null_word)

#: A constant as YAML reads it, or null.
Value = Scalar | None


def of_free_names(option: str, written: Any) -> Any:
    """For steps whose keys are the user's own names: `derive: {speed: ...}` is `derive: {columns: {speed: ...}}`."""
    if not isinstance(written, Mapping) or (set(written) == {option} and isinstance(written[option], Mapping)):
        return written
    return {option: written}
