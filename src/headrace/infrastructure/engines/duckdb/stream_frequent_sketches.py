"""Sketches of values that answer about the most frequent: frequent items of Apache DataSketches, inside of statements of DuckDB.

Of up to 3,072 different values they are exact; of more, counts are off by less than 0.09 % of all values (Anderson and others, 2017).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from headrace.business.model.types import List
from headrace.business.processing.expressions.ir import Call
from headrace.business.streams.sketches import FREQUENT, FREQUENT_MERGED, MOST_FREQUENT
from headrace.infrastructure.duckdb_connection import Connection
from headrace.infrastructure.engines.duckdb.types import duckdb_type
from headrace.infrastructure.engines.sql.dialect import Lowering

#: The binary logarithm of how many counters a sketch has, of which three quarters are used.
_SIZE = 12


def _most_frequent(e: Call, args: Sequence[str]) -> str:
    """Of values that are equally frequent the first in order comes first, which is the order of their type and not of their texts."""
    kind = e.type.item if isinstance(e.type, List) else e.type
    typed = f"lambda e: struct_pack(n := e.n, v := CAST(e.v AS {duckdb_type(kind)}))"
    items = f"list_transform(headrace_most_frequent({', '.join(args)}), {typed})"
    return f"list_transform(list_sort({items})[1:{args[1]}], lambda e: e.v)"


FUNCTIONS: Mapping[str, Lowering] = {
    FREQUENT: "headrace_frequent({0})",
    FREQUENT_MERGED: "headrace_frequent_merged({0})",
    MOST_FREQUENT: _most_frequent,
}


def add(con: Connection) -> None:
    con.create_function("headrace_frequent", _sketches, ["VARCHAR[]"], "BLOB")
    con.create_function("headrace_frequent_merged", _merged, ["BLOB[]"], "BLOB")
    con.create_function("headrace_most_frequent", _items, ["BLOB", "BIGINT"], "STRUCT(n BIGINT, v VARCHAR)[]")


def _sketches(lists: Any) -> Any:
    """One of each list, into which each different value is put once, with its number."""
    import pyarrow as pa
    from datasketches import frequent_strings_sketch

    made = []
    for texts in lists:
        sketch = frequent_strings_sketch(_SIZE)
        for counted in texts.values.value_counts().to_pylist() if texts.is_valid else ():
            sketch.update(counted["values"], counted["counts"])
        made.append(sketch.serialize())
    return pa.array(made, pa.binary())


def _merged(lists: Any) -> Any:
    import pyarrow as pa
    from datasketches import frequent_strings_sketch

    made = []
    for sketches in lists.to_pylist():
        merged = frequent_strings_sketch(_SIZE)
        for sketch in sketches or ():
            merged.merge(frequent_strings_sketch.deserialize(sketch))
        made.append(merged.serialize())
    return pa.array(made, pa.binary())


def _items(sketches: Any, most: Any) -> Any:
    """Of each sketch the values that are among the most frequent, with their numbers below zero, so that these come first."""
    import pyarrow as pa

    kind = pa.list_(pa.struct([("n", pa.int64()), ("v", pa.string())]))
    return pa.array([_read(sketch, k) for sketch, k in zip(sketches.to_pylist(), most.to_pylist(), strict=True)], kind)


def _read(sketch: bytes, most: int) -> list[dict[str, Any]] | None:
    from datasketches import frequent_items_error_type, frequent_strings_sketch

    known = frequent_strings_sketch.deserialize(sketch)
    found = known.get_frequent_items(frequent_items_error_type.NO_FALSE_NEGATIVES, 0)
    found.sort(key=lambda item: -item[1])
    least = found[min(most, len(found)) - 1][1] if found else 0
    return [{"n": -count, "v": text} for text, count, _, _ in found if count >= least] or None
