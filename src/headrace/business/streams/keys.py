"""The keys by which rows that are kept are found again by rows that come: as expressions, and as one number. Not how an engine looks.

Equal keys have equal numbers, so a row can only be found among those of its number; but other keys may have that number as well, so
whoever looks by it compares the keys themselves. The number is never saved: another release of an engine may make another one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from headrace.business.model.types import DataType, Decimal, Integer
from headrace.business.processing.expressions.build import conjuncts
from headrace.business.processing.expressions.coercion import coerce, common_type
from headrace.business.processing.expressions.ir import Call, Cast, ColumnRef, Expr
from headrace.business.processing.relation import Dataset, Join, Project, Relation

#: The column of the number of a row's keys.
NUMBERED = "#:key"

Keys = Sequence[Expr]


def matched_keys(found: Relation, left: Dataset, right: Dataset) -> tuple[Keys, Keys]:
    """What has to be equal in pairs of rows of two datasets, in columns of each; nothing where a join says it in another way."""
    join = next((node for node in found.walk() if isinstance(node, Join)), None)
    if join is None or join.condition is None or join.left != left:
        return (), ()
    theirs = _columns_of(join.right, right)
    pairs = [
        pair for call in conjuncts(join.condition) if (pair := _equal(call, frozenset(left.schema.names), theirs)) is not None
    ]
    return tuple(ours for ours, _ in pairs), tuple(other for _, other in pairs)


def _columns_of(side: Relation, dataset: Dataset) -> Mapping[str, Expr]:
    """What the columns of a side of a join are, in those of the dataset."""
    if isinstance(side, Project) and side.input == dataset:
        return dict(side.columns)
    return {c.name: ColumnRef(c.type, c.name) for c in side.schema} if side == dataset else {}


def _equal(test: Expr, ours: frozenset[str], theirs: Mapping[str, Expr]) -> tuple[Expr, Expr] | None:
    """The two sides of an equation of one of our values and one of theirs, in one type."""
    if not isinstance(test, Call) or test.function != "equal":
        return None
    for mine, other in (test.args, test.args[::-1]):
        if mine.columns() <= ours and isinstance(other, ColumnRef) and other.name in theirs:
            pair = _alike(mine, theirs[other.name])
            return pair if pair is not None and all(map(_never_fails, pair)) else None
    return None


def _alike(mine: Expr, other: Expr) -> tuple[Expr, Expr] | None:
    """Both in one type. Integers of any width and decimals of any scale are compared as they are, but have one number only if they are
    written alike."""
    if mine.type == other.type:
        return mine, other
    families = (mine.type, other.type)
    if not any(all(isinstance(kind, family) for kind in families) for family in (Integer, Decimal)):
        return None
    kind = common_type(*families)
    return (coerce(mine, kind), coerce(other, kind)) if kind is not None else None


def _never_fails(value: Expr) -> bool:
    """Whether it is a column, perhaps in a wider type. Of anything else a row without a partner might be the ruin."""
    if isinstance(value, Cast):
        return _holds(value.type, value.value.type) and _never_fails(value.value)
    return isinstance(value, ColumnRef)


def _holds(wide: DataType, narrow: DataType) -> bool:
    if isinstance(wide, Decimal) and isinstance(narrow, Decimal):
        return wide.scale >= narrow.scale and wide.precision - wide.scale >= narrow.precision - narrow.scale
    return common_type(narrow, wide) == wide
