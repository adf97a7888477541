"""The page `docs/reference/engines.md`: what each engine carries out, asked of the engines themselves. The suite that compares the
engines walks the same lists, so what the page says yes to is what was compared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module

from headrace.business.model.schema import Schema
from headrace.business.model.types import DataType, Integer, String, parse_type
from headrace.business.processing.expressions.catalog import FUNCTIONS
from headrace.business.processing.expressions.function import Function
from headrace.business.processing.expressions.ir import Expr
from headrace.business.processing.relation import Dataset, Relation
from headrace.errors import HeadraceError
from headrace.infrastructure.engines.duckdb import expressions as duckdb
from headrace.infrastructure.engines.duckdb.types import duckdb_type
from headrace.infrastructure.engines.postgres import problems as postgres
from headrace.infrastructure.engines.postgres.types import postgres_type, type_problem
from headrace.infrastructure.engines.snowflake import problems as snowflake
from headrace.infrastructure.engines.snowflake import types as snowflake_types
from headrace.infrastructure.engines.spark import problems as spark
from headrace.infrastructure.engines.spark import types as spark_types
from headrace.infrastructure.loading import engine_proof
from headrace.infrastructure.loading.engine_features import EXPRESSIONS, STEPS, TABLES, TIME, TYPES, Step
from headrace.records import record


@record
class _Engine:
    """How an engine is asked."""

    expression: Callable[[Expr], Sequence[str]]
    relation: Callable[[Relation], Sequence[str]]
    kept_as: Callable[[DataType], str]
    refused: Callable[[DataType], str | None] = lambda _: None
    """Why no column may be of a type, which is then no part of the tables that steps are asked about."""


def _postgres_keeps(kind: DataType) -> str:
    return f"no: {type_problem(kind)}" if type_problem(kind) else f"`{postgres_type(kind)}`"


def _snowflake_keeps(kind: DataType) -> str:
    why = snowflake_types.type_problem(kind)
    return f"no: {why}" if why else f"`{snowflake_types.snowflake_type(kind)}`"


def _spark_keeps(kind: DataType) -> str:
    why = spark_types.type_problem(kind)
    return f"no: {why}" if why else f"`{spark_types.spark_type(kind).replace('`', '')}`"


ENGINES: Mapping[str, _Engine] = {
    "duckdb": _Engine(duckdb.plan_problems, lambda _: (), lambda kind: f"`{duckdb_type(kind)}`"),
    "postgres": _Engine(postgres.plan_problems, postgres.relation_problems, _postgres_keeps),
    "snowflake": _Engine(snowflake.plan_problems, snowflake.relation_problems, _snowflake_keeps, snowflake_types.type_problem),
    "spark": _Engine(spark.plan_problems, spark.relation_problems, _spark_keeps, spark_types.type_problem),
}

_HEAD = """# Engines

A definition means the same on every engine ([what expressions mean](../specs/semantics.md)). What an engine cannot carry out with
that meaning, it refuses when the pipeline is planned: `headrace plan --engine postgres` shows what it would run, or why not. This page is
asked of the engines themselves; what it says yes to, the tests run on all of them and compare.

`engine: postgres` needs PostgreSQL 14 or later, and a database in UTF-8. `engine: spark` needs Spark 4, on a cluster, in this process or by
Spark Connect ([how](../howto/spark.md)).

`engine: snowflake` has not been run on Snowflake: there is none to test on. What it prints is run on fakesnow, which makes DuckDB's SQL of
it. That proves that the statements can be read and mean what Snowflake's manual says of them, not how Snowflake calculates. A *yes* in its
column says so much and no more, but for what stands in this table, of which the manual alone speaks, or nobody:

