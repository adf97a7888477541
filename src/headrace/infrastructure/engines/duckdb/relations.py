"""Steps as one DuckDB statement: each a CTE of its own name, as far as the wanted one needs it. What a single relation looks
like is decided by `RelationPrinter`.

The order of rows is a promise about what leaves: a CTE does not state it, the statement at the end does, and so does every
LIMIT on the way.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from headrace.business.processing.expressions.ir import SortKey
from headrace.business.processing.relation import Dataset, Dedupe, Relation
from headrace.infrastructure.engines.duckdb.literals import identifier
from headrace.infrastructure.engines.duckdb.relations_blocks import Block, fold, visible_order
from headrace.infrastructure.engines.duckdb.relations_layout import nested
from headrace.infrastructure.engines.duckdb.relations_printer import RelationPrinter as RelationPrinter


def with_clause(
    steps: Sequence[tuple[str, Relation]], final: str, tables: Mapping[str, str], repeated: Mapping[Dedupe, str] | None = None
) -> str:
    """The statement that gives the rows of the step `final`. Steps that are in `tables` are read from there."""
    relations = {name: relation for name, relation in steps if name not in tables}
    orders: dict[str, tuple[SortKey, ...]] = {}
    light: set[str] = set()
    parts: list[str] = []
    needed = set(_needed(final, relations))
    again = {name for n in needed for name in _read_again(relations[n])}
    for name, relation in relations.items():
        if name not in needed:
            continue
        printer = RelationPrinter(tables, repeated, orders, light)
        if printer.light(relation):
            light.add(name)
        block = fold(relation, orders)
        if (order := visible_order(block)) is not None:
            orders[name] = order
            block = _unordered(block)
        keep = "" if name not in again else "NOT MATERIALIZED " if name in light else "MATERIALIZED "
        parts.append(f"{identifier(name)} AS {keep}{nested(printer.body(block))}")
    ending = RelationPrinter(tables, orders=orders).query(_dataset(final, relations))
    return f"WITH {', '.join(parts)}\n{ending}" if parts else ending


def _needed(name: str, relations: Mapping[str, Relation]) -> Iterator[str]:
    """The steps below `name`, itself included."""
    waiting, seen = [name], set()
    while waiting:
        name = waiting.pop()
        if name in relations and name not in seen:
            seen.add(name)
            yield name
            waiting += relations[name].datasets()


def _read_again(relation: Relation) -> Iterator[str]:
    """The datasets that a dedupe reads as they are, several times."""
    for node in relation.walk():
        if isinstance(node, Dedupe) and isinstance(node.input, Dataset):
            yield node.input.name


def _unordered(block: Block) -> Block:
    return block if block.limit else replace(block, order=())


def _dataset(name: str, relations: Mapping[str, Relation]) -> Dataset:
    return Dataset(relations[name].schema, name)
