"""The rules that need more than the row, as rules of one row when it comes: references to datasets that stand still are looked up, and how
rows come is found out beside. Not in a batch, where all rows are there and their parents may be among them."""

from __future__ import annotations

from dataclasses import replace

from headrace.business.model.schema import Schema
from headrace.business.model.types import String, Struct
from headrace.business.processing.expressions.build import BOOLEAN, all_of, column, constant, is_null, negate
from headrace.business.processing.expressions.ir import Call, ColumnRef, Expr, Subquery
from headrace.business.processing.relation import Dataset, Filter
from headrace.business.processing.steps.projection import project
from headrace.business.validation.compiled import CompiledContract, ReferenceRule, Rule


def judged_by_row(contract: CompiledContract) -> CompiledContract:
    """The contract without late rules: each reference is a rule of the row, in the same order, of the same name and version. So is each
    rule of how rows come, whose verdict no row has by itself: it is put in when it is found."""
    rules = [_rule(rule, contract.schema) for rule in contract.references]
    unbroken = constant(False, BOOLEAN)
    rules += [Rule(rule.name, rule.columns, unbroken, rule.action, rule.text) for rule in contract.arrivals]
    return replace(contract, rules=(*contract.rules, *rules), keys=(), references=(), arrivals=())


def _rule(rule: ReferenceRule, schema: Schema) -> Rule:
    mine = [column(name, schema[name].type) for name in rule.columns]
    theirs = [column(name, mine[i].type) for i, name in enumerate(rule.parents)]
    parents = Dataset(Schema.of(**{c.name: c.type for c in theirs}), rule.dataset)
    known = Filter(parents.schema, parents, _complete(theirs))
    there = Subquery(BOOLEAN, "in", project(known, {"parent": _together(theirs)}), _together(mine))
    return Rule(rule.name, rule.columns, all_of(_complete(mine), negate(there)), rule.action, rule.text)


def _complete(columns: list[ColumnRef]) -> Expr:
    return all_of(*(negate(is_null(c)) for c in columns))


def _together(columns: list[ColumnRef]) -> Expr:
    """The values as one."""
    if len(columns) == 1:
        return columns[0]
    names = [f"c{i}" for i in range(len(columns))]
    named = (part for name, c in zip(names, columns, strict=True) for part in (constant(name, String()), c))
    return Call(Struct(tuple((name, c.type) for name, c in zip(names, columns, strict=True))), "struct_value", tuple(named))
