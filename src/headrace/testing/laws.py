"""What a law is made of: a demand that holds, or an `AssertionError` with a sentence, also where Python leaves out assertions."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from headrace.errors import RetryableError

_PATIENCE = 60.0


def demand(holds: object, otherwise: str) -> None:
    if not holds:
        raise AssertionError(otherwise)


def demand_raises(kind: type[Exception], act: Callable[[], object], otherwise: str) -> None:
    try:
        act()
    except kind:
        return
    demand(False, f"{otherwise}; it has to raise `{kind.__name__}`")


def patiently(act: Callable[[], Any]) -> Any:
    """What an act gives when it succeeds, which may take some attempts where the fault may pass."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            return act()
        except RetryableError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
