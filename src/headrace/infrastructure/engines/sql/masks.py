"""The bits of broken rules, as SQL: a few integers beside each checked row say of every rule whether the row broke it. Not how that is
found out, nor what the numbers add up to (see `tally`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence

from headrace.business.model.contract import OnViolation
from headrace.business.validation.compiled import Rule
from headrace.infrastructure.engines.sql.tally import BITS


class Masks:
    """The mask columns of the checked rows of one source, in `masks` as SQL. Rules have their bits in the order of the contract."""

    def __init__(self, rules: Sequence[Rule], identifier: Callable[[str], str]) -> None:
        self.rules = rules
        self.masks = [identifier(f"#{i}") for i in range((len(rules) + BITS - 1) // BITS)]

    def among(self, mask: str, bits: int) -> str:
        """Those of a mask that are among some bits."""
        return f"({mask} & {bits})"

    def rules_of(self, number: int) -> Sequence[Rule]:
        """The rules whose bits are in one mask, beginning with the lowest."""
        return self.rules[number * BITS : (number + 1) * BITS]

    def any_bit(self) -> str:
        """A condition: the row broke a rule."""
        return f"({' OR '.join(f'{mask} <> 0' for mask in self.masks)})" if self.masks else "false"

    def breaks(self, actions: Collection[OnViolation]) -> str:
        """A condition: the row broke a rule with one of these consequences."""
        parts = []
        for number, mask in enumerate(self.masks):
            rules, bits = self.rules_of(number), self.bits(number, actions)
            if bits == (1 << len(rules)) - 1:
                parts.append(f"{mask} <> 0")
            elif bits:
                parts.append(f"{self.among(mask, bits)} <> 0")
        return f"({' OR '.join(parts)})" if parts else "false"

    def bits(self, number: int, actions: Collection[OnViolation]) -> int:
        """The bits of one mask that stand for rules with one of these consequences."""
        return sum(1 << bit for bit, rule in enumerate(self.rules_of(number)) if rule.action in actions)

    def each(self) -> Iterator[tuple[Rule, str]]:
        """Every rule, with a condition: the row broke it."""
        for number, mask in enumerate(self.masks):
            for bit, rule in enumerate(self.rules_of(number)):
                yield rule, f"{self.among(mask, 1 << bit)} <> 0"
