"""What the page on engines is about: types, steps and expressions, of which each engine says whether it carries them out. The tests
carry out the same on all that do, and compare.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from headrace.business.model.schema import Schema
from headrace.business.model.types import Date, Float, Integer, Json, List, String

Step = Mapping[str, Any]

#: What the features below are tried over: `t`, and `u` beside it.
TABLES: Mapping[str, Schema] = {
    "t": Schema.of(k=Integer(32), s=String(), f=Float(64), d=Date(), l=List(String()), j=Json()),
    "u": Schema.of(k=Integer(64), s=String(), n=String()),
}
TYPES = (
    "boolean", "int8", "int16", "int32", "int64", "int128", "uint8", "uint16", "uint32", "uint64", "uint128", "float32", "float64",
    "decimal(15, 2)", "decimal(38, 10)", "string", "enum(a, b)", "date", "time", "timestamp", "timestamptz", "interval", "binary", "json",
    "list<string>", "list<list<int32>>", "struct<a: int32>",
)  # fmt: skip
#: The column that says when rows of `t` happened.
TIME = "d"
#: What a step does, as steps over `t`.
STEPS: Mapping[str, tuple[Step, ...]] = {
    "select, rename, derive, filter": ({"select": ["k", "s"]}, {"rename": {"s": "w"}}, {"derive": {"x": "k + 1"}}, {"filter": "x > 1"}),
    "clean": ({"clean": {"trim": "*", "collapse": ["s"], "nulls": ["NA"], "case": {"s": "title"}, "fill": {"k": 0}, "clip": {"f": [0, 9]}}},),
    "cast": ({"cast": {"k": "string", "s": {"to": "int32", "invalid": "null"}}},),
    "aggregate": ({"aggregate": {"by": "s", "measures": {"n": "count(*)", "m": "max(f) filter (where k > 0)"}}},),
    "window": ({"window": {"partition_by": "s", "order_by": ["k", "f", "d"], "rows": [-1, 0], "columns": {"n": "count(*)"}}},),
    "pivot": ({"pivot": {"by": "s", "on": "k", "values": [1, 2], "measure": "count(*)"}},),
    "unpivot": ({"select": ["s", "k", "f"]}, {"unpivot": ["k", "f"]}),
    "unnest": ({"unnest": {"column": "l", "into": "item", "keep_empty": True}},),
    "dedupe": ({"select": ["k", "s", "f"]}, {"dedupe": {"key": "s", "order_by": ["k", "f"]}}),
    "join: inner": ({"join": {"with": "u", "on": ["k"], "suffix": "_u"}},),
    **{f"join: {how}": ({"join": {"with": "u", "on": ["k"], "how": how, "suffix": "_u"}},) for how in ("left", "right", "full", "semi", "anti")},
    "join: cross": ({"join": {"with": "u", "how": "cross", "prefix": "u_"}},),
    "join: on a condition": ({"join": {"with": "u", "on": 's < "u.s"', "prefix": "u."}},),
    "join: near in time": ({"join": {"with": "t", "on": ["k"], "suffix": "_near", "within": "36 hours"}},),
    "join: between two times": ({"join": {"with": "t", "on": ["k"], "suffix": "_then", "between": ["d", "d"]}},),
    "lookup": ({"lookup": {"with": "u", "on": "k", "take": {"word": "s"}}},),
    "union": ({"select": ["k", "s"]}, {"union": {"with": ["few"], "distinct": True}}),
    "sort and limit": ({"sort": ["s nulls first", "-k", "f", "d"]}, {"limit": 3}),
    "sample: a share": ({"select": ["k", "s", "d"]}, {"sample": "60%"}),
    "sample: a number of rows": ({"select": ["k", "s", "d"]}, {"sample": {"rows": 2}}),
    "sql: group by, having, grouping sets": ({"sql": "select s, k, count(*) as n from t group by grouping sets ((s, k), (s), ()) having count(*) > 0"},),
    "sql: distinct": ({"sql": "select distinct s, k from t"},),
    "sql: distinct json values": ({"sql": "select distinct j from t"},),
    "sql: union, intersect, except": ({"sql": "(select s from t union select s from u) except (select n from u intersect select s from t)"},),
    "sql: subqueries": ({"sql": "select k, (select max(n) from u where u.k = t.k) as n from t where exists (select 1 from u) or s in (select s from u)"},),
    "sql: a column of a query two further out": ({"sql": "select k from t where exists (select 1 from u where u.k = t.k and exists (select 1 from u as v where v.s = t.s))"},),
    "sql: windows, qualify": ({"sql": "select s, rank() over (partition by s order by k) as r from t qualify r = 1"},),
    "sql: with, values": ({"sql": "with w as (select * from (values (1, 'a'), (2, null)) as v(n, w)) select * from w cross join (select count(*) as c from t)"},),
}  # fmt: skip
#: What an expression does that engines do in their own ways.
EXPRESSIONS: Mapping[str, str] = {
    "text by code point": "s < 'a' or upper(s) = s",
    "regular expressions": "regexp_matches(s, '^[a-z]+\\s?$')",
    "regular expressions: classes of Unicode": "regexp_matches(s, '\\pL')",
    "regular expressions: lines": "regexp_matches(s, '(?m)^a$')",
    "regular expressions: any case of ASCII": "regexp_matches(s, '(?i)abc')",
    "regular expressions: any case beyond ASCII": "regexp_matches(s, '(?i)é')",
    "parts of a match, where the next character decides": "regexp_extract(s, '([a-z]+)-([0-9]+)', 2)",
    "parts of a match, as little as can be up to a character": "regexp_extract(s, '\"(.*?)\"', 1)",
    "parts of a match, where the first alternative counts": "regexp_extract(s, 'a|ab')",
    "replacing matches": "regexp_replace(s, '[0-9]+', '#')",
    "replacing empty matches": "regexp_replace(s, '[0-9]*', '#')",
    "aggregates: distinct": "count(distinct s)",
    "aggregates: distinct values in order": "string_agg(distinct s, ',' order by s)",
    "aggregates: quantiles": "quantile(f, 0.9)",
    "aggregates: quantiles of distinct values": "median(distinct f)",
    "windows: running totals": "sum(k) over (order by k rows between 2 preceding and current row)",
    "windows: distinct": "count(distinct s) over ()",
    "windows: quantiles": "median(f) over (partition by s)",
    "windows: values in order": "string_agg(s, ',' order by k) over ()",
    "lists": "list_sort(l)[1]",
    "lists of lists": "[[k]]",
    "structs": "{'a': k}.a",
    "json": "cast(s as json) ->> '$.a[0]'",
    "json of bytes": "cast(encode(s) as json)",
    "instants on the clock of a zone": "hour(timestamptz '2024-03-31 01:00:00Z' at time zone 'Europe/Berlin')",
    "reading and writing dates in a format": "strftime(strptime(s, '%d.%m.%Y'), '%Y-%m-%d')",
}  # fmt: skip
