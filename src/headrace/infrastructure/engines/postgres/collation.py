"""Text in the order of its code points: the collation that says so. A database may have another of its own."""

from __future__ import annotations

from headrace.business.model.types import DataType, Enum, List, String


def holds_text(kind: DataType) -> bool:
    return isinstance(kind, String | Enum) or (isinstance(kind, List) and holds_text(kind.item))


def by_code_point(sql: str, kind: DataType) -> str:
    """The expression, so that whatever compares it goes by code point if it is text."""
    if not holds_text(kind) or sql.endswith('COLLATE "C"'):
        return sql
    return f'{sql} COLLATE "C"'
