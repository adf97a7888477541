"""The rules over whole rows: conditions between columns, and references to other datasets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from headrace.business.model.contract import Contract, DatasetRule, OnViolation
from headrace.business.model.schema import Column, Schema, did_you_mean
from headrace.business.model.types import Boolean
from headrace.business.processing.expressions.build import any_of, is_null, negate
from headrace.business.processing.expressions.ir import Expr
from headrace.business.processing.expressions.parse import ExpressionError, parse_expression
from headrace.business.validation.compiled import ReferenceRule, Rule
from headrace.errors import Path, Problem
from headrace.records import record

#: What a rule is about: one of these.
KINDS = ("expression", "references", "lateness", "unique", "sequence")


def row_rules(contract: Contract, schema: Schema) -> tuple[list[Rule], list[Problem]]:
    """The conditions of a contract as rules."""
    rules: list[Rule] = []
    problems: list[Problem] = []
    for name, written in contract.rules.items():
        path: Path = ("rules", name)
        if sum(getattr(written, kind) is not None for kind in KINDS) != 1:
            hint = "in streams also `lateness`, `unique` with `within`, or `sequence`"
            problems.append(
                Problem("a rule is either an `expression` or `references` with a `column`", path, hint, on_key=True)
            )
            continue
        if written.expression is None:
            continue
        try:
            condition = parse_expression(written.expression, schema)
        except ExpressionError as error:
            problems.append(Problem(error.message, path, error.hint, error.offset))
            continue
        if not isinstance(condition.type, Boolean):
            problems.append(Problem(f"a rule must be true or false, and this is of type {condition.type}", path))
            continue
        violated: Expr = negate(condition)
        if written.nulls == "fail":
            violated = any_of((is_null(condition), violated))
        action = written.on_violation or contract.on_violation
        rules.append(Rule(name, tuple(sorted(condition.columns())), violated, action, written.expression))
    return rules, problems


def references(contract: Contract, schema: Schema, others: Mapping[str, Schema]) -> tuple[list[ReferenceRule], list[Problem]]:
    """The references of a contract, from its rules and from its columns."""
    rules: list[ReferenceRule] = []
    problems: list[Problem] = []
    for reference in _written(contract, schema):
        wrong = list(reference.problems(schema, others))
        problems += wrong
        if not wrong:
            rules.append(reference.rule())
    return rules, problems


def _written(contract: Contract, schema: Schema) -> Iterator[_Reference]:
    for name, rule in contract.rules.items():
        if rule.references is not None and rule.expression is None:
            targets = (rule.references,) if isinstance(rule.references, str) else rule.references
            action = rule.on_violation or contract.on_violation
            yield _Reference(name, _columns(rule, targets), targets, action, ("rules", name))
    for name, written in contract.columns.items():
        if written.references is not None and name in schema:
            action = written.references.on_violation or written.on_violation or contract.on_violation
            path: Path = ("columns", name, "references")
            yield _Reference(f"{name}.references", (name,), (written.references.is_,), action, path)


def _columns(rule: DatasetRule, targets: tuple[str, ...]) -> tuple[str, ...]:
    """The columns that were named, else those of the same names as their targets."""
    return rule.column or tuple(target.rpartition(".")[2] for target in targets)


@record
class _Reference:
    """A reference as it was written: columns here, `dataset.column` there."""

    name: str
    columns: tuple[str, ...]
    targets: tuple[str, ...]
    action: OnViolation
    path: Path

    def rule(self) -> ReferenceRule:
        dataset = self.targets[0].rpartition(".")[0]
        return ReferenceRule(self.name, self.columns, dataset, tuple(t.rpartition(".")[2] for t in self.targets), self.action)

    def problems(self, schema: Schema, others: Mapping[str, Schema]) -> Iterator[Problem]:
        if len(self.columns) != len(self.targets):
            yield Problem(f"{len(self.columns)} columns cannot refer to {len(self.targets)}", self.path)
        if len({target.rpartition(".")[0] for target in self.targets}) > 1:
            yield Problem("a reference goes to one dataset", self.path)
        for column in self.columns:
            if column not in schema:
                yield Problem(f"there is no column `{column}`", self.path, did_you_mean(column, schema.names))
        for column, target in zip(self.columns, self.targets, strict=False):
            yield from self._target(schema.resolve(column), target, others)

    def _target(self, mine: Column | None, target: str, others: Mapping[str, Schema]) -> Iterator[Problem]:
        dataset, _, name = target.rpartition(".")
        if dataset not in others:
            yield Problem(f"there is no dataset `{dataset}`", self.path, did_you_mean(dataset, others) + " (`dataset.column`)")
        elif name not in others[dataset]:
            yield Problem(f"dataset `{dataset}` has no column `{name}`", self.path, did_you_mean(name, others[dataset].names))
        elif mine is not None:
            theirs = others[dataset][name].type
            if mine.type != theirs and not (mine.type.is_number and theirs.is_number):
                yield Problem(f"`{mine.name}` is of type {mine.type} and `{target}` of type {theirs}", self.path)
