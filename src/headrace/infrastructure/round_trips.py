"""How long a server takes to answer, for people. Not a benchmark."""

from __future__ import annotations

import time
from collections.abc import Callable

_QUESTIONS = 5


def round_trip_ms(ask: Callable[[], object]) -> float:
    """How long the shortest of some questions takes."""
    trips = []
    for _ in range(_QUESTIONS):
        begun = time.perf_counter()
        ask()
        trips.append((time.perf_counter() - begun) * 1000)
    return min(trips)
