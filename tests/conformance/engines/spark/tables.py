"""Tables and steps on Spark, and the rows that come out, as `engines.tables` has them for the other engines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.conformance.engines.adapters import shown
from tests.conformance.engines.spark.adapter import Spark, plain, readable
from tests.conformance.engines.tables import Tables

from headrace.business.processing.relation import Relation


def fill(spark: Spark, tables: Tables) -> dict[str, str]:
    for name, (schema, rows) in tables.items():
        spark.table(name, schema, rows)
    return {name: spark.identifier(name) for name in tables}


def result(spark: Spark, made: Sequence[tuple[str, Relation]], tables: Mapping[str, str], digits: int) -> list[tuple[str, ...]]:
    """The rows of the last step in their order; floats to so many digits."""
    final, relation = made[-1]
    columns = ", ".join(readable(spark.identifier(c.name), c.type) for c in relation.schema)
    found = spark.fetch(f"SELECT {columns} FROM (\n{spark.statement(made, final, tables)}\n)")
    kinds = [c.type for c in relation.schema]
    return [
        tuple(
            shown(float(f"{value:.{digits}g}") if isinstance(value, float) else plain(value, kind), kind)
            for value, kind in zip(row, kinds, strict=True)
        )
        for row in found
    ]
