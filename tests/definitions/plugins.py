"""Plugins for tests of how definitions are read: every kind of option, and nothing behind them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from headrace.business.model.durations import Duration
from headrace.business.model.plugin import Plugin
from headrace.business.model.references import Sql
from headrace.infrastructure.catalog import Catalog
from headrace.security.secrets import Secret


def _list(written: Any) -> Any:
    return [written] if isinstance(written, str) else written


Names = Annotated[tuple[str, ...], BeforeValidator(_list)]


class FileSource(Plugin):
    kind: ClassVar[str] = "file"
    shorthand: ClassVar[str | None] = "path"
    bounded: ClassVar[bool] = True

    path: str | tuple[str, ...] = Field(description="Where the files are")
    format: Literal["csv", "tsv", "json", "parquet"] | None = None
    delimiter: str | None = None
    header: bool = True
    skip: int = Field(0, ge=0)


class PostgresSource(Plugin):
    kind: ClassVar[str] = "postgres"
    bounded: ClassVar[bool] = True

    url: Secret
    table: str | None = None
    query: Sql | None = None


class Filter(Plugin):
    kind: ClassVar[str] = "filter"
    shorthand: ClassVar[str | None] = "where"

    where: Sql


class Derive(Plugin):
    kind: ClassVar[str] = "derive"
    shorthand: ClassVar[str | None] = "columns"

    columns: dict[str, Sql] = Field(min_length=1)

    @classmethod
    def written(cls, value: Any) -> Any:
        return value if isinstance(value, Mapping) and set(value) == {"columns"} else {"columns": value}


class Limit(Plugin):
    kind: ClassVar[str] = "limit"
    shorthand: ClassVar[str | None] = "rows"

    rows: int = Field(ge=0)


class DedupeOptions(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    key: Names
    keep: Literal["first", "last"] = "first"
    order_by: str | None = None


class Clean(Plugin):
    kind: ClassVar[str] = "clean"

    trim: Names | None = None
    fill: Mapping[str, str | int | float | bool] | None = None
    dedupe: DedupeOptions | None = None


class Join(Plugin):
    kind: ClassVar[str] = "join"

    with_: str = Field(alias="with")
    how: Literal["inner", "left", "full"] = "inner"
    using: Names | None = None


class Statement(Plugin):
    kind: ClassVar[str] = "sql"
    shorthand: ClassVar[str | None] = "query"

    query: Sql


class RowCount(Plugin):
    kind: ClassVar[str] = "row_count"

    min: int | None = None
    max: int | None = None
    on_fail: Literal["block", "warn"] = "block"


class NullShare(Plugin):
    kind: ClassVar[str] = "null_share"

    column: str
    max: float = Field(ge=0, le=1)
    on_fail: Literal["block", "warn"] = "block"


class Anomaly(Plugin):
    kind: ClassVar[str] = "row_count_anomaly"

    history: Duration
    on_fail: Literal["block", "warn"] = "block"


class FileSink(Plugin):
    kind: ClassVar[str] = "file"
    shorthand: ClassVar[str | None] = "path"

    path: str
    format: Literal["parquet", "csv", "jsonl"] = "parquet"
    partition_by: Names = ()
    mode: Literal["append", "replace", "merge"] = "replace"
    key: Names = ()


class PostgresSink(Plugin):
    kind: ClassVar[str] = "postgres"

    url: Secret
    table: str
    mode: Literal["append", "replace", "merge", "scd2"] = "append"
    key: Names = ()
    indexes: tuple[Names, ...] = ()


PLUGINS: dict[str, list[type[Plugin]]] = {
    "sources": [FileSource, PostgresSource],
    "steps": [Filter, Derive, Limit, Clean, Join, Statement],
    "checks": [RowCount, NullShare, Anomaly],
    "sinks": [FileSink, PostgresSink],
}


class OnlyThese(Catalog):
    """A catalog without what happens to be installed."""

    def __init__(self) -> None:
        super().__init__(PLUGINS)
        self.__dict__["_own"] = {group: {} for group in PLUGINS}
        self.__dict__["_all"] = {group: {} for group in PLUGINS}
