"""Publishes staged rows to a lake table, the same way for Delta and Iceberg: one commit holds the rows, the ledger and the tokens.

Nothing is locked. Who publishes looks at a version of the table and commits on the condition that it is still the last one of ours; if
not, it looks anew, a few times with growing waits. A first publication makes the table without rows and then commits them as
another version, because a fence has to have something to stand on: who fences notes its token beside the table, then in the table, if
there is one; who publishes reads the tokens beside it after it has found or made the table. So one of the two sees the other.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from headrace.business.model.schema import Column, Schema
from headrace.business.model.types import DataType
from headrace.business.ports import Checkpoint, Fence, Publication, Staged
from headrace.errors import RetryableError
from headrace.infrastructure.connectors import milestones
from headrace.infrastructure.connectors.evolution import added_columns, fits
from headrace.infrastructure.connectors.fences import is_news
from headrace.infrastructure.connectors.history import history_columns, missing_history
from headrace.infrastructure.connectors.lakes.incoming import Incoming
from headrace.infrastructure.connectors.lakes.lake import Commit, Conflict, Lake, LakeTable
from headrace.infrastructure.connectors.lakes.remembered import Remembered
from headrace.infrastructure.connectors.ledger import holds
from headrace.infrastructure.connectors.publishing import PublishingOptions
from headrace.infrastructure.connectors.staged_rows import incoming_rows
from headrace.infrastructure.duckdb_connection import Connection
from headrace.resilience.backoff import RetryPolicy
from headrace.resilience.retry import retrying

T = TypeVar("T")

#: How often and how patiently a commit that came too late is made anew, before the run's own retries begin.
PERSISTENCE = RetryPolicy(attempts=8, base_delay=0.1, max_delay=5.0, budget_seconds=120.0)


def problems(stored: Callable[[DataType], DataType], schema: Schema) -> Iterator[str]:
    """Which columns have types that the table has none for."""
    if not len(schema):
        yield "a table needs at least one column"
    for column in schema:
        try:
            stored(column.type)
        except ValueError as error:
            yield f"`{column.name}` is {column.type}, {error}"


def publish(lake: Lake, options: PublishingOptions, staged: Staged, checkpoint: Checkpoint, target: str) -> Publication:
    """See `Publisher.publish`."""
    if _needless(lake, checkpoint, target):
        return Publication(target, already=True)
    # Joins as they are written, what stands behind them in memory: of a stream nobody knows how long it is, and DuckDB would take a whole
    # table for the shorter side.
    with incoming_rows(staged, options.key, disabled_optimizers="join_order,build_side_probe_side") as con:
        milestones.reached("about to publish")
        attempts = _Attempts(lake, options, staged, checkpoint, target, con)
        done = _persistently(attempts.publish)
        milestones.reached("committed")
        return done


def fence(lake: Lake, pipeline: str, token: Fence, target: str) -> None:
    """See `Fenced.fence`."""

    def attempt() -> None:
        _admit_beside(lake, pipeline, token, target)
        table = lake.open()
        if table is not None and is_news(table.remembered, pipeline, token, target):
            table.note(Commit(table.schema, table.remembered.admitting(pipeline, token), {"headrace.fence": str(token.token)}))

    _persistently(attempt)
    milestones.reached("committed")


def _persistently(attempt: Callable[[], T]) -> T:
    """What an attempt gives that comes in time. Other faults than a conflict end it: their kind decides what the run does."""

    def outcome() -> T | RetryableError:
        try:
            return attempt()
        except Conflict:
            raise
        except RetryableError as error:
            return error

    done = retrying(PERSISTENCE, outcome, wait=time.sleep, told=lambda *_: None)
    if isinstance(done, RetryableError):
        raise done
    return done


def _needless(lake: Lake, checkpoint: Checkpoint, target: str) -> bool:
    """Whether there is nothing to publish and no token to remember: found out by reading alone."""
    table = lake.open()
    if table is None:
        return False
    known = table.remembered.with_tokens(lake.tokens_beside())
    return not is_news(known, checkpoint.pipeline, checkpoint.fence, target) and holds(known.ledger, checkpoint)


def _admit_beside(lake: Lake, pipeline: str, token: Fence | None, target: str) -> None:
    if token is not None and is_news(Remembered(tokens=lake.tokens_beside()), pipeline, token, target):
        lake.remember_beside(pipeline, token)
        milestones.reached("fence written")


class _Attempts:
    """One publication, until it comes in time."""

    def __init__(
        self,
        lake: Lake,
        options: PublishingOptions,
        staged: Staged,
        checkpoint: Checkpoint,
        target: str,
        con: Connection,
    ) -> None:
        self.lake, self.options, self.staged, self.checkpoint = lake, options, staged, checkpoint
        self.target, self.con = target, con
        self.tried: Publication | None = None
        """What an attempt would have done that was refused, or of which it is not known."""

    def publish(self) -> Publication:
        table = self.lake.open()
        if table is None:
            table = self._made()
        pipeline, token = self.checkpoint.pipeline, self.checkpoint.fence
        known = table.remembered.with_tokens(self.lake.tokens_beside())  # read when there is a table, see above
        is_news(known, pipeline, token, self.target)
        _admit_beside(self.lake, pipeline, token, self.target)
        remembered = known.admitting(pipeline, token)
        if holds(remembered.ledger, self.checkpoint):
            return self._already(table, remembered)
        grown = self._grown(table)
        milestones.reached("table ready")
        commit = Commit(grown, remembered.extended(self.checkpoint, self.options.mode), self._notes())
        change = Incoming(self.con, self.options, self.staged, self.checkpoint, grown, self.target).change(table)
        self.tried = change.done
        change.make(commit)
        return change.done

    def _already(self, table: LakeTable, remembered: Remembered) -> Publication:
        """It is there: since long, or by an attempt of ours whose answer was lost."""
        ours = self.tried is not None and any(
            e.checkpoint.name == self.checkpoint.name and e.checkpoint.run_id == self.checkpoint.run_id
            for e in remembered.ledger
        )
        if self.tried is not None and ours:
            return self.tried
        if remembered.tokens != table.remembered.tokens:
            table.note(Commit(table.schema, remembered, self._notes()))
        return Publication(self.target, already=True)

    def _made(self) -> LakeTable:
        _admit_beside(self.lake, self.checkpoint.pipeline, self.checkpoint.fence, self.target)
        wanted = (*self.staged.schema, *history_columns(self.options, ()))
        schema = Schema(tuple(Column(c.name, self.lake.stored(c.type)) for c in wanted))
        self.lake.create(Commit(schema, Remembered(tokens=self.lake.tokens_beside()), self._notes()))
        milestones.reached("table made")
        table = self.lake.open()
        if table is None:
            raise RetryableError(
                f"{self.target}: it is gone right after it was made", hint="see whether somebody else drops it, and try again"
            )
        return table

    def _grown(self, table: LakeTable) -> Schema:
        """The schema that the table will have: what is there, and new columns behind it. What does not fit is refused."""
        there = {c.name: c.type for c in table.schema}

        def accepts(into: DataType, kind: DataType) -> bool:
            return fits(self.lake.stored(kind), into)

        added = added_columns(self.target, there, self.staged.schema, accepts)
        history = history_columns(self.options, there)
        if history and table.count():
            raise missing_history(self.target, history)
        return Schema((*table.schema, *(Column(c.name, self.lake.stored(c.type)) for c in (*added, *history))))

    def _notes(self) -> dict[str, str]:
        return {
            "headrace.pipeline": self.checkpoint.pipeline,
            "headrace.run": self.checkpoint.run_id,
            "headrace.checkpoint": self.checkpoint.name,
        }
