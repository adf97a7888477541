"""What a law is made of: a demand that holds, or an `AssertionError` with a sentence, also where Python leaves out assertions."""

from __future__ import annotations


def demand(holds: object, otherwise: str) -> None:
    if not holds:
        raise AssertionError(otherwise)
