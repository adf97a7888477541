"""Stand-ins for tests of plugins: written rows as a source, a target in memory, staged rows, and a run of what is not installed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from headrace import bootstrap
from headrace.business.model.contract import TypeOption
from headrace.business.model.definition import (
    CheckDefinition,
    Definition,
    Loaded,
    SinkDefinition,
    SourceDefinition,
    StepDefinition,
)
from headrace.business.model.plugin import Plugin
from headrace.business.model.schema import Column, Schema
from headrace.business.ports import Batch, Checkpoint, Fence, Position, Publication, Staged
from headrace.errors import LeaseLost

if TYPE_CHECKING:
    from headrace.application.queries.runs import RunView

Row = Mapping[str, Any]


class RowsSource(Plugin):
    """Rows that stand in the test, in batches of a given size; each batch's position is the number of rows up to its end."""

    kind: ClassVar[str] = "rows"
    bounded: ClassVar[bool] = True

    columns: Mapping[str, TypeOption]
    rows: tuple[Mapping[str, Any], ...] = ()
    batch_rows: int = Field(2, ge=1)

    def partitions(self, project: Path) -> Sequence[str]:  # noqa: ARG002 - they are nowhere
        return ("all",)

    def read(self, project: Path, partition: str, after: Position | None) -> Iterator[Batch]:
        for start in range(int(after or 0), len(self.rows), self.batch_rows):
            some = self.rows[start : start + self.batch_rows]
            for batch in from_python(partial(list, some), self.columns).read(project, partition, None):
                yield Batch(batch.rows, Position(str(start + len(some))))

    def schema_of(self, project: Path) -> Schema:  # noqa: ARG002
        return Schema(tuple(Column(name, kind) for name, kind in self.columns.items()))


class MemoryPublisher(Plugin):
    """A target in memory, which lives as long as the process: one for each project folder and name. Rows take the place of earlier ones."""

    kind: ClassVar[str] = "memory"
    name: str = "memory"

    def target(self, project: Path) -> str:  # noqa: ARG002
        return f"memory ({self.name})"

    def problems(self, schema: Schema) -> Iterable[str]:  # noqa: ARG002 - it takes everything
        return ()

    def guarantee(self) -> str:
        return "exactly once within one process: rows and ledger change under one lock"

    def ledger(self, project: Path) -> Sequence[Checkpoint]:
        return _MEMORY.get(self._place(project), ((), ()))[1]

    def publish(self, project: Path, staged: Staged, checkpoint: Checkpoint) -> Publication:
        import pyarrow.parquet as pq

        rows = tuple(row for file in staged.files for row in pq.read_table(file).to_pylist())
        with _LOCK:
            self._admit(project, checkpoint.pipeline, checkpoint.fence)
            done = tuple(self.ledger(project))
            if any(c.name == checkpoint.name for c in done):
                return Publication(self.target(project), unchanged=staged.rows, already=True)
            _MEMORY[self._place(project)] = (rows, (*done, checkpoint))
        return Publication(self.target(project), inserted=len(rows))

    def fence(self, project: Path, pipeline: str, fence: Fence) -> None:
        with _LOCK:
            self._admit(project, pipeline, fence)

    def rows(self, project: Path) -> Sequence[Row]:
        """What was published last."""
        return _MEMORY.get(self._place(project), ((), ()))[0]

    def _admit(self, project: Path, pipeline: str, fence: Fence | None) -> None:
        if fence is None:
            return
        known = _FENCES.setdefault((self._place(project), pipeline, fence.issuer), fence.token)
        if fence.token < known:
            raise LeaseLost(f"{self.target(project)}: another worker took this run of `{pipeline}` over")
        _FENCES[self._place(project), pipeline, fence.issuer] = fence.token

    def _place(self, project: Path) -> tuple[str, str]:
        return str(project.resolve()), self.name


_LOCK = threading.Lock()
_FENCES: dict[tuple[tuple[str, str], str, str], int] = {}
_MEMORY: dict[tuple[str, str], tuple[tuple[Row, ...], tuple[Checkpoint, ...]]] = {}


def run_plugins(
    project: Path,
    sources: Mapping[str, Plugin],
    *,
    steps: Sequence[Plugin] = (),
    checks: Sequence[Plugin] = (),
    sinks: Sequence[Plugin] = (),
) -> RunView:
    """Run a pipeline of plugins that need not be installed, one step after the other. Raises what ended the run."""
    return bootstrap.run(loaded_of(project, sources, steps, checks, sinks))


def stage(folder: Path, columns: Mapping[str, str], rows: Iterable[Row]) -> Staged:
    """Rows at rest, as a run hands them to a sink: `stage(tmp_path, {"id": "int64"}, [{"id": 1}])`."""
    source = RowsSource.model_validate({"columns": columns, "rows": list(rows)})
    file = written(source, folder / "staged.parquet")
    return Staged((file,), source.schema_of(folder), len(source.rows), file.stat().st_size)


def written(source: RowsSource, file: Path) -> Path:
    """The rows as a Parquet file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    whole = source.model_copy(update={"batch_rows": max(1, len(source.rows))})
    # Without a row there is no batch that would know the types: one of nulls is made, and taken away again.
    data = whole if source.rows else source.model_copy(update={"rows": ({},)})
    table = pa.Table.from_batches([batch.rows for batch in data.read(file.parent, "all", None)]).slice(0, len(source.rows))
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, file)
    return file


def from_python(call: Callable[[], Any], columns: Mapping[str, Any] | None = None) -> Any:
    """What a function gives, as our own source of such things reads it."""
    return bootstrap.catalog().source("python").model_validate({"call": call, "schema": columns})


def loaded_of(
    project: Path, sources: Mapping[str, Plugin], steps: Sequence[Plugin], checks: Sequence[Plugin], sinks: Sequence[Plugin]
) -> Loaded:
    """A pipeline of these plugins, as if it had been loaded."""
    first = next(iter(sources))
    definition = Definition(
        pipeline="kit",
        sources={name: SourceDefinition(plugin=plugin) for name, plugin in sources.items()},
        steps=tuple(
            StepDefinition.model_validate({"name": f"step_{n}", "from": first if n == 1 else f"step_{n - 1}", "plugin": plugin})
            for n, plugin in enumerate(steps, 1)
        ),
        checks=tuple(CheckDefinition(name=f"check_{n}", plugin=plugin) for n, plugin in enumerate(checks, 1)),
        sinks=tuple(
            SinkDefinition.model_validate({"name": f"sink_{n}", "plugin": plugin}) for n, plugin in enumerate(sinks, 1)
        ),
    )
    return Loaded(definition=definition, project=project)
