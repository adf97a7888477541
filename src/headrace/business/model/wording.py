"""How validators of options refuse a value: a `ValueError` that can carry a hint. Not the problems of a definition (see `errors`)."""

from __future__ import annotations


class Misworded(ValueError):
    """A value that no option of its kind can have, with a hint at what was meant."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        self.hint = hint
        super().__init__(message)
