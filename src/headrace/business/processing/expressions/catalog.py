"""The catalogue: every function that an expression may call, and no other. Its meaning is the same on every engine."""

from __future__ import annotations

from functools import lru_cache

from headrace.business.model.schema import did_you_mean
from headrace.business.processing.expressions import (
    functions_aggregate,
    functions_convert,
    functions_logic,
    functions_nested,
    functions_number,
    functions_text,
    functions_time,
    functions_window,
)  # fmt: skip
from headrace.business.processing.expressions.faults import BindError
from headrace.business.processing.expressions.function import Function

_FAMILIES = (
    functions_logic, functions_number, functions_text, functions_time, functions_nested, functions_convert, functions_aggregate,
    functions_window,
)  # fmt: skip

FUNCTIONS: tuple[Function, ...] = tuple(function for family in _FAMILIES for function in family.FUNCTIONS)

#: Names that people bring from elsewhere, and what to write here.
_ELSEWHERE = {
    **dict.fromkeys(
        ("now", "current_date", "current_timestamp", "current_time", "today", "getdate", "get_current_timestamp", "localtimestamp"),
        "the time of the run is not repeatable; use a parameter, as in `date '${params.day}'`",
    ),
    **dict.fromkeys(
        ("random", "rand", "uuid", "gen_random_uuid", "setseed"), "a result must come out the same when it is run again; nothing random is here"
    ),
    **dict.fromkeys(
        ("read_csv", "read_csv_auto", "read_parquet", "read_json", "read_json_auto", "read_text", "read_blob", "glob", "parquet_scan", "sniff_csv"),
        "an expression can read no file; declare a source",
    ),
    **dict.fromkeys(("getenv", "current_setting", "pragma_version", "version", "query", "query_table"), "an expression sees nothing but its columns"),
    **dict.fromkeys(("len", "char_length", "character_length"), "write `length(text)` or `list_length(items)`"),
    "unnest": "use the step `unnest`",
    "iif": "write `if(condition, value, other)`",
    "decode": "write `case`",
    "isnull": "write `x is null`",
    "date_format": "write `strftime(value, '%Y-%m-%d')`",
    "to_char": "write `strftime(value, '%Y-%m-%d')`",
    "to_date": "write `date(strptime(text, '%Y-%m-%d'))` or `cast(text as date)`",
    "group_concat": "write `string_agg(text, separator order by ...)`",
    "array_agg": "write `list(value order by ...)`",
    "percentile_cont": "write `quantile(value, share)`",
    "hash": "its values differ between engines and versions; use `md5` or `sha256`",
    "initcap": "engines do not agree where a word begins; `title(x)` begins words after spaces",
}


@lru_cache(maxsize=1)
def _by_name() -> dict[str, Function]:
    return {name: function for function in FUNCTIONS for name in (function.name, *function.aliases)}


def function(name: str) -> Function:
    """The function of that name, whatever its case. Raises `BindError` with the nearest name."""
    found = _by_name().get(name.lower())
    if found is None:
        raise BindError(f"there is no function `{name}`", _ELSEWHERE.get(name.lower()) or did_you_mean(name, _callable()))
    if found.kind == "operator":
        raise BindError(f"`{name}` is not called by name", f"write `{found.written}`")
    return found


def entry(name: str) -> Function:
    """An entry by its exact name, operators included."""
    return _by_name()[name]


def _callable() -> list[str]:
    return [name for name, found in _by_name().items() if found.kind != "operator"]
