"""The backfills that were asked for, on the state database. What became of their runs stands in the runs' streams."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime

from headrace.application.orchestrator.backfills import KnownBackfill
from headrace.infrastructure.storage.database import Database


class DatabaseBackfills:
    """See the port."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def keep(self, backfill: KnownBackfill) -> None:
        values = {
            "backfill": backfill.id, "pipeline": backfill.pipeline, "spec": json.dumps(asdict(backfill), default=str),
            "at": datetime.now(UTC).isoformat(),
        }  # fmt: skip
        insert = (
            "insert into backfills (backfill, pipeline, spec, state, at) values (:backfill, :pipeline, :spec, '', :at) "
            "on conflict (backfill) do nothing"
        )
        self.database.write(lambda db: db.run(insert, values))

    def all(self) -> Sequence[KnownBackfill]:
        if not self.database.exists():
            return []
        with self.database.reading() as db:
            rows = db.rows("select spec, at from backfills order by at desc, backfill")
        return [KnownBackfill(**(json.loads(spec) | {"at": at})) for spec, at in rows]

    def runs(self, backfill: KnownBackfill) -> Mapping[str, str]:
        with self.database.reading() as db:
            prefix = f"backfill:{backfill.pipeline}:{backfill.id}:"
            query = "select key, run_id from run_keys where substr(key, 1, length(:prefix)) = :prefix"
            of_key = {key: run_id for key, run_id in db.rows(query, {"prefix": prefix})}  # noqa: C416 - rows are no pairs
        return {value: of_key[key] for value, key in backfill.keys.items() if key in of_key}
