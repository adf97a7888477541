"""The texts that runs go by, on the state database: each once, whatever number of runs and versions refer to it."""

from __future__ import annotations

from datetime import UTC, datetime

from headrace.application.orchestrator.queue import KeptDefinition
from headrace.infrastructure.storage.database import Transaction, parameters


def keep_definition(db: Transaction, kept: KeptDefinition) -> None:
    columns = ("fingerprint", "pipeline", "project", "file", "text")
    db.put(
        f"insert into definitions ({', '.join(columns)}, at) values ({parameters(columns)}, :at) on conflict (fingerprint) do nothing",
        {name: getattr(kept, name) for name in columns} | {"at": datetime.now(UTC).isoformat()},
    )


def kept_definition(db: Transaction, fingerprint: str | None) -> KeptDefinition | None:
    query = "select fingerprint, pipeline, project, file, text from definitions where fingerprint = :fingerprint"
    found = db.rows(query, {"fingerprint": fingerprint}) if fingerprint else []
    return KeptDefinition(*found[0]) if found else None
