"""The sketches of streams, inside of statements of DuckDB: here those that count different values about, HyperLogLog of DataSketches.

The values of a group come as one list, each once, so Python is asked once for each group and not for each row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from headrace.business.streams.sketches import ESTIMATE, SKETCH, SKETCHED, SKETCHES
from headrace.errors import NonRetryableError
from headrace.infrastructure.duckdb_connection import Connection
from headrace.infrastructure.engines.duckdb import stream_frequent_sketches, stream_quantile_sketches
from headrace.infrastructure.engines.sql.dialect import Lowering

#: 4,096 registers: two kilobytes, and wrong by 1.6 % on the average.
_PRECISION = 12

FUNCTIONS: Mapping[str, Lowering] = {
    **stream_quantile_sketches.FUNCTIONS,
    **stream_frequent_sketches.FUNCTIONS,
    SKETCHED: "CAST({0} AS VARCHAR)",
    SKETCH: "headrace_sketch({0})",
    SKETCHES: "headrace_sketches({0})",
    ESTIMATE: "headrace_estimate({0})",
}


def add_sketches(con: Connection) -> None:
    """Let statements on this connection call them."""
    try:
        import datasketches  # noqa: F401 - whether it is there
    except ImportError as error:
        hint = "pip install 'headrace[sketches]', or use `count(distinct ...)`, `quantile` or `mode` in a window"
        raise NonRetryableError("`approx_...` in a stream needs the library datasketches", hint=hint) from error
    stream_quantile_sketches.add(con)
    stream_frequent_sketches.add(con)
    con.create_function("headrace_sketch", _each(_sketch), ["VARCHAR[]"], "BLOB")
    con.create_function("headrace_sketches", _each(_merged), ["BLOB[]"], "BLOB")
    con.create_function("headrace_estimate", _estimates, ["BLOB"], "BIGINT")


def _each(made: Callable[[Iterable[Any]], bytes]) -> Callable[[Any], Any]:
    def of(lists: Any) -> Any:
        import pyarrow as pa

        return pa.array([made(values or ()) for values in lists.to_pylist()], pa.binary())

    return of


def _sketch(texts: Iterable[str]) -> bytes:
    from datasketches import hll_sketch, tgt_hll_type

    sketch = hll_sketch(_PRECISION, tgt_hll_type.HLL_4)
    for text in texts:
        sketch.update(text)
    return bytes(sketch.serialize_compact())


def _merged(sketches: Iterable[bytes]) -> bytes:
    from datasketches import hll_sketch, hll_union, tgt_hll_type

    union = hll_union(_PRECISION)
    for sketch in sketches:
        union.update(hll_sketch.deserialize(sketch))
    return bytes(union.get_result(tgt_hll_type.HLL_4).serialize_compact())


def _estimates(sketches: Any) -> Any:
    import pyarrow as pa
    from datasketches import hll_sketch

    return pa.array([round(hll_sketch.deserialize(sketch).get_estimate()) for sketch in sketches.to_pylist()], pa.int64())
