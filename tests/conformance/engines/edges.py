"""The values at which engines differ, by type, and the constants that functions are given."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal as Exact
from typing import Any

from headrace.business.model.types import DataType, parse_type

# ruff: noqa: DTZ001 - timestamps without a zone are what is meant
_NAN, _INF = float("nan"), float("inf")
TEXTS = [
    "", " ", "a", "A", "Z", "ä", "é", "e\u0301", "straße", "İ", "ΑΣ", "ab12cd", " x ", "\u00a0x\u3000", "\ta\n", "a,b,,c", "10", "9", "-5", "5.70", "1e3", "1_000", "0x1F",
    "NaN", "inf", "true", "2024-02-29", "2023-02-29", "0001-01-01", "9999-12-31", "24:00:00", "2024-03-31T01:30:00+02:00", "2024-01-01 10:00:00.123456", "𝄞a𝄞", "a%b_c\\d",
    "new YORK o'hare", '{"a": [1, "x"]}', "[1, null]", "99999999999999999999999999999999999999", "日本語", "ﬀ", "Ǆ", "\u017f", "K",
]  # fmt: skip
EDGES: dict[str, list[Any]] = {
    "boolean": [True, False],
    "int8": [0, 1, -1, 127, -128],
    "uint8": [0, 1, 255],
    "int32": [0, 1, -1, 7, 2**31 - 1, -(2**31)],
    "int64": [0, 1, -1, 3, 65, 2**31, 2**53 + 1, 2**63 - 1, -(2**63)],
    "uint64": [0, 1, 2**64 - 1],
    "int128": [0, 1, -1, 2**64, 2**127 - 1, -(2**127)],
    "float32": [0.0, -0.0, 1.5, -1.5, 1e6, 16777216.0, 3.4028234663852886e38, 1.401298464324817e-45, _NAN, _INF, -_INF],
    "float64": [0.0, -0.0, 0.5, -0.5, 1.5, 2.5, -2.5, 0.49999999999999994, 1e15, 1e16, 123456789.125, 1e-5, 0.1, 1e308, -1.7976931348623157e308, 5e-324, 2.2250738585072014e-308, 2.0**53, _NAN, _INF, -_INF, 1e200, 3.0, -7.0],
    "decimal(5, 2)": [Exact("0.00"), Exact("-0.50"), Exact("2.50"), Exact("999.99"), Exact("-999.99"), Exact("0.01")],
    "decimal(3, 3)": [Exact("0.000"), Exact("-0.500"), Exact("0.999")],
    "decimal(38, 10)": [Exact("0E-10"), Exact("0.0000000001"), Exact("-2.5000000000"), Exact("9999999999999999999999999999.9999999999"), Exact("-9999999999999999999999999999.9999999999")],
    "decimal(38, 0)": [Exact(0), Exact("9" * 38), Exact("-" + "9" * 38)],
    "string": TEXTS,
    "enum(red, Blue, é)": ["red", "Blue", "é"],
    "date": [date(1, 1, 1), date(1582, 10, 15), date(1899, 12, 31), date(1970, 1, 1), date(2024, 2, 29), date(2023, 12, 31), date(2021, 1, 3), date(9999, 12, 31)],
    "time": [time(0), time(12, 30, 15, 500000), time(23, 59, 59, 999999)],
    "timestamp": [datetime(1, 1, 1), datetime(1969, 12, 31, 23, 59, 59, 999500), datetime(1970, 1, 1), datetime(2024, 2, 29, 12, 30, 15, 123456), datetime(2013, 3, 10, 2, 30), datetime(2013, 11, 3, 1, 30), datetime(2020, 1, 31), datetime(9999, 12, 31, 23, 59, 59, 999999)],
    "timestamptz": [datetime(1, 1, 1, tzinfo=UTC), datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC), datetime(2013, 3, 10, 7, 30, tzinfo=UTC), datetime(2013, 11, 3, 5, 30, tzinfo=UTC), datetime(2024, 3, 31, 1, 0, 0, 5, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)],
    "interval": [timedelta(0), timedelta(days=1), timedelta(hours=-25), timedelta(days=30, microseconds=1)],
    "binary": [b"", b"\x00", b"a\xff", "é".encode()],
    "json": ['{"a": {"b": [1, "x"]}, "c": null, "a b": 1.5}', "[1, 2.50, [3]]", '"t\\u00e9xt"', "12", "null", "true", "{}", "[]", "1e2", "-0", "[0.00001, 1e-7, 1e21, 1e20, 18446744073709551616, 1e400, -0.0]", '{"a": 1, "a": 2}', '{"a": {"b": [1, 2.50]}, "\\u00e9\\n": "\\ud834\\udd1e"}'],
    "list<string>": [[], [""], ["b", None, "a"], ["a", "a", "ä", "Z"], [None]],
    "list<int32>": [[], [1], [3, None, 1, 1], [-1, 2**31 - 1]],
    "list<float64>": [[], [_NAN, 1.0, None, -0.0], [_INF, -_INF]],
}  # fmt: skip
KINDS: dict[str, DataType] = {written: parse_type(written) for written in EDGES}
#: How often or how much: nothing that fills the memory.
EDGES["count"], KINDS["count"] = [0, 1, -1, 3, 200, -(2**62)], parse_type("int64")
EDGES["part"], KINDS["part"] = [0, 1, 2, 12, 23, 29, 31, 60, 2024, 2023, 9999, 10000, -1], parse_type("int64")
EDGES["second"], KINDS["second"] = [0.0, 59.9999996, 1.0000005, -0.5, 60.0, float("nan")], parse_type("float64")
EDGES["start"], KINDS["start"] = [0, 1, -1, 2, 5, 2**31, 2**32 - 1, -(2**63)], parse_type("int64")

#: The types that a group of a signature is tried with.
GROUPS = {
    "any": ["string", "int32", "float64", "decimal(38, 10)", "timestamptz", "boolean", "binary", "enum(red, Blue, é)"],
    "ordered": ["string", "int64", "uint64", "int128", "float64", "float32", "decimal(38, 10)", "decimal(5, 2)", "boolean", "date", "time", "timestamp", "timestamptz", "interval", "binary", "enum(red, Blue, é)", "int8"],
    "number": ["int8", "uint8", "int32", "int64", "uint64", "int128", "float32", "float64", "decimal(5, 2)", "decimal(3, 3)", "decimal(38, 10)", "decimal(38, 0)"],
    "integer": ["int8", "int32", "int64", "uint64", "int128"],
    "float": ["float32", "float64"],
    "moment": ["date", "timestamp", "timestamptz"],
    "list<any>": ["list<string>", "list<int32>", "list<float64>"],
    "list<ordered>": ["list<string>", "list<int32>", "list<float64>"],
}  # fmt: skip

#: What constants a parameter is tried with, by the name of the function and its own; or by its own alone.
CONSTANTS: dict[str, list[str]] = {
    "regexp_matches.pattern": ["'[0-9]+'", "'^[a-z]*$'", "'(?i)K|s'", "'.'", "''", r"'\w\s?\w'", "'^.$'", "'[^a]'", "'a|ab'", "'(a+)+$'", r"'\bo'", "'[[:upper:]]{2,}'", "'é+'", r"'\x{1D11E}'"],
    "regexp_full_match.pattern": ["'[0-9]+'", "'.*'", "'a|Z'", "'(?s).*'", "''"],
    "regexp_extract.pattern": ["'([a-z]+)([0-9]+)'"],
    "regexp_extract.part": ["0", "1", "2"],
    "regexp_replace.pattern": ["'[0-9]+'", "'(a)(b)'", "'[^a-z]'"],
    "regexp_replace.replacement": [r"'-'", r"'<\0>'", "''", r"'&'"],
    "like.escape": ["'!'"], "ilike.escape": ["'!'"],
    "strptime.format": ["'%Y-%m-%d'", "'%Y-%m-%d %H:%M:%S.%f'", "'%y'", "'%d.%m.%Y'", "'%Y-%m-%dT%H:%M:%S%z'"],
    "strftime.format": ["'%Y-%m-%d %H:%M:%S.%f'", "'%a %A %b %B %d %j %p %I %y %% \"x\"'", "'%-d/%-m %-H:%-M:%-S %-I'"],
    "at_time_zone.zone": ["'Europe/Berlin'", "'America/New_York'", "'UTC'", "'Asia/Kolkata'"],
    "split_part.separator": ["','", "'a'"], "string_split.separator": ["','", "''", "'ab'"],
    "lpad.fill": ["'x'", "'ab'", "'𝄞'"], "rpad.fill": ["'x'", "'ab'"],
    "round.digits": ["0", "1", "2", "-1", "-2", "5"],
    "json_text.path": ["'a'", "'$.a.b[1]'", "'$.a'", "'$[1]'", "'$[-1]'", "'$.\"a b\"'", "'$'"], "json_value.path": ["'a'", "'$.a.b'", "'$[2]'", "'$.c'", "'$'"],
    "quantile.share": ["0", "0.25", "0.5", "1"], "quantile_disc.share": ["0", "0.25", "0.5", "1"],
    "approx_quantile.share": ["0", "0.25", "1"], "approx_top_k.k": ["1", "3", "1000"],
    "string_agg.separator": ["','", "''"],
    "ntile.parts": ["1", "3", "100"], "lag.offset": ["0", "2"], "lead.offset": ["1", "5"], "nth_value.place": ["1", "3"],
}  # fmt: skip
UNITS = ["microsecond", "millisecond", "second", "minute", "hour", "day", "week", "month", "quarter", "year"]
PARTS = [
    *("year", "isoyear", "quarter", "month", "week", "day", "dayofyear", "dayofweek", "isodow", "hour", "minute", "second"),
    "millisecond",
    "microsecond",
]
