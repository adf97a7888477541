"""The eight operators of quality rules (`mustBe`, `mustBeLessThan`, ...) as limits of ours.

`mustBeBetween` leaves its two bounds out: the standard says that it "is the equivalent to `mustBeGreaterThan` and
`mustBeLessThan`". Tools differ, so we never write it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from headrace.errors import Path
from headrace.infrastructure.odcs.findings import Findings, literal
from headrace.records import record

#: The operators as conditions on a value.
_CONDITIONS: dict[str, str] = {
    "mustBe": "{0} = {1}",
    "mustNotBe": "{0} <> {1}",
    "mustBeGreaterThan": "{0} > {1}",
    "mustBeGreaterOrEqualTo": "{0} >= {1}",
    "mustBeLessThan": "{0} < {1}",
    "mustBeLessOrEqualTo": "{0} <= {1}",
    "mustBeBetween": "({0} > {1} and {0} < {2})",
    "mustNotBeBetween": "({0} <= {1} or {0} >= {2})",
}

OPERATORS = tuple(_CONDITIONS)


@record
class Comparison:
    """What a quality rule's number must be."""

    operator: str
    values: tuple[Any, ...]

    def allows_none(self, *, percent: bool) -> bool:
        """Whether only zero passes, for a number that is never negative: such a rule is about each row by itself."""
        value = self.values[0]
        if isinstance(value, bool | str):
            return False
        if self.operator == "mustBeLessThan" and not percent:
            return bool(0 < value <= 1)
        return self.operator in ("mustBe", "mustBeLessOrEqualTo") and value == 0

    def condition(self, subject: str) -> str:
        return _CONDITIONS[self.operator].format(subject, *map(literal, self.values))

    def counts(self) -> dict[str, int] | None:
        """As `min` and `max` of a whole number; None when that cannot be said so."""
        first = self.values[0]
        match self.operator:
            case "mustBe" if float(first).is_integer():
                return {"min": int(first), "max": int(first)}
            case "mustBeGreaterThan":
                return {"min": math.floor(first) + 1}
            case "mustBeGreaterOrEqualTo":
                return {"min": math.ceil(first)}
            case "mustBeLessThan":
                return {"max": math.ceil(first) - 1}
            case "mustBeLessOrEqualTo":
                return {"max": math.floor(first)}
            case "mustBeBetween":
                return {"min": math.floor(first) + 1, "max": math.ceil(self.values[1]) - 1}
        return None

    def percents(self) -> dict[str, str] | None:
        """As the limits of a share; None when that cannot be said so."""
        first = f"{self.values[0]}%"
        match self.operator:
            case "mustBe":
                return {"min": first, "max": first}
            case "mustBeGreaterThan":
                return {"above": first}
            case "mustBeGreaterOrEqualTo":
                return {"min": first}
            case "mustBeLessThan":
                return {"below": first}
            case "mustBeLessOrEqualTo":
                return {"max": first}
            case "mustBeBetween":
                return {"above": first, "below": f"{self.values[1]}%"}
        return None


def read_comparison(entry: Mapping[str, Any], path: Path, findings: Findings, *, numeric: bool = True) -> Comparison | None:
    """The one operator of a quality rule."""
    written = [key for key in entry if key in _CONDITIONS]
    if len(written) != 1:
        found = f"`{'`, `'.join(written)}`" if written else "none"
        findings.refuse(f"a quality rule needs one operator, and this has {found}", path, "give one of " + ", ".join(OPERATORS))
        return None
    operator = written[0]
    value, where = entry[operator], (*path, operator)
    if not operator.endswith("Between"):
        if not _comparable(value, numeric or operator not in ("mustBe", "mustNotBe")):
            findings.refuse(f"`{operator}` needs a number", where)
            return None
        return Comparison(operator, (value,))
    if not isinstance(value, list) or len(value) != 2 or not all(_comparable(v, True) for v in value):
        findings.refuse(f"`{operator}` needs two numbers", where)
        return None
    if value[0] >= value[1]:
        findings.refuse(f"`{operator}` needs the smaller number first", where)
        return None
    return Comparison(operator, tuple(value))


def _comparable(value: Any, numeric: bool) -> bool:
    if isinstance(value, bool | str):
        return not numeric
    return isinstance(value, int | float) and math.isfinite(value)
