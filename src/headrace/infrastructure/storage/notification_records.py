"""What is remembered of notifications in the state database: how far each pipeline was looked at, what is open, what is to be sent."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from headrace.application.orchestrator.message import Message
from headrace.application.orchestrator.notifying import Delivery
from headrace.application.orchestrator.watching import Decision, Opened, Told, Watch
from headrace.bus.lifecycle import NotificationSentEvent
from headrace.bus.store import Envelope
from headrace.business.scheduling.alerts import Alert, RunFacts
from headrace.infrastructure.storage.database import Database, Transaction
from headrace.infrastructure.storage.event_rows import append_in
from headrace.infrastructure.storage.processes import is_gone, this_process

#: Longer than any way of telling may take; after it another process sends the message.
_HOLD_SECONDS = 120.0
#: So many runs are remembered: more than anybody may want to see in a row, with those between that say nothing.
_HISTORY = 300
_ALERT = "pipeline = :pipeline and notification = :notification and kind = :kind and subject = :subject"
_HEADS = (
    "select d.number, d.worker, d.lease_clock, d.not_before from deliveries d where d.pipeline in ({pipelines}) and not exists "
    "(select 1 from deliveries e where e.pipeline = d.pipeline and e.alert = d.alert and e.number < d.number) order by d.number"
)
_TAKEN = "pipeline, notification, channel, alert, change, run_id, attempt, tried_at, facts"


class DatabaseNotificationRecords:
    """See the port. `told` hears of every event that was committed."""

    def __init__(self, database: Database, told: Callable[[Sequence[Envelope]], object] = lambda _events: None) -> None:
        self.database, self.told, self.worker = database, told, this_process()

    # What is watched -------------------------------------------------------------------------------------------------

    def watches(self) -> Mapping[str, Watch]:
        if not self.database.exists():
            return {}
        rows, alerts, breaks = self.database.read(
            lambda db: (
                db.rows("select pipeline, position, schedule, covered from watches"),
                db.rows("select pipeline, notification, kind, subject, opened_at, run_id from alerts"),
                db.rows("select pipeline from paused"),
            )
        )
        paused = {row[0] for row in breaks}
        found: dict[str, dict[Alert, Opened]] = {}
        for pipeline, *alert in alerts:
            found.setdefault(pipeline, {}).update([_alert(alert)])
        return {
            name: Watch(position, _moment(covered), schedule, found.get(name, {}), (), name in paused)
            for name, position, schedule, covered in rows
        }

    def begin(self, pipeline: str) -> None:
        self.database.write(
            lambda db: db.run(
                "insert into watches (pipeline, position) select :pipeline, number from marks where name = 'head' "
                "on conflict (pipeline) do nothing",
                {"pipeline": pipeline},
            )
        )

    def forget(self, pipeline: str) -> None:
        def act(db: Transaction) -> None:
            for table in ("watches", "outcomes", "alerts"):
                db.run(f"delete from {table} where pipeline = :pipeline", {"pipeline": pipeline})

        self.database.write(act)

    def change(self, pipeline: str, decide: Callable[[Watch], Decision | None]) -> None:
        def act(db: Transaction) -> None:
            watch = _watch(db, pipeline)
            decision = decide(watch) if watch is not None else None
            if watch is not None and decision is not None:
                _put_into_effect(db, pipeline, watch, decision)

        # Carried out again after a connection broke at the commit, it finds its own position and decides nothing.
        self.database.write(act)

    # What is to be sent ----------------------------------------------------------------------------------------------

    def take(self, pipelines: Collection[str], now: datetime, most: int) -> Sequence[Delivery]:
        if not self.database.exists() or not pipelines:
            return []
        with self.database.reading() as db:
            if not _due(db, pipelines):
                return []

        def act(db: Transaction) -> list[Delivery]:
            clock, at = db.lease_clock()
            taken = []
            for number in _due(db, pipelines)[:most]:
                db.run(
                    "update deliveries set worker = :worker, lease_clock = :clock, not_before = :until, attempt = attempt + 1, "
                    "tried_at = coalesce(tried_at, :now) where number = :number",
                    {
                        "number": number, "worker": self.worker, "clock": clock, "until": at + _HOLD_SECONDS,
                        "now": now.astimezone(UTC).isoformat(),
                    },
                )  # fmt: skip
                taken.append(_delivery(db, number, now))
            return taken

        return self.database.write(act)

    def postpone(self, delivery: Delivery, seconds: float) -> None:
        def act(db: Transaction) -> None:
            clock, now = db.lease_clock()
            db.run(
                "update deliveries set worker = '', lease_clock = :clock, not_before = :at where number = :number and worker = :worker",
                {"number": delivery.number, "worker": self.worker, "clock": clock, "at": now + seconds},
            )

        self.database.write(act)

    def done(self, delivery: Delivery, event: NotificationSentEvent) -> None:
        def act(db: Transaction) -> Sequence[Envelope]:
            mine = db.run(
                "delete from deliveries where number = :number and worker = :worker",
                {"number": delivery.number, "worker": self.worker},
            )
            return append_in(db, event.pipeline_id, [event]) if mine else ()

        self.told(self.database.write(act))


def _watch(db: Transaction, pipeline: str) -> Watch | None:
    values = {"pipeline": pipeline}
    rows = db.rows("select position, schedule, covered from watches where pipeline = :pipeline", values)
    if not rows:
        return None
    position, schedule, covered = rows[0]
    alerts = db.rows("select notification, kind, subject, opened_at, run_id from alerts where pipeline = :pipeline", values)
    runs = db.rows(
        "select run_id, ended_at, state, quarantined, checks from outcomes where pipeline = :pipeline order by position", values
    )
    history = [
        RunFacts(run, datetime.fromisoformat(at), state, held, json.loads(checks)) for run, at, state, held, checks in runs
    ]
    paused = bool(db.rows("select 1 from paused where pipeline = :pipeline", values))
    return Watch(position, _moment(covered), schedule, dict(map(_alert, alerts)), history, paused)


def _put_into_effect(db: Transaction, pipeline: str, watch: Watch, decision: Decision) -> None:
    covered = decision.covered.isoformat() if decision.covered is not None else None
    db.run(
        "update watches set position = :position, schedule = :schedule, covered = :covered where pipeline = :pipeline",
        {"pipeline": pipeline, "position": decision.position, "schedule": decision.schedule, "covered": covered},
    )
    if decision.outcome is not None:
        _remember(db, pipeline, decision.position, decision.outcome)
    stream = _stream(db, decision.stream)
    for change in decision.changed:
        alert = change.alert
        values = {"pipeline": pipeline, "notification": alert.notification, "kind": alert.kind, "subject": alert.subject}
        if change.opened:
            db.run(
                "insert into alerts (pipeline, notification, kind, subject, opened_at, run_id) "
                "values (:pipeline, :notification, :kind, :subject, :at, :run_id)",
                values | {"at": decision.at.isoformat(), "run_id": stream},
            )
        else:
            db.run(f"delete from alerts where {_ALERT}", values)
    streams = {alert.key(pipeline): opened.stream for alert, opened in watch.alerts.items()}
    for told in decision.told:
        _queue(db, pipeline, told, stream or streams.get(told.alert, ""))


def _remember(db: Transaction, pipeline: str, position: int, outcome: RunFacts) -> None:
    db.run(
        "insert into outcomes (pipeline, position, run_id, ended_at, state, quarantined, checks) "
        "values (:pipeline, :position, :run_id, :at, :state, :quarantined, :checks)",
        {
            "pipeline": pipeline, "position": position, "run_id": outcome.run_id, "at": outcome.ended_at.isoformat(),
            "state": outcome.state, "quarantined": outcome.quarantined, "checks": json.dumps(dict(outcome.checks)),
        },
    )  # fmt: skip
    db.run(
        "delete from outcomes where pipeline = :pipeline and position <= "
        f"(select position from outcomes where pipeline = :pipeline order by position desc limit 1 offset {_HISTORY})",
        {"pipeline": pipeline},
    )


def _stream(db: Transaction, named: str) -> str:
    """The run, where one was asked for by that key."""
    found = db.rows("select run_id from run_keys where key = :key", {"key": named})
    return str(found[0][0]) if found else named


def _queue(db: Transaction, pipeline: str, told: Told, stream: str) -> None:
    number = int(db.rows("update marks set number = number + 1 where name = 'delivery' returning number")[0][0])
    values: dict[str, Any] = {
        "number": number, "pipeline": pipeline, "notification": told.notification, "channel": told.channel, "alert": told.alert,
        "change": told.change, "run_id": stream, "facts": json.dumps(told.facts),
    }  # fmt: skip
    db.run(
        "insert into deliveries (number, pipeline, notification, channel, alert, change, run_id, facts) "
        "values (:number, :pipeline, :notification, :channel, :alert, :change, :run_id, :facts)",
        values,
    )


def _due(db: Transaction, pipelines: Collection[str]) -> list[int]:
    """The messages that may be sent now: of each trouble the oldest, unless it waits or somebody who lives is about to send it."""
    clock, now = db.lease_clock()
    names = {f"p{i}": name for i, name in enumerate(sorted(pipelines))}
    query = _HEADS.format(pipelines=", ".join(f":{key}" for key in names))
    return [
        number
        for number, worker, named, until in db.rows(query, names)
        if named != clock or until <= now or (worker and is_gone(worker))
    ]


def _delivery(db: Transaction, number: int, now: datetime) -> Delivery:
    (row,) = db.rows(f"select {_TAKEN} from deliveries where number = :number", {"number": number})
    issuer = str(db.rows("select text from marks where name = 'issuer'")[0][0])
    pipeline, notification, channel, alert, change, stream, attempt, tried_at, facts = row
    elapsed = max(0.0, (now - datetime.fromisoformat(tried_at)).total_seconds())
    message = Message(f"{issuer}-{number}", json.loads(facts))
    return Delivery(number, pipeline, notification, channel, alert, change, stream, attempt, elapsed, message)


def _alert(row: Sequence[Any]) -> tuple[Alert, Opened]:
    notification, kind, subject, opened_at, stream = row
    return Alert(notification, kind, subject), Opened(datetime.fromisoformat(opened_at), stream)


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
