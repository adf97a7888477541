"""Everything that is wrong with the options of a step, collected so that it is all said at once. It knows names, types and
places; what a step means by them is the step's business."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from headrace.business.model.schema import Column, Schema, did_you_mean
from headrace.business.model.types import DataType, Null
from headrace.business.processing.expressions.coercion import coerce
from headrace.business.processing.expressions.faults import BindError, ExpressionError
from headrace.business.processing.expressions.ir import Constant, Expr
from headrace.business.processing.expressions.parse import parse_condition, parse_expression
from headrace.business.processing.relation import Relation
from headrace.business.processing.steps.values import constant_of
from headrace.errors import DefinitionError, Path, Problem


class Findings:
    """The problems of one step. Methods that look something up give None for what is not there, and note it."""

    def __init__(self, path: Path = ()) -> None:
        self._path = path
        self._problems: list[Problem] = []

    def add(
        self, message: str, *path: str | int, hint: str | None = None, offset: int | None = None, on_key: bool = False
    ) -> None:
        self._problems.append(Problem(message, (*self._path, *path), hint, offset, on_key))

    def extend(self, other: Findings) -> None:
        self._problems += other._problems

    @property
    def problems(self) -> Sequence[Problem]:
        return self._problems

    def error(self) -> DefinitionError:
        return DefinitionError(self._problems)

    def settle(self) -> None:
        """Raises `DefinitionError` with all problems, if there are any."""
        if self._problems:
            raise self.error()

    # Looking up --------------------------------------------------------------------------------------------------

    def dataset(self, inputs: Mapping[str, Relation], name: str, *path: str | int) -> Relation | None:
        if name in inputs:
            return inputs[name]
        known = [other for other in inputs if other != "input"]
        self.add(f"there is no dataset `{name}` before this step", *path, hint=did_you_mean(name, known))
        return None

    def column(self, schema: Schema, name: str, *path: str | int, on_key: bool = False) -> Column | None:
        column = schema.resolve(name)
        if column is None:
            self.add(f"there is no column `{name}`", *path, hint=did_you_mean(name, schema.names), on_key=on_key)
        return column

    def columns(self, schema: Schema, names: Sequence[str], *path: str | int) -> list[Column]:
        """The columns of these names, each of which may be named once."""
        found: list[Column] = []
        for i, name in enumerate(names):
            column = self.column(schema, name, *path, i)
            if column is not None and column in found:
                self.add(f"`{name}` is named twice", *path, i)
            elif column is not None:
                found.append(column)
        return found

    # Reading -----------------------------------------------------------------------------------------------------

    def expression(
        self, text: str, schema: Schema, *path: str | int, aggregates: bool = False, windows: bool = False
    ) -> Expr | None:
        try:
            expression = parse_expression(text, schema, aggregates=aggregates, windows=windows)
        except ExpressionError as error:
            self.add(error.message, *path, hint=error.hint, offset=error.offset)
            return None
        if isinstance(expression.type, Null):
            self.add("this is always null, and of no type", *path, hint="say which type it is: `cast(null as string)`")
            return None
        return expression

    def condition(self, text: str, schema: Schema, *path: str | int) -> Expr | None:
        try:
            return parse_condition(text, schema)
        except ExpressionError as error:
            self.add(error.message, *path, hint=error.hint, offset=error.offset)
            return None

    def value(self, written: Any, kind: DataType, *path: str | int) -> Constant | None:
        """A value that the definition gives for something of a type."""
        try:
            value = coerce(constant_of(written), kind)
        except BindError as error:
            self.add(error.message, *path, hint=error.hint)
            return None
        if not isinstance(value, Constant):
            self.add(f"`{written}` is not of type {kind}", *path)
            return None
        return value

    # Names -------------------------------------------------------------------------------------------------------

    def distinct(self, names: Iterable[tuple[str, Path]], taken: Iterable[str] = (), *, on_key: bool = True) -> None:
        """Notes names that are alike, also those that differ in case alone: SQL takes them for one."""
        seen = {name.lower(): name for name in taken}
        for name, path in names:
            if (other := seen.get(name.lower())) is not None:
                hint = (
                    "choose another name"
                    if other == name
                    else f"SQL does not tell `{name}` from `{other}`; choose another name"
                )
                self.add(f"there is already a column `{other}`", *path, hint=hint, on_key=on_key)
            seen.setdefault(name.lower(), name)
