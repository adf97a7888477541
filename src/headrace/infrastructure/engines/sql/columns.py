"""The SELECT list of a block: `*` where columns pass as they are, names where they do not.

A `*` is only used where it cannot mean anything else. A table may lack columns that nothing needs, so none of its columns
is ever excluded by name: what is dropped must have been named below.
"""

from __future__ import annotations

from collections.abc import Callable

from headrace.business.processing.expressions.ir import ColumnRef, Expr
from headrace.business.processing.relation import Distinct, Filter, GroupBy, Join, Limit, Project, Relation, Sort, Unpivot
from headrace.infrastructure.engines.sql.block import Block, Columns
from headrace.infrastructure.engines.sql.dialect import Dialect
from headrace.infrastructure.engines.sql.layout import bare

Print = Callable[[Expr], str]


def select_list(block: Block, sql: Print, dialect: Dialect) -> list[str]:
    names = _arriving(block.source)
    columns = block.columns or tuple((c.name, ColumnRef(c.type, c.name)) for c in block.source.schema)
    items = [_item(name, expression, sql, dialect, whole=block.distinct) for name, expression in columns]
    if block.columns is None:
        plain = items == [dialect.identifier(name) for name in names]
        return ["*"] if plain else items
    if block.keys is None and (starred := _starred(names, columns, items, _named_below(block.source), dialect)):
        return starred
    return items


def _starred(
    names: tuple[str, ...], columns: Columns, items: list[str], droppable: frozenset[str], dialect: Dialect
) -> list[str] | None:
    """`*` without some columns and with others replaced, and what follows, if that says the same and is shorter than a list of names."""
    made = dict(columns)
    kept = tuple(name for name in names if name in made)
    if kept != tuple(name for name, _ in columns[: len(kept)]):
        return None
    dropped = [name for name in names if name not in made]
    replaced = [item for name, item in zip(kept, items, strict=False) if item != dialect.identifier(name)]
    if not droppable.issuperset(dropped) or len(dropped) + len(replaced) >= len(kept) - len(replaced):
        return None
    if not dropped and not replaced:
        return ["*", *items[len(kept) :]]
    if dialect.star is None:
        return None
    return [dialect.star([dialect.identifier(name) for name in dropped], replaced), *items[len(kept) :]]


def _item(name: str, expression: Expr, sql: Print, dialect: Dialect, *, whole: bool) -> str:
    """`whole` says that rows are compared with each other, so that a column that passes as it is has to be said as well."""
    same = _same(name, expression)
    if same and not whole:
        return dialect.identifier(name)
    text = dialect.column(bare(sql(expression)), expression.type)
    return text if same and text == dialect.identifier(name) else f"{text} AS {dialect.identifier(name)}"


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
