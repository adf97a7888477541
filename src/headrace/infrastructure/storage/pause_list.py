"""Which pipelines are paused, on the state database. The queue looks at it before each claim."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from headrace.application.orchestrator.pauses import Paused
from headrace.infrastructure.storage.database import Database


class DatabasePauses:
    """See the port."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def pause(self, pipeline: str, by: str) -> bool:
        values = {"pipeline": pipeline, "by": by, "at": datetime.now(UTC).isoformat()}
        insert = "insert into paused (pipeline, by_, at) values (:pipeline, :by, :at) on conflict (pipeline) do nothing"
        return self.database.write(lambda db: db.run(insert, values) > 0)

    def resume(self, pipeline: str) -> bool:
        delete = "delete from paused where pipeline = :pipeline"
        return self.database.write(lambda db: db.run(delete, {"pipeline": pipeline}) > 0)

    def paused(self) -> Mapping[str, Paused]:
        if not self.database.exists():
            return {}
        with self.database.reading() as db:
            return {pipeline: Paused(by, at) for pipeline, by, at in db.rows("select pipeline, by_, at from paused")}

    def last_ticks(self) -> Mapping[str, str]:
        if not self.database.exists():
            return {}
        with self.database.reading() as db:
            return {pipeline: last for pipeline, last in db.rows("select pipeline, last_tick from schedules") if last}
