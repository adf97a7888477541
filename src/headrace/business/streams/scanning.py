"""Which columns the rows of messages have: those that the format finds, and the facts that a source is asked for. Contacts nobody."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from headrace.business.model.contract import Contract
from headrace.business.model.schema import Column, Schema
from headrace.business.model.types import Binary, DataType, List, String, Struct, Timestamp
from headrace.business.streams.messages import Fact, MessageScan, MessageSource
from headrace.errors import DefinitionError, Problem

FACTS: Mapping[Fact, DataType] = {
    "key": String(),
    "key_bytes": Binary(),
    "published_at": Timestamp(zone=True),
    "headers": List(Struct((("key", String()), ("value", Binary())))),
    "partition": String(),
    "position": String(),
}


def message_scan(source: MessageSource, contract: Contract, name: str, project: Path) -> MessageScan:
    """The scan of a source of messages. Raises `DefinitionError` whose paths are relative to the source's options."""
    declared = declared_columns(contract, frozenset(source.columns))
    found = source.format.scan(declared, project)
    if twice := sorted(set(found.schema.names) & set(source.columns)):
        raise DefinitionError([Problem(f"the messages have a column `{twice[0]}` already", ("columns", twice[0]), on_key=True)])
    facts = tuple(Column(column, FACTS[fact]) for column, fact in source.columns.items())
    return replace(found, schema=Schema((*found.schema, *facts)), origin=found.origin or name)


def declared_columns(contract: Contract, facts: frozenset[str]) -> Schema:
    """The columns that a contract names, as the data name them, with their types; text where it gives none."""
    named = {column.source or name: column.type for name, column in contract.columns.items()}
    return Schema(tuple(Column(name, kind or String()) for name, kind in named.items() if name not in facts))
