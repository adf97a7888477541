"""Compiles a contract against the columns that the data really have. Pure: what is in the data is handed in.

Null breaks no rule but `required`. A text that is not of its column's type breaks `<column>.type` and no other rule of that
column. Columns that the contract does not list are passed on with the type that was inferred, unless `on_drift` says otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from headrace.business.model.contract import ColumnContract, Contract, OnViolation
from headrace.business.model.schema import Column, Schema, did_you_mean
from headrace.business.model.types import DataType, String
from headrace.business.processing.expressions.build import (
    all_of,
    cast,
    column,
    is_null,
    negate,
    null_if_one_of,
)
from headrace.business.processing.expressions.build import (
    text as text_function,
)
from headrace.business.processing.expressions.casting import cast_problem, notation_problem
from headrace.business.processing.expressions.ir import CastFormat, Expr
from headrace.business.validation.arrival_rules import arrival_rules
from headrace.business.validation.column_rules import column_rules
from headrace.business.validation.compiled import OURS, Cell, CompiledContract, KeyRule, Rule, raw, reserved, tidy
from headrace.business.validation.row_rules import references, row_rules
from headrace.errors import Path, Problem

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
) -> tuple[CompiledContract, list[Problem]]:
    """The contract ready to run, and everything that is wrong with it.

    `data` are the columns as they arrive, `inferred` the types guessed for those that are text, `others` the
    schemas of the datasets that references may name. Problem paths are relative to the contract.
    """
    problems = _missing_columns(contract, data)
    cells = tuple(_cells(contract, data, inferred))
    by_name = {cell.column.name: cell for cell in cells}
    schema = Schema(tuple(cell.column for cell in cells))
    problems += _reserved_names(contract, cells)
    problems += _unreadable_types(contract, by_name, data)
    rules: list[Rule] = list(_type_rules(contract, cells))
    for name, written in contract.columns.items():
        if name in schema:
            found, wrong = column_rules(name, written, schema[name], contract.on_violation, _empty(by_name[name], contract))
            rules += found
            problems += wrong
    found, wrong = row_rules(contract, schema)
    rules += found
    problems += wrong
    foreign, wrong = references(contract, schema, others)
    problems += wrong
    arrivals, wrong = arrival_rules(contract, schema)
    problems += wrong
    rules += _unexpected(contract, data)
    keys, parts, wrong = _keys(contract, by_name)
    rules += parts
    problems += wrong
    compiled = CompiledContract(
        cells=cells,
        rules=tuple(rules),
        keys=tuple(keys),
        references=tuple(foreign),
        arrivals=tuple(arrivals),
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


def _reserved_names(contract: Contract, cells: Sequence[Cell]) -> Iterator[Problem]:
    for cell in cells:
        name = cell.column.name
        if reserved(name):
            hint = f"let the contract give it another one: `columns: {{other_name: {{source: {cell.source!r}}}}}`"
            path: Path = ("columns", name) if name in contract.columns else ()
            yield Problem(f"a column cannot be called `{name}`, which is a name of Headrace's own", path, hint, on_key=True)
        elif cell.source.startswith(OURS):
            yield Problem(
                f"the data have a column `{cell.source}`, and `{OURS}` begins names of Headrace's own",
                (),
                "rename it at its source",
            )


def _unreadable_types(contract: Contract, cells: Mapping[str, Cell], data: Schema) -> Iterator[Problem]:
    """Types that what arrives cannot become, and ways of writing that mean nothing for a type."""
    for name, written in contract.columns.items():
        if name not in cells:
            continue
        cell = cells[name]
        arriving, target = data[cell.source].type, cell.column.type
        if arriving != target and (problem := cast_problem(arriving, target)):
            yield Problem(problem[0], ("columns", name, "type"), problem[1])
        if problem := notation_problem(target, cast_format(written)):
            yield Problem(problem[0], ("columns", name, "format" if written.format else "type"), problem[1])


def _cells(contract: Contract, data: Schema, inferred: Mapping[str, DataType]) -> Iterator[Cell]:
    """The cells in the order of the data, each under the name that the contract gives it."""
    by_source = {}
    for name, written in contract.columns.items():
        if found := data.resolve(written.source or name):
            by_source[found.name] = (name, written)
    for arriving in data:
        listed = by_source.get(arriving.name)
        if listed is None and contract.on_drift.columns != "evolve" and contract.columns:
            continue
        name, written = listed or (arriving.name, ColumnContract())
        kind = written.type or inferred.get(arriving.name, arriving.type)
        nullable = arriving.nullable and not _promised(contract, name, written)
        yield _cell(Column(name, kind, nullable, written.classification), written, arriving)


def _cell(target: Column, written: ColumnContract, arriving: Column) -> Cell:
    """How a column's value is made of what arrives: text is tidied first, then cast, with a verdict for what does not fit."""
    held: Expr = column(raw(arriving.name), arriving.type)
    if isinstance(arriving.type, String):
        if written.trim:
            held = text_function("trim", held)
        if tokens := _null_tokens(written, target.type):
            held = null_if_one_of(held, tokens)
    if target.type == arriving.type:
        return Cell(target, arriving.name, None, held)
    tidied = column(tidy(target.name), arriving.type)
    return Cell(target, arriving.name, held, cast(tidied, target.type, lenient=True, written=cast_format(written)))


