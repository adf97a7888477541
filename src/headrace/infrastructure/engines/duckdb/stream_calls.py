"""Calls the function of a Python step with the rows of one micro-batch after the other. What it gives is cast as in a batch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from headrace.business.streams.flow import Called
from headrace.errors import NonRetryableError
from headrace.infrastructure.engines.duckdb.functions import called, declared, undeclared
from headrace.infrastructure.engines.duckdb.stream_statements import Inlet, Prepared, Statements
from headrace.records import record

if TYPE_CHECKING:
    import pyarrow as pa


@record
class _Ready:
    """What is prepared for what a function gives, of one Arrow schema."""

    made: Inlet
    cast: Prepared


class Caller:
    """The function of one step. It keeps nothing from one call to the next."""

    def __init__(self, statements: Statements, step: Called, rows: Prepared, project: Path) -> None:
        self.statements, self.step, self.rows, self.project = statements, step, rows, project
        self._ready: dict[Any, _Ready] = {}

    def call(self) -> pa.Table | None:
        """What the function makes of the rows that are there; None of none."""
        rows = self.statements.rows(self.rows)
        if not len(rows):
            return None
        made = _table(called(self.step.function, self.project, [rows], self.step.step))
        try:
            ready = self._for(made)
            ready.made.hold(made)
            found = self.statements.rows(ready.cast)
            ready.made.hold(None)
        except duckdb.Error as error:
            raise undeclared(self.step.function, self.step.step, error) from error
        except NonRetryableError as error:
            if isinstance(error.__cause__, duckdb.ConversionException):
                raise undeclared(self.step.function, self.step.step, error.__cause__) from error
            raise
        return found

    def _for(self, made: pa.Table) -> _Ready:
        if made.schema not in self._ready:
            inlet = self.statements.inlet_like(f"made {len(self._ready)} {self.step.step}", made.schema.empty_table())
            cast = self.statements.prepare(f"SELECT {declared(self.step.function.schema)} FROM {inlet.sql}")
            self._ready[made.schema] = _Ready(inlet, cast)
        return self._ready[made.schema]


def _table(made: Any) -> Any:
    import pyarrow as pa

    if isinstance(made, pa.Table):
        return made
    return pa.table(made) if hasattr(made, "__arrow_c_stream__") else pa.Table.from_pandas(made, preserve_index=False)
