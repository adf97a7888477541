"""What sinks into tables of database servers have in common: rows and ledger change in one transaction. Not how a server is spoken to."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from headrace.business.ports import Checkpoint, Fence, Publication
from headrace.infrastructure.connectors import fences, milestones, table_publication
from headrace.infrastructure.connectors.ledger import checkpoints
from headrace.infrastructure.connectors.publishing import TableOptions
from headrace.infrastructure.connectors.table_publication import PublishedTable, Result, TableDatabase


class Connection(Protocol):
    """An open connection, by whichever driver."""

    def commit(self) -> None: ...


class ServerTable(PublishedTable, Protocol):
    """A table on a connection."""

    def alone(self) -> None:
        """Be the only one who publishes there until the transaction or the connection ends."""
        ...


class ServerSink(TableOptions):
    """A table of a database of a server."""

    def target(self, project: Path) -> str:  # noqa: ARG002  a server is where it is
        return f"{self.kind} ({self.table})"

    def guarantee(self) -> str:
        return "exactly once: rows and ledger change in one transaction, and readers see the state before it until it commits"

    def stream_guarantee(self) -> str:
        return "exactly once: the rows of a checkpoint and its number change in one transaction, by which one that comes again is known"

    def ledger(self, project: Path) -> Sequence[Checkpoint]:
        with self._faults(self.target(project)), self._connect() as connection:
            db = self._there(connection)
            return checkpoints(db.ledger.read()) if db.columns() is not None else ()

    def fence(self, project: Path, pipeline: str, fence: Fence) -> None:
        shown = self.target(project)
        with self._faults(shown), self._connect() as connection:
            db = self._there(connection)
            db.alone()
            fences.admit(db.fences, pipeline, fence, shown)
            self._commit(connection)

    def _publish_on(
        self, connection: Connection, db: TableDatabase, staged: Result, checkpoint: Checkpoint, shown: str
    ) -> Publication:
        done = table_publication.publish(db, self, staged, checkpoint, shown)
        self._commit(connection)
        return done

    def _commit(self, connection: Connection) -> None:
        connection.commit()
        milestones.reached("committed")

    @abstractmethod
    def _faults(self, shown: str) -> AbstractContextManager[None]:
        """Within this, what the driver raises becomes our errors."""

    @abstractmethod
    def _connect(self) -> AbstractContextManager[Any]:
        """A connection whose transaction is rolled back unless it is committed."""

    @abstractmethod
    def _there(self, connection: Any) -> ServerTable:
        """The table with its ledger and fences."""
