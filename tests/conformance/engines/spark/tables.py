"""Tables and steps on Spark, and the rows that come out, as `engines.tables` has them for the other engines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.conformance.engines.adapters import DuckDB, shown
from tests.conformance.engines.spark.adapter import Spark, plain, readable
from tests.conformance.engines.tables import Tables

from headrace.business.model.types import String
from headrace.business.processing.relation import Relation


def fill(spark: Spark, tables: Tables, prefix: str) -> dict[str, str]:
    """Views under names that begin with `prefix`, since all tests share a session; what stands after FROM for each table."""
    for name, (schema, rows) in tables.items():
        spark.table(f"{prefix}_{name}", schema, rows)
    return {name: spark.identifier(f"{prefix}_{name}") for name in tables}


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


def together(engine: Spark | DuckDB, relations: Sequence[Relation], tables: Mapping[str, str]) -> list[list[tuple[str, ...]]]:
    """The sorted rows of each relation, all in one statement. The values are texts, so a column is better no float."""
    text = engine.type_name(String())
    asked = []
    for i, relation in enumerate(relations):
        cells = ", ".join(f"CAST({engine.identifier(c.name)} AS {text})" for c in relation.schema)
        listed = f"array({cells})" if isinstance(engine, Spark) else f"[{cells}]"
        asked.append(
            f"SELECT {i} AS q, {listed} AS cells FROM (\n{engine.statement([('q', relation)], 'q', tables)}\n) AS asked"
        )
    found: list[list[tuple[str, ...]]] = [[] for _ in relations]
    for place, cells in engine.fetch("\nUNION ALL ".join(asked)):
        found[place].append(tuple(map(str, cells)))
    return [sorted(rows) for rows in found]