"""


def reference() -> str:
    """The page, in Markdown."""
    parts = [
        _HEAD,
        engine_proof.table(),
        "\n## Types\n\nWhat a column is kept as.\n\n",
        _table("type", ((kind, _kept(kind)) for kind in TYPES)),
    ]
    parts += ["\n## Steps\n\n", _table("step", ((name, answers_of_steps(steps)) for name, steps in STEPS.items()))]
    parts += [
        "\n## Expressions\n\n",
        _table("what", ((_told(name, text), answers_of(text)) for name, text in EXPRESSIONS.items())),
    ]
    for family in dict.fromkeys(function.family for function in FUNCTIONS):
        rows = ((f"`{f.written or f.name}`", _of_function(f)) for f in FUNCTIONS if f.family == family)
        parts += [f"\n## Functions: {family}\n\n", _table("function", rows)]
    return "".join(parts)


def relations(steps: Sequence[Step], tables: Mapping[str, Schema] = TABLES) -> list[tuple[str, Relation]]:
    """Steps that follow each other, as named relations."""
    inputs: dict[str, Relation] = {name: _dataset(schema, name) for name, schema in tables.items()}
    inputs |= {"input": inputs["t"], "few": Dataset(Schema.of(k=Integer(32), s=String()), "few")}
    made = []
    for i, step in enumerate(steps):
        ((kind, written),) = step.items()
        plugin = getattr(import_module(f"headrace.business.processing.steps.{kind}"), f"{kind.capitalize()}Step")
        relation = plugin.model_validate(plugin.written(written)).apply(inputs)
        made.append((f"{kind} {i}", relation))
        inputs["input"] = inputs[made[-1][0]] = Dataset(relation.schema, made[-1][0])
    return made


def _dataset(schema: Schema, name: str) -> Dataset:
    return Dataset(schema, name, TIME, (TIME,)) if TIME in schema else Dataset(schema, name)


def parsed(text: str) -> Expr:
    from headrace.business.processing.expressions.parse import parse_expression

    windows = " over " in text
    aggregates = not windows and any(f"{f.name}(" in text for f in FUNCTIONS if f.kind == "aggregate")
    return parse_expression(text, TABLES["t"], aggregates=aggregates, windows=windows)


def answers_of_steps(steps: Sequence[Step]) -> Mapping[str, str]:
    """By engine: an empty text for yes, or why not."""
    return {name: _of_steps(engine, steps) for name, engine in ENGINES.items()}


def _of_steps(engine: _Engine, steps: Sequence[Step]) -> str:
    made = relations(steps, tables_of(engine, steps))
    return "; ".join(dict.fromkeys(why for _, relation in made for why in engine.relation(relation)))


def tables_of(engine: _Engine, steps: Sequence[Step]) -> Mapping[str, Schema]:
    """The tables, without columns that the engine refuses, unless the steps need them."""
    kept = {name: Schema(tuple(c for c in schema if not engine.refused(c.type))) for name, schema in TABLES.items()}
    try:
        relations(steps, kept)
    except (HeadraceError, ValueError):
        return TABLES
    return kept


def answers_of(text: str) -> Mapping[str, str]:
    return _answers(parsed(text))


def _answers(expression: Expr) -> Mapping[str, str]:
    return {name: "; ".join(engine.expression(expression)) for name, engine in ENGINES.items()}


def _of_function(function: Function) -> Mapping[str, str]:
    from headrace.business.processing.expressions.parse import parse_expression

    schema = Schema.of(x=Integer(32), y=Integer(32), s=String())
    kinds = {"aggregates": function.kind == "aggregate", "windows": function.kind == "window"}
    return _answers(parse_expression(function.example, schema, **kinds))


def _kept(kind: str) -> Mapping[str, str]:
    return {name: engine.kept_as(parse_type(kind)) for name, engine in ENGINES.items()}


def _told(name: str, text: str) -> str:
    escaped = text.replace("|", "\\|")
    return f"{name}: `{escaped}`"


def _table(title: str, rows: Iterator[tuple[str, Mapping[str, str]]]) -> str:
    lines = [f"| {title} | {' | '.join(ENGINES)} |", "|---" * (1 + len(ENGINES)) + "|"]
    lines += [f"| {name} | {' | '.join(_cell(answers[engine]) for engine in ENGINES)} |" for name, answers in rows]
    return "\n".join(lines) + "\n"


def _cell(answer: str) -> str:
    if not answer:
        return "yes"
    escaped = answer.replace("|", "\\|")
    return escaped if answer.startswith(("`", "no: ")) else f"no: {escaped}"
