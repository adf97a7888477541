"""The SELECT list of a block: `*` where columns pass as they are, names where they do not.

A `*` is only used where it cannot mean anything else. A table may lack columns that nothing needs, so none of its columns
is ever excluded by name: what is dropped must have been named below.
"""

from __future__ import annotations

from collections.abc import Callable

from headrace.business.processing.expressions.ir import ColumnRef, Expr
from headrace.business.processing.relation import Distinct, Filter, GroupBy, Join, Limit, Project, Relation, Sort, Unpivot
from headrace.infrastructure.engines.duckdb.literals import identifier
from headrace.infrastructure.engines.duckdb.relations_block import Block, Columns
from headrace.infrastructure.engines.duckdb.relations_layout import bare

Print = Callable[[Expr], str]


def select_list(block: Block, sql: Print) -> list[str]:
    names = _arriving(block.source)
    if block.columns is None:
        return ["*"] if names == block.source.schema.names else [identifier(c.name) for c in block.source.schema]
    if block.keys is None and (starred := _starred(names, block.columns, _named_below(block.source), sql)):
        return starred
    return [_item(name, expression, sql) for name, expression in block.columns]


def _starred(names: tuple[str, ...], columns: Columns, droppable: frozenset[str], sql: Print) -> list[str] | None:
    """`* EXCLUDE (...) REPLACE (...)` and what follows, if that says the same and is shorter than a list of names."""
    made = dict(columns)
    kept = tuple(name for name in names if name in made)
    if kept != tuple(name for name, _ in columns[: len(kept)]):
        return None
    dropped = [name for name in names if name not in made]
    replaced = [name for name in kept if not _same(name, made[name])]
    if not droppable.issuperset(dropped) or len(dropped) + len(replaced) >= len(kept) - len(replaced):
        return None
    star = "*"
    if dropped:
        star += f" EXCLUDE ({', '.join(map(identifier, dropped))})"
    if replaced:
        star += f" REPLACE ({', '.join(f'{bare(sql(made[name]))} AS {identifier(name)}' for name in replaced)})"
    return [star, *(_item(name, expression, sql) for name, expression in columns[len(kept) :])]


def _item(name: str, expression: Expr, sql: Print) -> str:
    return identifier(name) if _same(name, expression) else f"{bare(sql(expression))} AS {identifier(name)}"


def _same(name: str, expression: Expr) -> bool:
    return isinstance(expression, ColumnRef) and not expression.outer and expression.name == name


def _arriving(relation: Relation) -> tuple[str, ...]:
    """The columns that `*` means when this stands after FROM."""
    if isinstance(relation, Join):
        right = () if relation.how in ("semi", "anti") else _arriving(relation.right)
        return (*_arriving(relation.left), *right)
    return relation.schema.names


def _named_below(relation: Relation) -> frozenset[str]:
    """The columns that a SELECT below names, and which are therefore there whether anything needs them or not."""
    match relation:
        case Project() | GroupBy():
            return frozenset(relation.schema.names)
        case Unpivot():
            return frozenset((relation.name_to, relation.value_to))
        case Filter() | Sort() | Limit() | Distinct():
            return _named_below(relation.input)
        case Join():
            return _named_below(relation.left) | _named_below(relation.right)
        case _:
            return frozenset()
