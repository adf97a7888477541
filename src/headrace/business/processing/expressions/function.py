"""What a function of the catalogue is: its name, its types, its meaning, an example. Not how an engine computes it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from headrace.business.model.types import DataType
from headrace.business.processing.expressions.ir import Expr
from headrace.records import record

Kind = Literal["operator", "scalar", "aggregate", "window"]
Order = Literal["none", "required"]

STRICT = "null when an argument is null"
SKIPS = "nulls are left out; null when nothing is left"


@record
class Function:
    """An entry of the catalogue.

    `signature` names the parameters with their kinds (see `signatures`) and the result: `left(text: string, count: int64) -> string`.
    `result` computes the result where it depends on more than the kinds; `check` looks at literal arguments.
    """

    signature: str
    meaning: str
    example: str
    gives: str
    family: str = ""
    kind: Kind = "scalar"
    nulls: str = STRICT
    written: str | None = None
    """How it is written, when not as a call."""
    aliases: tuple[str, ...] = ()
    order: Order = "none"
    """Whether an aggregate needs `order by` inside its brackets to mean something."""
    result: Callable[[Sequence[Expr]], DataType] | None = None
    check: Callable[[Sequence[Expr]], None] | None = None

    @property
    def name(self) -> str:
        return self.signature.partition("(")[0]
