"""Functions that tests name as steps."""

from __future__ import annotations

from typing import Any


def double(table: Any) -> Any:
    return [*table, *table]


NOT_A_FUNCTION = 3
