"""Calls a step that is a Python function where the executors are: one of them is given whole tables, as the function asks for, and hands
back batches. The user's code is called here and nowhere else; Headrace has to be installed there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headrace.business.model.schema import Schema
from headrace.business.processing.relation import Function
from headrace.business.processing.steps.user_function import UserFunction
from headrace.errors import HeadraceError, NonRetryableError
from headrace.infrastructure.engines.spark.area import Area, written
from headrace.infrastructure.engines.spark.arrow_types import arrow_type
from headrace.infrastructure.engines.spark.naming import identifier
from headrace.infrastructure.engines.spark.types import spark_type

if TYPE_CHECKING:
    import pyarrow as pa

#: What a function is called with: an iterator of batches that are not looked at, since its tables lie in files.
Called = Callable[[Iterator[Any]], Iterator[Any]]


def call_function(area: Area, relation: Function, project: Path, queries: Sequence[str], step: str) -> Path:
    """Where the rows are that the function made of the rows of these queries."""
    given = [area.write("given", step, query) for query in queries]
    made, complaint = area.path("made", step), area.path("complaint", step)
    call = relation.call.at(project.resolve()) if isinstance(relation.call, UserFunction) else relation.call
    calling = _calling(call, given, [part.schema for part in relation.parts], relation.schema, complaint)
    columns = ", ".join(f"{identifier(c.name)} {spark_type(c.type)}" for c in relation.schema)
    view = re.sub(r"\W", "_", f"made_{made.name}")
    try:
        area.cluster.define(view, lambda spark: spark.range(0, 1, 1, 1).mapInArrow(calling, columns))
        area.cluster.run(written(f"SELECT * FROM {identifier(view)}", made))
    except HeadraceError as error:
        if not complaint.exists():
            raise
        said = json.loads(complaint.read_text())
        raise NonRetryableError(f"step `{step}`: {relation.label} {said['what']}", hint=said["hint"]) from error
    return made


def _calling(
    call: Callable[..., Any], given: Sequence[Path], schemas: Sequence[Schema], declared: Schema, complaint: Path
) -> Called:
    """What one executor does. It stands on nothing of this process."""
    folders = [str(folder) for folder in given]

    def calling(batches: Iterator[Any]) -> Iterator[Any]:
        from pyarrow.lib import ArrowException

        for _ in batches:
            pass
        tables = [table_of(folder, schema) for folder, schema in zip(folders, schemas, strict=True)]
        try:
            made = call(*tables)
        except HeadraceError as error:
            complain(complaint, f"cannot be called: {error.message}", error.hint)
            raise
        except Exception as error:
            complain(complaint, f"raised {type(error).__name__}: {error}", "mend the function, or the rows it cannot take")
            raise
        try:
            yield from as_declared(made, declared).to_batches()
        except (ArrowException, KeyError, TypeError) as error:
            hint = f"it must give the columns {', '.join(map(str, declared))}"
            complain(complaint, f"gave something else than its declared schema: {str(error).splitlines()[0]}", hint)
            raise

    return calling


def complain(place: Path, what: str, hint: str | None) -> None:
    place.write_text(json.dumps({"what": what, "hint": hint}))


def table_of(folder: str, schema: Schema) -> pa.Table:
    """The rows in a folder, in the types in which every engine gives them to functions."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    files = sorted(Path(folder).glob("part-*.parquet"))
    table = pa.concat_tables([pq.read_table(file) for file in files])
    return table.select(schema.names).cast(_in_arrow(schema, kept=False))


def as_declared(made: Any, declared: Schema) -> pa.Table:
    """What a function gave, in the columns and types that Spark was told of."""
    import pyarrow as pa

    table = made if isinstance(made, pa.Table) else pa.table(made)
    return table.select(declared.names).cast(_in_arrow(declared, kept=False)).cast(_in_arrow(declared, kept=True))


def _in_arrow(schema: Schema, *, kept: bool) -> pa.Schema:
    import pyarrow as pa

    return pa.schema([(c.name, arrow_type(c.type, kept=kept)) for c in schema])