def _promised(contract: Contract, name: str, written: ColumnContract) -> bool:
    """Whether no good row has a null here."""
    own = written.required.on_violation if written.required is not None else None
    required = _required(written) and _action(written, own, contract) != "warn"
    in_key = (
        contract.key is not None
        and name in contract.key.columns
        and (contract.key.on_violation or contract.on_violation) != "warn"
    )
    return required or in_key


def cast_format(written: ColumnContract) -> CastFormat:
    return CastFormat(written.format, written.decimal_mark, written.thousands_mark, written.true_words, written.false_words)


def _null_tokens(written: ColumnContract, kind: DataType) -> tuple[str, ...]:
    """The texts that mean null: those that were named, else the empty one, except in strings, where it is a value."""
    if written.nulls is not None:
        return written.nulls
    return () if isinstance(kind, String) else ("",)


def _empty(cell: Cell, contract: Contract) -> Expr:
    """Whether the cell held nothing; what could not be cast counts only where such values are discarded."""
    if cell.tidied is None or contract.on_drift.types == "discard_value":
        return is_null(column(cell.column.name, cell.column.type))
    return is_null(column(tidy(cell.column.name), cell.tidied.type))


def _type_rules(contract: Contract, cells: tuple[Cell, ...]) -> Iterator[Rule]:
    """One for each column that is cast: something was there, and nothing came of it."""
    for cell in cells:
        name, kind = cell.column.name, cell.column.type
        if cell.tidied is not None:
            violated = all_of(is_null(column(name, kind)), negate(is_null(column(tidy(name), cell.tidied.type))))
            written = contract.columns.get(name, ColumnContract())
            yield Rule(f"{name}.type", (name,), violated, _DRIFT[contract.on_drift.types], f"{kind} {cast_format(written)}")


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


def _keys(contract: Contract, cells: Mapping[str, Cell]) -> tuple[list[KeyRule], list[Rule], list[Problem]]:
    """The keys, and the rules that no part of the dataset's key is null."""
    keys: list[KeyRule] = []
    parts: list[Rule] = []
    problems: list[Problem] = []
    if contract.key is not None:
        action = contract.key.on_violation or contract.on_violation
        for i, name in enumerate(contract.key.columns):
            if name not in cells:
                hint = did_you_mean(name, cells)
                problems.append(Problem(f"the key names `{name}`, which is not a column", ("key", i), hint))
            elif not _required(contract.columns.get(name)):
                parts.append(Rule(f"{name}.required", (name,), _empty(cells[name], contract), action, "part of the key"))
        if not problems:
            keys.append(KeyRule("key.unique", contract.key.columns, action))
    for name, written in contract.columns.items():
        if written.unique is not None and written.unique.is_ and name in cells:
            keys.append(KeyRule(f"{name}.unique", (name,), _action(written, written.unique.on_violation, contract)))
    return keys, parts, problems


def _required(written: ColumnContract | None) -> bool:
    return written is not None and written.required is not None and written.required.is_


def _action(written: ColumnContract, own: OnViolation | None, contract: Contract) -> OnViolation:
    return own or written.on_violation or contract.on_violation
