"""The same tables on every engine, the same steps over them, and the rows that come out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tests.conformance.engines.adapters import Adapter, Row, readable, shown
from tests.conformance.steps.kitchen import step_class

from headrace.business.model.schema import Schema
from headrace.business.processing.relation import Dataset, Relation

Tables = Mapping[str, tuple[Schema, Sequence[Row]]]


def fill(engine: Adapter, tables: Tables) -> dict[str, str]:
    """Make the tables anew; what stands after FROM for each."""
    for name, (schema, rows) in tables.items():
        columns = ", ".join(f"{engine.identifier(c.name)} {engine.type_name(c.type)}" for c in schema)
        engine.run(f"DROP TABLE IF EXISTS {engine.identifier(name)}")
        engine.run(f"CREATE TABLE {engine.identifier(name)} ({columns})")
        if rows:
            tuples = ", ".join(f"({', '.join(engine.literal(row[c.name], c.type) for c in schema)})" for row in rows)
            engine.run(f"INSERT INTO {engine.identifier(name)} VALUES {tuples}")
    return {name: engine.identifier(name) for name in tables}


def steps(written: Sequence[Mapping[str, Any]], tables: Tables) -> list[tuple[str, Relation]]:
    """The relations of steps that follow each other; the first table is their input."""
    timed = {name: "at" if "at" in schema else None for name, (schema, _) in tables.items()}
    inputs: dict[str, Relation] = {name: Dataset(schema, name, timed[name]) for name, (schema, _) in tables.items()}
    inputs["input"] = next(iter(inputs.values()))
    made = []
    for i, step in enumerate(written):
        ((kind, options),) = step.items()
        plugin = step_class(kind)
        relation = plugin.model_validate(plugin.written(options)).apply(inputs)
        name = f"{kind} {i}"
        made.append((name, relation))
        inputs[name] = inputs["input"] = Dataset(relation.schema, name)
    return made


def result(
    engine: Adapter, made: Sequence[tuple[str, Relation]], tables: Mapping[str, str], digits: int | None = None
) -> list[tuple[str, ...]]:
    """The rows of the last step in their order; floats to so many digits if those are said."""
    final, relation = made[-1]
    columns = ", ".join(readable(engine.identifier(c.name), c.type, engine) for c in relation.schema)
    statement = engine.statement(made, final, tables)
    found = engine.fetch(f"SELECT {columns} FROM (\n{statement}\n) AS result")

    def cell(value: Any, kind: Any) -> str:
        return shown(float(f"{value:.{digits}g}") if digits and isinstance(value, float) else value, kind)

    return [tuple(cell(value, c.type) for value, c in zip(row, relation.schema, strict=True)) for row in found]
