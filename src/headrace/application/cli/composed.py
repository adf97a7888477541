"""Holds what a command is given by the process that it runs in, so that commands need not know who composes the system."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headrace.application.cli.system import System

_given: list[tuple[Callable[[], System], Callable[[], None]]] = []


def system() -> System:
    """The composed system, made when the first command asks for it."""
    compose, _ = _given[-1]
    return compose()


def settle() -> None:
    """Tell the process that most of what the command needs is there now, and will be until it ends."""
    _, settled = _given[-1]
    settled()


@contextmanager
def composing(compose: Callable[[], System], settled: Callable[[], None]) -> Iterator[None]:
    """Within this, `system()` is what `compose` makes, and `settle()` does what `settled` does."""
    _given.append((compose, settled))
    try:
        yield
    finally:
        _given.pop()
