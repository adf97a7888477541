"""The rules of how rows of a stream come behind one another: in time, once, without a gap. Not how their verdicts are found."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from headrace.business.model.contract import Contract, DatasetRule
from headrace.business.model.schema import Schema, did_you_mean
from headrace.business.model.types import Integer
from headrace.business.validation.compiled import ArrivalRule, CopyRule, LatenessRule, SequenceRule
from headrace.errors import Path, Problem


def arrival_rules(contract: Contract, schema: Schema) -> tuple[list[ArrivalRule], list[Problem]]:
    """The rules of a contract about how rows come, in its order."""
    rules: list[ArrivalRule] = []
    problems: list[Problem] = []
    for name, written in contract.rules.items():
        path: Path = ("rules", name)
        wrong = [*_astray(written, path), *_columns(written, schema, path)]
        problems += wrong
        if not wrong and (rule := _rule(name, written, contract)) is not None:
            rules.append(rule)
    return rules, problems


def _rule(name: str, written: DatasetRule, contract: Contract) -> ArrivalRule | None:
    action = written.on_violation or contract.on_violation
    if written.lateness is not None:
        return LatenessRule(name, _micros(written.lateness), action)
    if written.unique is not None and written.within is not None:
        return CopyRule(name, written.unique, _micros(written.within), action)
    if written.sequence is not None:
        return SequenceRule(name, (written.sequence, *written.by), written.on_violation or "warn")
    return None


def _astray(written: DatasetRule, path: Path) -> Iterator[Problem]:
    """Options that belong to another rule than this one, or are missing."""
    if written.unique is not None and not written.within:
        hint = "write `within: 10 minutes`; in a batch, a column is `unique: true` and several are a `key`"
        yield Problem("a stream does not remember all keys that it has ever seen", (*path, "unique"), hint, on_key=True)
    if written.within is not None and written.unique is None:
        yield Problem("`within` belongs to `unique`", (*path, "within"), "take it out", on_key=True)
    if written.by and written.sequence is None:
        yield Problem("`by` belongs to `sequence`", (*path, "by"), "take it out", on_key=True)


def _columns(written: DatasetRule, schema: Schema, path: Path) -> Iterator[Problem]:
    named: list[tuple[Path, str]] = [(("unique", i), name) for i, name in enumerate(written.unique or ())]
    named += [(("by", i), name) for i, name in enumerate(written.by)]
    if (numbers := written.sequence) is not None:
        named.append((("sequence",), numbers))
        if numbers in schema and not isinstance(schema[numbers].type, Integer):
            hint = f"give `{numbers}` an integer type in the contract, such as `int64`"
            yield Problem(
                f"a sequence is of whole numbers, and `{numbers}` is {schema[numbers].type}", (*path, "sequence"), hint
            )
    for place, name in named:
        if name not in schema:
            yield Problem(f"there is no column `{name}`", (*path, *place), did_you_mean(name, schema.names))


def _micros(length: timedelta) -> int:
    return round(length.total_seconds() * 1_000_000)
