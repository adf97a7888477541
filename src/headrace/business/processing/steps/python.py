"""The step `python`: what a function makes of Arrow tables. The function is looked up when the step is carried out, not before."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema

from headrace.business.model.contract import TypeOption
from headrace.business.model.plugin import Plugin
from headrace.business.model.schema import Column, Schema
from headrace.business.processing.relation import Function, Relation
from headrace.business.processing.steps.findings import Findings
from headrace.business.processing.steps.options import Name, Names
from headrace.business.processing.steps.user_function import UserFunction


def _reference(written: Any) -> Any:
    """A function that can be found under its name is the same step as its name; both compare equal."""
    if not callable(written):
        return written
    module, name = getattr(written, "__module__", None), getattr(written, "__qualname__", "")
    found = getattr(sys.modules.get(module or ""), name, None)
    return f"{module}:{name}" if found is written and module != "__main__" else written


def _shown(call: str | Callable[..., Any]) -> str:
    return call if isinstance(call, str) else f"{call.__module__}:{getattr(call, '__qualname__', type(call).__name__)}"


Call = Annotated[
    str | Callable[..., Any],
    BeforeValidator(_reference),
    PlainSerializer(_shown, return_type=str),
    WithJsonSchema({"type": "string"}),
]


class PythonStep(Plugin):
    """Gives what a Python function makes of the rows: it takes an Arrow table (and one for each of `with`) and returns one.

    The function must return the declared columns; with `schema: same`, those of its input. It is given plain tables, so it
    runs the same on every engine. Nothing is fused through it: the tables are made in memory.

    ```yaml
    - python: {call: "steps.geography:great_circle", schema: {carrier: string, miles: float64}}
    - python: {call: "steps/geography.py:locate", with: [airports], arguments: {radius: 3958.8}}
    ```
    """

    kind: ClassVar[str] = "python"
    shorthand: ClassVar[str | None] = "call"

    call: Call = Field(description="`module:function`, or `path/to/file.py:function` from the project's folder")
    with_: Names = Field((), alias="with", description="Datasets whose tables follow as further arguments")
    schema_: Literal["same"] | Annotated[Mapping[Name, TypeOption], Field(min_length=1)] = Field(
        "same", alias="schema", description="The columns that it returns and their types, or `same`"
    )
    arguments: Mapping[Name, Any] = Field(default_factory=dict, description="Arguments that are passed by name")

    def apply(self, inputs: Mapping[str, Relation]) -> Relation:
        below, findings = inputs["input"], Findings()
        others = [findings.dataset(inputs, name, "with", i) for i, name in enumerate(self.with_)]
        if isinstance(self.call, str) and not _is_reference(self.call):
            hint = "write `module:function` or `path/to/file.py:function`"
            findings.add(f"`{self.call}` does not say which function is meant", "call", hint=hint)
        if isinstance(self.schema_, Mapping):
            findings.distinct((name, ("schema", name)) for name in self.schema_)
        findings.settle()
        parts = (below, *(other for other in others if other is not None))
        return Function(
            self._declared(below.schema), parts, UserFunction(self.call, tuple(self.arguments.items())), _shown(self.call)
        )

    def _declared(self, below: Schema) -> Schema:
        if not isinstance(self.schema_, Mapping):
            return Schema(tuple(Column(c.name, c.type, True, c.classification) for c in below))
        columns = (
            Column(name, kind, True, below[name].classification if name in below else None)
            for name, kind in self.schema_.items()
        )
        return Schema(tuple(columns))


def _is_reference(text: str) -> bool:
    place, colon, name = text.rpartition(":")
    dotted = place.endswith(".py") or all(part.isidentifier() for part in place.split("."))
    return bool(colon) and bool(place) and dotted and all(part.isidentifier() for part in name.split("."))
