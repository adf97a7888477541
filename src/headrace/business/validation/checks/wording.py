"""Numbers, shares and times in the words that people read in a table of checks."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any


def number(value: Any) -> str:
    """A value as it is written for people: thousands separated, no more digits than are there."""
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case int():
            return f"{value:,}"
        case Decimal():
            return f"{value:,f}"
        case float():
            return _float(value)
        case datetime():
            return value.isoformat(" ", "seconds" if not value.microsecond else "microseconds")
        case str():
            return f"`{value}`"
    return str(value)


def _float(value: float) -> str:
    shown = round(value, 6)
    if shown != value and (abs(value) < 0.001 or abs(value) > 1e15):
        return repr(value)
    return f"{int(shown):,}" if shown.is_integer() and abs(shown) < 1e15 else f"{shown:,}"


def percent(share: Fraction | Decimal) -> str:
    """A share in percent, to four digits, and never rounded to all or nothing."""
    exact = Fraction(share) * 100
    shown = f"{float(exact):.4g}"
    if (shown == "100" and exact < 100) or (shown == "0" and exact > 0):
        shown = repr(float(exact))
    return f"{shown} %"


def count(many: int, noun: str) -> str:
    """`1 row`, `2,000 rows`."""
    return f"{many:,} {noun}" + ("" if many == 1 else "s")


def span(length: timedelta) -> str:
    """A length of time by its two largest units: `3 days 4 hours`."""
    seconds = int(abs(length).total_seconds())
    units = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))
    parts: list[tuple[int, str]] = []
    for word, size in units:
        many, seconds = divmod(seconds, size)
        if many or parts:
            parts.append((many, word))
    return " ".join(count(many, word) for many, word in parts[:2] if many) or "0 seconds"


def listed(words: Iterable[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)
