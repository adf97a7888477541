"""What all sinks have in common: the modes in which rows reach a target, their options, and what speaks against a schema."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from headrace.business.model.plugin import Plugin
from headrace.business.model.schema import Schema, did_you_mean
from headrace.infrastructure.connectors.ledger import Mode
from headrace.infrastructure.sql_text import quoted


def as_list(written: Any) -> Any:
    """One name stands for a list of one."""
    return [written] if isinstance(written, str) else written


Names = Annotated[tuple[str, ...], BeforeValidator(as_list, json_schema_input_type=str | tuple[str, ...])]


def _indexes(written: Any) -> Any:
    return [as_list(index) for index in written] if isinstance(written, list | tuple) else written


Indexes = Annotated[
    tuple[tuple[str, ...], ...], BeforeValidator(_indexes, json_schema_input_type=tuple[str | tuple[str, ...], ...])
]


class PublishingOptions(Plugin):
    """How rows reach a target."""

    mode: Mode = Field(
        "replace",
        description="append: add the rows; replace: they become the whole target; merge: insert new keys and update "
        "changed rows; scd2: keep every version of a row, with the time from and to which it was valid",
    )
    key: Names = Field((), description="The columns that name a row, for merge and scd2")
    deleted: Literal["keep", "close"] = Field("keep", description="scd2: what becomes of rows whose key no longer comes")
    valid_from: str = Field("valid_from", description="scd2: the column for the time from which a version is valid")
    valid_to: str = Field("valid_to", description="scd2: the column for the time to which a version is valid, null while it is")
    is_current: str = Field("is_current", description="scd2: the column that is true for the version that is valid now")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        keyed = self.mode in ("merge", "scd2")
        if keyed and not self.key:
            raise ValueError(f"mode `{self.mode}` needs `key`: the columns that name a row")
        if self.key and not keyed:
            raise ValueError(f"`key` means nothing in mode `{self.mode}`; it is for merge and scd2")
        if self.mode != "scd2" and (own := _HISTORY_OPTIONS & self.model_fields_set):
            raise ValueError(f"`{min(own)}` means nothing in mode `{self.mode}`; it is for scd2")
        return self

    @property
    def history(self) -> tuple[str, ...]:
        """The columns that scd2 adds."""
        return (self.valid_from, self.valid_to, self.is_current) if self.mode == "scd2" else ()

    @property
    def in_force(self) -> str:
        """Of rows with a history, a condition that leaves out the versions that are not valid now."""
        return f" WHERE {quoted(self.is_current)}" if self.mode == "scd2" else ""

    def option_problems(self, schema: Schema) -> Iterator[str]:
        """What keeps these options from being used with this schema."""
        yield from unknown_columns("key", self.key, schema)
        yield from repeated("key", self.key)
        yield from alike(schema)
        for name in self.history:
            if schema.resolve(name):
                yield f"the column `{name}` is what scd2 would add; rename one of the two"
        yield from repeated("scd2 column", self.history)


_HISTORY_OPTIONS = {"deleted", "valid_from", "valid_to", "is_current"}


class TableOptions(PublishingOptions):
    """A table of a database as a target."""

    table: Annotated[str, Field(min_length=1, description="The table, or `schema.table`")]
    indexes: Indexes = Field((), description="Indexes to create, each a list of columns")

    def table_problems(self, schema: Schema) -> Iterator[str]:
        yield from self.option_problems(schema)
        if not len(schema):
            yield "a table needs at least one column"
        for index in self.indexes:
            yield from unknown_columns("indexes", [c for c in index if c not in self.history], schema)
            yield from repeated("indexes", index)
            if not index:
                yield "indexes: an index needs at least one column"
        if "\0" in self.table or not all(self.table.split(".")):
            yield f"`{self.table}` is not the name of a table: write `table` or `schema.table`"


def shown_path(project: Path, path: str) -> str:
    """A path as people know it: from the project folder if it is inside."""
    whole, root = (project / path).resolve(), project.resolve()
    return str(whole.relative_to(root) if whole.is_relative_to(root) else whole)


def unknown_columns(option: str, names: Iterable[str], schema: Schema) -> Iterator[str]:
    for name in names:
        if name not in schema:
            yield f"{option}: there is no column `{name}`; {did_you_mean(name, schema.names)}"


def repeated(what: str, names: Iterable[str]) -> Iterator[str]:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            yield f"{what}: `{name}` is named twice"
        seen.add(name)


def alike(schema: Schema) -> Iterator[str]:
    """Columns that a database which does not tell case apart would take for one."""
    seen: dict[str, str] = {}
    for name in schema.names:
        if (other := seen.setdefault(name.lower(), name)) != name:
            yield f"the columns `{other}` and `{name}` differ in case alone; rename one of them"
        if not name or "\0" in name:
            yield "a column has an empty name or one with a NUL character; rename it"
