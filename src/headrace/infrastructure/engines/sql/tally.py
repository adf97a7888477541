"""Adds up verdicts: how many rows had which fate, and how many broke each rule. Rows come grouped by what they broke."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from headrace.business.engine import RuleCount
from headrace.business.model.contract import OnViolation
from headrace.business.processing.plan import PlannedSource
from headrace.business.validation.compiled import SEVERITY, UNREADABLE, AnyRule, Rule

#: Bits in one mask: the widest cheap integer of engines has 64, and the two highest stay clear of signs.
BITS = 62


@dataclass(slots=True)
class Tally:
    """Rows by fate: `fail`, `quarantine` and `drop` by the heaviest rule that they broke, `before` read by an earlier run."""

    rows: int = 0
    good: int = 0
    before: int = 0
    fates: dict[OnViolation, int] = field(default_factory=lambda: dict.fromkeys(SEVERITY, 0))
    rules: list[int] = field(default_factory=list)


#: One group: its masks, then whether its rows broke a late rule with `fail`, `quarantine` or `drop`, were read before, and how many.
Group = Sequence[int]


def tally(rules: Sequence[Rule], masks: int, groups: Iterable[Group]) -> Tally:
    """The sum of groups of rows."""
    found = Tally(rules=[0] * len(rules))
    for group in groups:
        *bits, late_fail, late_hold, late_drop, before, rows = group
        found.rows += rows
        actions = _count(found, rules, bits[:masks], rows)
        actions |= {a for a, late in (("fail", late_fail), ("quarantine", late_hold), ("drop", late_drop)) if late}
        fate = next((action for action in SEVERITY if action != "warn" and action in actions), None)
        if fate is not None:
            found.fates[fate] += rows
        elif before:
            found.before += rows
        else:
            found.good += rows
    return found


def _count(found: Tally, rules: Sequence[Rule], masks: Sequence[int], rows: int) -> set[str]:
    """Count a group's rules; what their breaking leads to."""
    actions: set[str] = set()
    for number, mask in enumerate(masks):
        while mask:
            lowest = mask & -mask
            rule = number * BITS + lowest.bit_length() - 1
            found.rules[rule] += rows
            actions.add(rules[rule].action)
            mask ^= lowest  # noqa: PLW2901 - the mask is used up bit by bit
    return actions


def rule_counts(source: PlannedSource, found: Sequence[int], late: Mapping[str, int], unreadable: int) -> list[RuleCount]:
    """How many rows broke each rule: those of one row by their order, the late ones by their name."""
    contract = source.contract
    names = {cell.column.name: cell.source for cell in contract.cells}

    def columns(rule: AnyRule) -> tuple[str, ...]:
        return tuple(names.get(name, name) for name in rule.columns)

    counts = [RuleCount(r.name, r.version, r.action, n, columns(r)) for r, n in zip(contract.rules, found, strict=True)]
    counts += [RuleCount(r.name, r.version, r.action, late.get(r.name, 0), columns(r)) for r in contract.late]
    if unreadable:
        counts.append(RuleCount(UNREADABLE, "1", contract.unreadable, unreadable))
    return counts
