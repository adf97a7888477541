"""What the engine will run, for people to read: each stage as one statement, under names that say what is meant."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from headrace.business.engine import Statement
from headrace.business.processing.plan import Plan
from headrace.infrastructure.engines.spark.checked import Checked
from headrace.infrastructure.engines.spark.naming import identifier
from headrace.infrastructure.engines.spark.relations import with_clause


def statements(plan: Plan) -> Sequence[Statement]:
    found = [
        Statement(
            f"judge {source.name}",
            _written(f"checked {source.name}", Checked(source).query(identifier(f"arrived {source.name}"))),
        )
        for source in plan.sources
    ]
    tables = {source.name: identifier(source.name) for source in plan.sources}
    for name in plan.staged:
        text = with_clause([(step.name, step.relation) for step in plan.steps], name, tables)
        found.append(Statement(f"stage {name}", _written(f"staged {name}", text)))
        tables[name] = identifier(f"staged {name}")
    return found


def _written(name: str, query: str) -> str:
    return f"INSERT OVERWRITE DIRECTORY '{Path(name)}' USING parquet\n{query}"
