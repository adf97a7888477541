"""Compiles a contract against the columns that the data really have. Pure: what is in the data is handed in.

Null breaks no rule but `required`. A text that is not of its column's type breaks `<column>.type` and no other rule of that
column. Columns that the contract does not list are passed on with the type that was inferred, unless `on_drift` says otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping

from headrace.business.model.contract import ColumnContract, Contract, OnViolation
from headrace.business.model.schema import Column, Schema, did_you_mean
from headrace.business.model.types import DataType, String
from headrace.business.processing.expressions.build import (
    all_of,
    any_of,
    cast,
    column,
    is_null,
    negate,
    null_if_one_of,
    one_of,
)
from headrace.business.processing.expressions.build import (
    text as text_function,
)
from headrace.business.processing.expressions.ir import CastFormat, Expr
from headrace.business.validation.column_rules import column_rules
from headrace.business.validation.compiled import Cell, CompiledContract, KeyRule, Rule, raw
from headrace.business.validation.row_rules import references, row_rules
from headrace.errors import Problem

_DRIFT: Mapping[str, OnViolation] = {
    "quarantine_row": "quarantine",
    "discard_row": "drop",
    "discard_value": "warn",
    "freeze": "fail",
}


def compile_contract(
    contract: Contract,
    data: Schema,
    inferred: Mapping[str, DataType],
    others: Mapping[str, Schema],
    *,
    text: bool,
) -> tuple[CompiledContract, list[Problem]]:
    """The contract ready to run, and everything that is wrong with it.

    `data` are the columns as they arrive (all strings when `text`), `inferred` the types guessed for them, `others` the
    schemas of the datasets that references may name. Problem paths are relative to the contract.
    """
    problems = _missing_columns(contract, data)
    cells = tuple(_cells(contract, data, inferred, text=text))
    schema = Schema(tuple(cell.column for cell in cells))
    rules: list[Rule] = []
    if text:
        rules += _type_rules(contract, cells)
    for name, written in contract.columns.items():
        if name in schema:
            found, wrong = column_rules(
                name, written, schema[name], contract.on_violation, _emptiness(name, written, schema, text=text)
            )
            rules += found
            problems += wrong
    found, wrong = row_rules(contract, schema)
    rules += found
    problems += wrong
    foreign, wrong = references(contract, schema, others)
    problems += wrong
    rules += _unexpected(contract, data)
    keys = tuple(_keys(contract, schema, rules, problems, text=text))
    compiled = CompiledContract(
        cells=cells,
        rules=tuple(rules),
        keys=keys,
        references=tuple(foreign),
        raw_columns=data.names,
    )
    return compiled, problems


def _missing_columns(contract: Contract, data: Schema) -> list[Problem]:
    return [
        Problem(
            f"the data have no column `{written.source or name}`",
            ("columns", name, "source") if written.source else ("columns", name),
            did_you_mean(written.source or name, [c for c in data.names if c not in contract.columns] or data.names),
            on_key=not written.source,
        )
        for name, written in contract.columns.items()
        if data.resolve(written.source or name) is None
    ]


def _cells(contract: Contract, data: Schema, inferred: Mapping[str, DataType], *, text: bool) -> list[Cell]:
    """The cells in the order of the data, each under the name that the contract gives it."""
    by_source = {}
    for name, written in contract.columns.items():
        if found := data.resolve(written.source or name):
            by_source[found.name] = (name, written)
    cells = []
    for arriving in data:
        listed = by_source.get(arriving.name)
        if listed is None and contract.on_drift.columns != "evolve" and contract.columns:
            continue
        name, written = listed or (arriving.name, ColumnContract())
        kind = written.type or inferred.get(arriving.name, arriving.type)
        nullable = arriving.nullable and not _promised(contract, name, written)
        cells.append(
            Cell(
                Column(name, kind, nullable, written.classification),
                arriving.name,
                _value(name, written, kind, arriving, text=text),
            )
        )
    return cells


def _promised(contract: Contract, name: str, written: ColumnContract) -> bool:
    """Whether no good row has a null here."""
    required = (
        written.required is not None
        and written.required.is_
        and _action(written, written.required.on_violation, contract) != "warn"
    )
    in_key = (
        contract.key is not None
        and name in contract.key.columns
        and (contract.key.on_violation or contract.on_violation) != "warn"
    )
    return required or in_key


def _value(name: str, written: ColumnContract, kind: DataType, arriving: Column, *, text: bool) -> Expr:
    before: Expr = column(raw(name), arriving.type)
    if not text:
        return before if kind == arriving.type else cast(before, kind)
    if written.trim:
        before = text_function("trim", before)
    if tokens := _null_tokens(written, kind):
        before = null_if_one_of(before, tokens)
    if isinstance(kind, String):
        return before
    return cast(before, kind, lenient=True, written=cast_format(written))


def cast_format(written: ColumnContract) -> CastFormat:
    return CastFormat(written.format, written.decimal_mark, written.thousands_mark, written.true_words, written.false_words)


def _null_tokens(written: ColumnContract, kind: DataType) -> tuple[str, ...]:
    """The texts that mean null: those that were named, else the empty one, except in strings, where it is a value."""
    if written.nulls is not None:
        return written.nulls
    return () if isinstance(kind, String) else ("",)


def _emptiness(name: str, written: ColumnContract, schema: Schema, *, text: bool) -> Expr:
    """Whether the cell held nothing: it is null, and not because its text could not be cast."""
    kind = schema[name].type
    nothing = is_null(column(name, kind))
    if not text or isinstance(kind, String):
        return nothing
    return all_of(nothing, _blank(name, written, kind))


def _blank(name: str, written: ColumnContract, kind: DataType) -> Expr:
    before: Expr = column(raw(name), String())
    if written.trim:
        before = text_function("trim", before)
    tokens = _null_tokens(written, kind)
    return any_of((is_null(before), one_of(before, tokens))) if tokens else is_null(before)


def _type_rules(contract: Contract, cells: tuple[Cell, ...]) -> list[Rule]:
    rules = []
    for cell in cells:
        name, kind = cell.column.name, cell.column.type
        if isinstance(kind, String):
            continue
        written = contract.columns.get(name, ColumnContract())
        violated = all_of(is_null(column(name, kind)), negate(_blank(name, written, kind)))
        rules.append(Rule(f"{name}.type", (name,), violated, _DRIFT[contract.on_drift.types], f"{kind} {cast_format(written)}"))
    return rules


def _unexpected(contract: Contract, data: Schema) -> list[Rule]:
    """Columns that the contract does not list: the rows that have a value there, unless they may come and go."""
    action = _DRIFT.get(contract.on_drift.columns)
    if action is None or action == "warn" or not contract.columns:
        return []
    listed = {found.name for n, w in contract.columns.items() if (found := data.resolve(w.source or n))}
    return [
        Rule(f"{c.name}.unexpected", (c.name,), negate(is_null(column(raw(c.name), c.type))), action, "not in the contract")
        for c in data
        if c.name not in listed
    ]


def _keys(contract: Contract, schema: Schema, rules: list[Rule], problems: list[Problem], *, text: bool) -> list[KeyRule]:
    keys = []
    if contract.key is not None:
        action = contract.key.on_violation or contract.on_violation
        known = True
        for i, name in enumerate(contract.key.columns):
            if name not in schema:
                known = False
                problems.append(
                    Problem(f"the key names `{name}`, which is not a column", ("key", i), did_you_mean(name, schema.names))
                )
                continue
            already = any(r.name == f"{name}.required" for r in rules)
            if not already:
                written = contract.columns.get(name, ColumnContract())
                rules.append(
                    Rule(f"{name}.required", (name,), _emptiness(name, written, schema, text=text), action, "part of the key")
                )
        if known:
            keys.append(KeyRule("key.unique", contract.key.columns, action))
    for name, written in contract.columns.items():
        if written.unique is not None and written.unique.is_ and name in schema:
            keys.append(KeyRule(f"{name}.unique", (name,), _action(written, written.unique.on_violation, contract)))
    return keys


def _action(written: ColumnContract, own: OnViolation | None, contract: Contract) -> OnViolation:
    return own or written.on_violation or contract.on_violation
