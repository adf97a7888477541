"""The source `python`: rows that a function gives, as Arrow, as data frames, or as mappings of names to values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from headrace.business.model.contract import TypeOption
from headrace.business.model.plugin import Plugin
from headrace.business.model.schema import Schema
from headrace.business.ports import ArrowScan, Batch, Position
from headrace.business.processing.steps.python import Call
from headrace.business.processing.steps.user_function import UserFunction
from headrace.errors import HeadraceError, NonRetryableError
from headrace.infrastructure.connectors.row_batches import batches_of
from headrace.infrastructure.foreign_types import arrow_columns, arrow_type, notes_of, schema_of
from headrace.infrastructure.formats.arrow_union import needs_pyarrow

if TYPE_CHECKING:
    import pyarrow as pa


class PythonSource(Plugin):
    """What a Python function returns or yields: Arrow tables or batches, data frames of pandas or Polars, lists of mappings, or
    mappings, one for each row.

    ```yaml
    sources:
      orders: {python: {call: "sources/orders.py:fetch", arguments: {days: 7}}}
    ```
    """

    kind: ClassVar[str] = "python"
    shorthand: ClassVar[str | None] = "call"
    bounded: ClassVar[bool] = True

    call: Call = Field(description="`module:function`, or `path/to/file.py:function` from the project's folder")
    arguments: Mapping[str, Any] = Field(default_factory=dict, description="Arguments that are passed by name")
    schema_: Annotated[Mapping[str, TypeOption], Field(min_length=1)] | None = Field(
        None,
        alias="schema",
        description="The columns and their types; from the first rows, for which the function is called, when left out",
    )

    @property
    def origin(self) -> str:
        return self.call if isinstance(self.call, str) else getattr(self.call, "__qualname__", "a function")

    def scan(self, project: Path) -> ArrowScan:
        needs_pyarrow("rows from Python")
        target = self._arrow_schema(project)
        columns = arrow_columns(target, self.origin)

        def opened() -> Iterator[pa.RecordBatch]:
            return self._batches(project, target)

        return ArrowScan(schema_of(columns), open=opened, origin=self.origin, notes=notes_of(columns))

    def schema_of(self, project: Path) -> Schema:
        return self.scan(project).schema

    def partitions(self, project: Path) -> Sequence[str]:  # noqa: ARG002 - a function is one partition, wherever it is
        return ("all",)

    def read(self, project: Path, partition: str, after: Position | None) -> Iterator[Batch]:  # noqa: ARG002
        """The position is the number of rows read so far: a function that is called again has to give the same rows again."""
        needs_pyarrow("rows from Python")
        skip = done = int(after or 0)
        seen = 0
        for batch in self._batches(project, self._arrow_schema(project)):
            rest = batch.slice(max(0, min(batch.num_rows, skip - seen)))
            seen += batch.num_rows
            if rest.num_rows:
                done += rest.num_rows
                yield Batch(rest, Position(str(done)))

    # How ------------------------------------------------------------------------------------------------------------

    def _arrow_schema(self, project: Path) -> pa.Schema:
        import pyarrow as pa

        if self.schema_ is not None:
            return pa.schema([pa.field(name, arrow_type(kind)) for name, kind in self.schema_.items()])
        first = next(self._batches(project, None), None)
        if first is None:
            raise NonRetryableError(
                f"`{self.origin}` gave no rows, so its columns are unknown", hint="declare them with `schema`"
            )
        return first.schema

    def _batches(self, project: Path, schema: pa.Schema | None) -> Iterator[pa.RecordBatch]:
        given = self._run(UserFunction(self.call, tuple(self.arguments.items())).at(project))
        if given is None:
            raise NonRetryableError(f"`{self.origin}` returned nothing", hint="let it return or yield tables, batches or rows")
        return batches_of(self._guarded(given), schema, self.origin)

    def _guarded(self, given: Any) -> Iterator[Any]:
        """The things that the function gives, one by one."""
        if isinstance(given, Mapping) or hasattr(given, "__arrow_c_stream__") or hasattr(given, "__arrow_c_array__"):
            yield given
            return
        if not isinstance(given, Iterable) or isinstance(given, str | bytes):
            raise NonRetryableError(
                f"`{self.origin}` returned {type(given).__name__}",
                hint="let it return or yield tables, batches or rows (mappings of names to values)",
            )
        things = iter(given)
        while (thing := self._run(lambda: next(things, _END))) is not _END:
            yield thing

    def _run(self, operation: Callable[[], Any]) -> Any:
        """Run the user's code; what it raises is named as the user's, not ours."""
        try:
            return operation()
        except HeadraceError:
            raise
        except Exception as error:
            raise NonRetryableError(
                f"`{self.origin}` raised {type(error).__name__}: {error}",
                hint="the function is yours: mend it, or the arguments",
            ) from error


_END = object()
