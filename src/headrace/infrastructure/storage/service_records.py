"""What a serving process remembers: the definitions in service, how far schedules have come, which files triggers have seen."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from headrace.application.orchestrator.in_service import InService
from headrace.application.orchestrator.queue import KeptDefinition
from headrace.infrastructure.storage.database import Database, Transaction
from headrace.infrastructure.storage.kept_definitions import keep_definition, kept_definition


class DatabaseServiceRecords:
    """See `in_service.ServiceRecords` and `scheduler.ScheduleRecords`."""

    def __init__(self, database: Database) -> None:
        self.database = database

    # Definitions in service ------------------------------------------------------------------------------------------

    def all(self) -> Sequence[InService]:
        if not self.database.exists():
            return []
        with self.database.reading() as db:
            rows = db.rows("select file, pipeline, definition, digest, problem from in_service order by file")
        return [InService(*row) for row in rows]

    def put(self, file: str, digest: str, kept: KeptDefinition) -> None:
        """From now on this version is in service."""

        def act(db: Transaction) -> None:
            keep_definition(db, kept)
            db.run(
                "insert into in_service (file, pipeline, definition, digest, problem, at) values (:file, :pipeline, :definition, "
                ":digest, '', :at) on conflict (file) do update set pipeline = excluded.pipeline, definition = excluded.definition, "
                "digest = excluded.digest, problem = '', at = excluded.at",
                {"file": file, "pipeline": kept.pipeline, "definition": kept.fingerprint, "digest": digest, "at": _utc()},
            )

        self.database.write(act)

    def refuse(self, file: str, digest: str, problem: str) -> None:
        """A version is not fit for service; the one before it stays."""
        self.database.write(
            lambda db: db.run(
                "insert into in_service (file, pipeline, definition, digest, problem, at) values (:file, '', '', :digest, :problem, :at) "
                "on conflict (file) do update set digest = excluded.digest, problem = excluded.problem, at = excluded.at",
                {"file": file, "digest": digest, "problem": problem, "at": _utc()},
            )
        )

    def remove(self, file: str) -> None:
        self.database.write(lambda db: db.run("delete from in_service where file = :file", {"file": file}))

    def kept(self, fingerprint: str) -> KeptDefinition | None:
        with self.database.reading() as db:
            return kept_definition(db, fingerprint)

    # Schedules and triggers ------------------------------------------------------------------------------------------

    def last_tick(self, pipeline: str) -> datetime | None:
        """How far the schedule has come."""
        with self.database.reading() as db:
            found = db.rows("select last_tick from schedules where pipeline = :pipeline", {"pipeline": pipeline})
        return datetime.fromisoformat(found[0][0]) if found and found[0][0] else None

    def seen(self, pipeline: str) -> Mapping[str, str] | None:
        """The files that a trigger has seen, with what they were like; None when it has not looked yet."""
        with self.database.reading() as db:
            found = db.rows("select seen from schedules where pipeline = :pipeline", {"pipeline": pipeline})
        seen: Mapping[str, str] | None = json.loads(found[0][0]).get("files") if found else None
        return seen

    def come_to(self, pipeline: str, tick: datetime) -> None:
        """Remember how far a schedule has come; it never goes back."""
        self._remember(
            "last_tick", pipeline, tick.astimezone(UTC).isoformat(timespec="microseconds"), "and (schedules.last_tick is null or "
            "schedules.last_tick < excluded.last_tick)",
        )  # fmt: skip

    def have_seen(self, pipeline: str, files: Mapping[str, str]) -> None:
        self._remember("seen", pipeline, json.dumps({"files": dict(files)}), "")

    def position(self, name: str) -> int | None:
        """How far in the log something has come."""
        with self.database.reading() as db:
            found = db.rows("select number from marks where name = :name", {"name": name})
        return int(found[0][0]) if found else None

    def move_to(self, name: str, position: int) -> None:
        self.database.write(
            lambda db: db.run(
                "insert into marks (name, number) values (:name, :number) on conflict (name) do update set number = excluded.number",
                {"name": name, "number": position},
            )
        )

    def _remember(self, column: str, pipeline: str, value: str, only: str) -> None:
        self.database.write(
            lambda db: db.run(
                f"insert into schedules (pipeline, {column}) values (:pipeline, :value) "
                f"on conflict (pipeline) do update set {column} = excluded.{column} where true {only}",
                {"pipeline": pipeline, "value": value},
            )
        )


def _utc() -> str:
    return datetime.now(UTC).isoformat()
