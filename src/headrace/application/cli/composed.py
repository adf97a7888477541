"""Holds the composed system while a command runs, so that commands need not know who composes it. Nothing else is kept here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headrace.application.cli.system import System

_compose: list[Callable[[], System]] = []


def system() -> System:
    """The composed system, made when the first command asks for it."""
    return _compose[-1]()


@contextmanager
def composing(compose: Callable[[], System]) -> Iterator[None]:
    """Within this, `system()` is what `compose` makes."""
    _compose.append(compose)
    try:
        yield
    finally:
        _compose.pop()
