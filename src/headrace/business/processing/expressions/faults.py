"""What can be wrong with an expression: said with the place in its text. Not for errors of data."""

from __future__ import annotations

from headrace.errors import HeadraceError


class ExpressionError(HeadraceError):
    """The text of an expression or query is wrong at `offset`, counted in characters from 0."""

    exit_code = 2

    def __init__(self, message: str, offset: int = 0, hint: str | None = None) -> None:
        self.offset = offset
        super().__init__(message, hint=hint)


class BindError(HeadraceError):
    """A name or a type does not fit. Raised by whoever does not know the text; the binder adds the place.

    `argument` says which argument of a function is at fault, where that is known.
    """

    exit_code = 2

    def __init__(self, message: str, hint: str | None = None, argument: int | None = None) -> None:
        self.argument = argument
        super().__init__(message, hint=hint)
