"""The step `clean`: the small repairs that raw data need, in one pass and in a fixed order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field

from headrace.business.model.plugin import Plugin
from headrace.business.model.schema import Column, Schema
from headrace.business.model.types import Date, Float, String, Timestamp
from headrace.business.processing.expressions.build import constant, null_if_one_of, test, text
from headrace.business.processing.expressions.ir import Call, Case, Constant, Expr
from headrace.business.processing.relation import Relation
from headrace.business.processing.steps.dedupe import DedupeStep
from headrace.business.processing.steps.findings import Findings
from headrace.business.processing.steps.options import Name, Names, Value
from headrace.business.processing.steps.projection import as_they_are, project

#: Stands for all columns that are text.
ALL = "*"


def _dedupe(written: Any) -> Any:
    return written if isinstance(written, DedupeStep) else DedupeStep.written(written)


class CleanStep(Plugin):
    """Repairs values. Whatever is asked for happens in this order: trim, collapse, nulls, case, fill, clip, dedupe.

    Nulls stay null, but for `fill`. Where columns are listed, `"*"` stands for all that are text.

    ```yaml
    - clean: {trim: [carrier], dedupe: {key: [carrier, flight, time_hour], keep: last, order_by: time_hour}}
    - clean: {trim: "*", nulls: [NA, ""], case: {carrier: upper}, fill: {dep_delay: 0}, clip: {distance: [0, 5000]}}
    ```
    """

    kind: ClassVar[str] = "clean"

    trim: Names = Field((), description="Text columns to strip of the spaces at both ends")
    collapse: Names = Field((), description="Text columns in which each run of spaces, tabs and line breaks becomes one space")
    nulls: Mapping[Name, tuple[Value, ...]] | tuple[str, ...] = Field(
        (), description="Values that mean null: by column, or a list of texts for all text columns"
    )
    case: Mapping[Name, Literal["upper", "lower", "title"]] = Field(
        default_factory=dict, description="Text columns to write in upper, lower or title case (words begin after a space)"
    )
    fill: Mapping[Name, Value] = Field(default_factory=dict, description="By column, the value that nulls become")
    clip: Mapping[Name, tuple[Value, Value]] = Field(
        default_factory=dict,
        description="By column, the least and the greatest value; what lies beyond becomes the bound, NaN stays",
    )
    dedupe: Annotated[DedupeStep, BeforeValidator(_dedupe, json_schema_input_type=DedupeStep | Names)] | None = Field(
        None, description="As the step `dedupe`"
    )

    def apply(self, inputs: Mapping[str, Relation]) -> Relation:
        below, findings = inputs["input"], Findings()
        if not self.model_fields_set:
            findings.add("there is nothing to clean here", hint="for example `clean: {trim: [carrier]}`")
        repairs = _Repairs(below.schema, findings)
        repairs.texts(self.trim, "trim", lambda value: text("trim", value))
        repairs.texts(self.collapse, "collapse", _collapsed)
        repairs.nulls(self.nulls)
        repairs.case(self.case)
        repairs.fill(self.fill)
        repairs.clip(self.clip)
        cleaned = repairs.result(below)
        if self.dedupe is not None:
            within = Findings(("dedupe",))
            cleaned = self.dedupe.dedupe(cleaned, within)
            findings.extend(within)
        findings.settle()
        return cleaned


class _Repairs:
    """The expression of each column, as it grows repair by repair."""

    def __init__(self, schema: Schema, findings: Findings) -> None:
        self._schema, self._findings = schema, findings
        self._columns = as_they_are(schema)
        self._nullable = {c.name: c.nullable for c in schema}

    def result(self, below: Relation) -> Relation:
        if self._columns == as_they_are(self._schema):
            return below
        return project(below, self._columns, [name for name, nullable in self._nullable.items() if not nullable])

    def texts(self, names: Iterable[str], option: str, change: Callable[[Expr], Expr]) -> None:
        if tuple(names) == (ALL,):
            for every in self._texts():
                self._columns[every.name] = change(self._columns[every.name])
            return
        for i, name in enumerate(names):
            if column := self._text(name, option, i):
                self._columns[column.name] = change(self._columns[column.name])

    def nulls(self, tokens: Mapping[str, tuple[Any, ...]] | tuple[str, ...]) -> None:
        if not isinstance(tokens, Mapping):
            for every in self._texts() if tokens else ():
                self._become_null(every, tokens)
            return
        for name, values in tokens.items():
            if found := self._findings.column(self._schema, name, "nulls", name, on_key=True):
                read = [self._findings.value(value, found.type, "nulls", name, i) for i, value in enumerate(values)]
                self._become_null(found, [value.value for value in read if value is not None])

    def _become_null(self, column: Column, values: Iterable[Any]) -> None:
        words = [value for value in values if value is not None]
        if words:
            self._columns[column.name] = null_if_one_of(self._columns[column.name], words)
            self._nullable[column.name] = True

    def case(self, cases: Mapping[str, str]) -> None:
        for name, case in cases.items():
            if column := self._text(name, "case", name):
                self._columns[column.name] = text(case, self._columns[column.name])

    def fill(self, values: Mapping[str, Any]) -> None:
        for name, written in values.items():
            column = self._findings.column(self._schema, name, "fill", name, on_key=True)
            if column is None:
                continue
            if written is None:
                self._findings.add("null fills nothing", "fill", name, hint="give a value")
                continue
            value = self._findings.value(written, column.type, "fill", name)
            if value is not None:
                self._columns[column.name] = Call(column.type, "coalesce", (self._columns[column.name], value))
                self._nullable[column.name] = False

    def clip(self, bounds: Mapping[str, tuple[Any, Any]]) -> None:
        for name, (low, high) in bounds.items():
            column = self._findings.column(self._schema, name, "clip", name, on_key=True)
            if column is None:
                continue
            if not (column.type.is_number or isinstance(column.type, Date | Timestamp)):
                self._findings.add(
                    f"`{column.name}` is of type {column.type}; numbers, dates and timestamps can be clipped", "clip", name
                )
                continue
            least = None if low is None else self._findings.value(low, column.type, "clip", name, 0)
            greatest = None if high is None else self._findings.value(high, column.type, "clip", name, 1)
            if least and greatest and least.value > greatest.value:
                self._findings.add(
                    f"the least value, {low}, is above the greatest, {high}", "clip", name, hint="write [least, greatest]"
                )
            self._columns[column.name] = _clipped(self._columns[column.name], least, greatest)

    def _texts(self) -> list[Column]:
        return [column for column in self._schema if isinstance(column.type, String)]

    def _text(self, name: str, option: str, place: str | int) -> Column | None:
        column = self._findings.column(self._schema, name, option, place, on_key=isinstance(place, str))
        if column is not None and not isinstance(column.type, String):
            hint = f"leave it out of `{option}`, or cast it to string before"
            self._findings.add(f"`{column.name}` is of type {column.type}, and this is for text", option, place, hint=hint)
            return None
        return column


def _collapsed(value: Expr) -> Expr:
    return text("regexp_replace", value, constant(r"\s+", String()), constant(" ", String()))


def _clipped(value: Expr, least: Constant | None, greatest: Constant | None) -> Expr:
    """Branch by branch, because null is neither below nor above, and NaN would be above everything."""
    branches: list[tuple[Expr, Expr]] = []
    if isinstance(value.type, Float) and greatest:
        branches.append((test("is_nan", value), value))
    if least:
        branches.append((test("less", value, least), least))
    if greatest:
        branches.append((test("greater", value, greatest), greatest))
    return Case(value.type, tuple(branches), value) if branches else value
