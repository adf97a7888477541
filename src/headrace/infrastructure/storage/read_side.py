"""The read side in the state database: tables of runs, their parts, quality and replays, made of the events. Not the folding."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from headrace.application.queries.projecting import (
    Changes,
    QualityRow,
    RunRow,
    changes,
    from_plain,
    replay_note,
    steps_of,
    to_plain,
)
from headrace.application.queries.records import Measurement, ReplayNote
from headrace.application.queries.runs import RunView
from headrace.bus.store import Envelope
from headrace.bus.subscriptions import Rows, Subscription
from headrace.infrastructure.storage.database import Database, parameters
from headrace.infrastructure.storage.delivering import Delivery

_RUN = (
    "run_id", "began", "pipeline", "state", "reason", "trigger_", "priority", "queued_at", "started_at", "ended_at", "seconds",
    "attempt", "worker", "rows_read", "rows_written", "rows_quarantined", "error", "number", "view",
)  # fmt: skip
_STEP = (
    "run_id", "part", "name", "kind", "rows_in", "rows_out", "filtered", "quarantined", "dropped", "added", "seconds",
)  # fmt: skip
_QUALITY = ("position", "run_id", "pipeline", "check_", "version", "outcome", "observed", "at", "data")
_REPLAY = ("position", "run_id", "kind", "from_run", "dataset", "data")


def _replacing(table: str, columns: Sequence[str], key: Sequence[str]) -> str:
    new = ", ".join(f"{c} = excluded.{c}" for c in columns if c not in key)
    return f"insert into {table} ({', '.join(columns)}) values ({parameters(columns)}) on conflict ({', '.join(key)}) do update set {new}"


_PUT_RUN = _replacing("view_runs", _RUN, ("run_id",))
_PUT_STEP = _replacing("view_steps", _STEP, ("run_id", "part", "name"))
_PUT_QUALITY = _replacing("view_quality", _QUALITY, ("position",))
_PUT_REPLAY = _replacing("view_replays", _REPLAY, ("position",))


class ReadSideProjection:
    """Writes what events change. Rows of runs that began at or before a position survive a rebuild from there: they are the snapshot."""

    def apply(self, tx: Rows, events: Sequence[Envelope]) -> None:
        streams = {event.stream for event in events}
        write(tx, changes({name: row for name in streams if (row := _known(tx, name)) is not None}, events))

    def drop(self, tx: Rows, after: int) -> None:
        values = {"after": after}
        tx.run("delete from view_steps where run_id in (select run_id from view_runs where began > :after)", values)
        tx.run("delete from view_quality where run_id in (select run_id from view_runs where began > :after)", values)
        tx.run("delete from view_replays where run_id in (select run_id from view_runs where began > :after)", values)
        tx.run("delete from view_runs where began > :after", values)


#: What is made of an event follows from the event alone, so trying again would not help.
READ_SIDE = Subscription("read side", (), ReadSideProjection(), attempts=1, batch=1_000)


class DatabaseReadSide:
    """See the port. What others have appended since is folded in before each answer."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.delivery = Delivery(database, READ_SIDE)

    def runs(self, pipeline: str | None = None, begins: str = "", limit: int | None = None) -> Sequence[RunView]:
        only = "and substr(run_id, 1, length(:begins)) = :begins" if begins else ""
        return [from_plain(json.loads(row[0])) for row in self._latest("view", pipeline, only, {"begins": begins}, limit)]

    def ids(self, pipeline: str | None = None) -> Sequence[str]:
        return [row[0] for row in self._latest("run_id", pipeline, "", {}, None)]

    def measured(self, pipeline: str) -> Sequence[Measurement]:
        query = (
            "select q.check_, q.version, q.outcome, q.at, q.data, r.state from view_quality q join view_runs r on r.run_id = q.run_id "
            "where q.pipeline = :pipeline order by q.position"
        )
        return [
            Measurement(check, version, outcome, datetime.fromisoformat(at), json.loads(data)["values"], state == "succeeded")
            for check, version, outcome, at, data, state in self._rows(query, {"pipeline": pipeline})
        ]

    def replays(self) -> Sequence[ReplayNote]:
        query = "select run_id, kind, data from view_replays order by position"
        return [replay_note(run_id, kind, json.loads(data)) for run_id, kind, data in self._rows(query, {})]

    def _latest(self, what: str, pipeline: str | None, only: str, values: dict[str, Any], limit: int | None) -> Sequence[Any]:
        of_one = "and pipeline = :pipeline" if pipeline is not None else ""
        most = "limit :limit" if limit is not None else ""
        query = f"select {what} from view_runs where pipeline <> '' {of_one} {only} order by began desc {most}"
        used = {"pipeline": (pipeline, of_one), "limit": (limit, most)}
        given = {name: value for name, (value, used_here) in used.items() if used_here}
        return self._rows(query, given | (values if only else {}))

    def _rows(self, query: str, values: dict[str, Any]) -> Sequence[Any]:
        if not self.database.exists():
            return []
        self.delivery.catch_up()
        with self.database.reading() as db:
            return db.rows(query, values)


def write(tx: Rows, found: Changes) -> None:
    """Write changes down."""
    for row in found.runs.values():
        tx.put(_PUT_RUN, _run_values(row))
    steps = [
        {"run_id": r.view.id} | {c: getattr(s, c) for c in _STEP[1:]} for r in found.runs.values() for s in steps_of(r.view)
    ]
    for statement, rows in (
        (_PUT_STEP, steps),
        (_PUT_QUALITY, [_quality_values(q) for q in found.quality]),
        (_PUT_REPLAY, [_replay_values(position, note) for position, note in found.replays]),
    ):
        for values in rows:
            tx.put(statement, values)


def _known(tx: Rows, run_id: str) -> RunRow | None:
    found = tx.rows("select view, began from view_runs where run_id = :run_id", {"run_id": run_id})
    return RunRow(from_plain(json.loads(found[0][0])), found[0][1]) if found else None


def _run_values(row: RunRow) -> dict[str, Any]:
    run, plain = row.view, to_plain(row.view)
    values = {name: plain[name] for name in _RUN if name in plain}
    return values | {
        "run_id": run.id, "began": row.began, "trigger_": run.trigger, "rows_read": run.read, "rows_written": run.written,
        "rows_quarantined": run.quarantined, "error": run.error["error"] if run.error else None, "number": run.events,
        "view": json.dumps(plain),
    }  # fmt: skip


def _quality_values(row: QualityRow) -> dict[str, Any]:
    data = row.data
    return {
        "position": row.position, "run_id": row.run_id, "pipeline": row.pipeline, "check_": data["check"], "version": data["version"],
        "outcome": data["outcome"], "observed": data["observed"], "at": row.at.isoformat(), "data": json.dumps(data),
    }  # fmt: skip


def _replay_values(position: int, note: ReplayNote) -> dict[str, Any]:
    data = {"from_run": note.from_run, "dataset": note.dataset, "rows": note.rows, "checkpoints": note.checkpoints}
    return {
        "position": position, "run_id": note.run_id, "kind": note.kind, "from_run": note.from_run, "dataset": note.dataset,
        "data": json.dumps(data),
    }  # fmt: skip
