"""Functions that people know from elsewhere and that are not in the catalogue: why not, and what to write."""

from __future__ import annotations

_NOT_REPEATABLE = "the time of the run is not repeatable; use a parameter, as in `date '${params.day}'`"
_RANDOM = "a result must come out the same when it is run again; nothing random is here"
_FILES = "an expression can read no file; declare a source"
_OUTSIDE = "an expression sees nothing but its columns"

ELSEWHERE: dict[str, str] = {
    **dict.fromkeys(
        ("now", "current_date", "current_timestamp", "current_time", "localtimestamp", "localtime"), _NOT_REPEATABLE
    ),
    **dict.fromkeys(("today", "getdate", "get_current_timestamp", "transaction_timestamp"), _NOT_REPEATABLE),
    **dict.fromkeys(("random", "rand", "uuid", "gen_random_uuid", "setseed"), _RANDOM),
    **dict.fromkeys(
        ("read_csv", "read_csv_auto", "read_parquet", "read_json", "read_json_auto", "read_text", "read_blob"), _FILES
    ),
    **dict.fromkeys(("glob", "parquet_scan", "sniff_csv", "duckdb_secrets"), _FILES),
    **dict.fromkeys(("getenv", "current_setting", "version", "query", "query_table", "getvariable"), _OUTSIDE),
    **dict.fromkeys(("len", "char_length", "character_length"), "write `length(text)` or `list_length(items)`"),
    **dict.fromkeys(("date_format", "to_char"), "write `strftime(value, '%Y-%m-%d')`"),
    **dict.fromkeys(
        ("list_filter", "list_transform", "list_reduce", "filter", "apply"), "use the step `unnest`, or a python step"
    ),
    "unnest": "use the step `unnest`",
    "iif": "write `if(condition, value, other)`",
    "decode": "write `case when ... then ... end`",
    "isnull": "write `x is null`",
    "nvl": "write `coalesce(x, other)`",
    "to_date": "write `date(strptime(text, '%Y-%m-%d'))` or `cast(text as date)`",
    "date_add": "write `value + interval '1 day'`",
    "group_concat": "write `string_agg(text, separator order by ...)`",
    "array_agg": "write `list(value order by ...)`",
    "percentile_cont": "write `quantile(value, share)`",
    "percentile_disc": "write `quantile_disc(value, share)`",
    "hash": "its values differ between engines and versions; use `md5` or `sha256`",
    "initcap": "engines do not agree where a word begins; `title(x)` begins words after spaces",
}
