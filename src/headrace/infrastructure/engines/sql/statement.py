"""Steps as one statement: each a CTE of its own name, as far as the wanted one needs it. What a single relation looks
like is decided by `RelationPrinter`.

The order of rows is a promise about what leaves: a CTE does not state it, the statement at the end does, and so does every
LIMIT on the way.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from headrace.business.processing.expressions.ir import SortKey
from headrace.business.processing.relation import Dataset, Dedupe, Filter, Limit, Project, Relation
from headrace.infrastructure.engines.sql.block import visible_order
from headrace.infrastructure.engines.sql.dialect import Dialect
from headrace.infrastructure.engines.sql.folding import fold
from headrace.infrastructure.engines.sql.layout import nested
from headrace.infrastructure.engines.sql.relations import RelationPrinter


def with_clause(
    dialect: Dialect,
    steps: Sequence[tuple[str, Relation]],
    final: str,
    tables: Mapping[str, str],
    repeated: Mapping[Dedupe, str] | None = None,
) -> str:
    """The statement that gives the rows of the step `final`. Steps that are in `tables` are read from there."""
    if final in tables:
        named = dialect.names_subqueries and tables[final].startswith("(")
        return f"SELECT *\nFROM {tables[final]}{f' AS {dialect.identifier(final)}' if named else ''}"
    below = set(_needed(final, dict(steps), {}))
    relations, orders = _ordered([step for step in steps if step[0] in below], tables)
    needed = set(_needed(final, relations, tables))
    again = {name for step in needed for name in _read_again(relations[step])}
    light: set[str] = set()
    parts: list[str] = []
    for name, relation in relations.items():
        if name not in needed:
            continue
        printer = RelationPrinter(dialect, tables, repeated, orders, light)
        if printer.light(relation):
            light.add(name)
        block = fold(relation, orders)
        if name == final and name not in orders:
            ending = printer.query(relation)
            break
        keep = "" if name not in again else dialect.kept(name not in light)
        body = printer.body(block if block.limit else replace(block, order=()))
        parts.append(f"{dialect.identifier(name)} AS {keep}{nested(body)}")
    else:
        ending = RelationPrinter(dialect, tables, orders=orders).query(Dataset(relations[final].schema, final))
    return f"WITH {', '.join(parts)}\n{ending}" if parts else ending


def _ordered(
    steps: Sequence[tuple[str, Relation]], tables: Mapping[str, str]
) -> tuple[dict[str, Relation], dict[str, tuple[SortKey, ...]]]:
    """The relations of the steps, and for each how its rows are meant to be ordered, in columns of its result.

    Where these do not show the order (`sort` by a column, then drop it), whoever needs it gets the step's tree instead of its
    name, and says the order where the column still is.
    """
    relations: dict[str, Relation] = {}
    orders: dict[str, tuple[SortKey, ...]] = {}
    hidden: dict[str, Relation] = {}
    for name, written in steps:
        relation = relations[name] = _grafted(written, hidden)
        order = visible_order(fold(relation, orders))
        if order is not None:
            orders[name] = order
        elif name not in tables:
            hidden[name] = relation
    return relations, orders


def _grafted(relation: Relation, hidden: Mapping[str, Relation]) -> Relation:
    """The tree with the dataset that it takes its order from replaced by the tree behind it, if that is in `hidden`."""
    if isinstance(relation, Dataset):
        return hidden.get(relation.name, relation)
    if isinstance(relation, Project | Filter | Limit):
        return replace(relation, input=_grafted(relation.input, hidden))
    return relation


def _needed(name: str, relations: Mapping[str, Relation], tables: Mapping[str, str]) -> Iterator[str]:
    """The steps below `name` that are not in tables, itself included."""
    waiting, seen = [name], set(tables)
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
