"""What people are told: one message for each trouble that begins or is over. Names, counts and reasons, never rows and never secrets.

The document is version 1. Within a version members are only added, so whoever reads it should not mind unknown ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from headrace.application.queries.outcomes import Ended
from headrace.application.queries.runs import PROCESS_DIED, RunView
from headrace.business.scheduling.alerts import Change
from headrace.business.scheduling.schedule import Tick

VERSION = 1

#: Errors whose texts are made of names and counts. Others may quote what a foreign system or a user's function said, rows included.
_SPEAKING = {"ContractBroken", "TimedOut", "Unbalanced", "LeaseLost", "CircuitBreakerOpenError", PROCESS_DIED}
_LONGEST = 500


@dataclass(frozen=True, slots=True)
class Message:
    """A message as it is sent. `id` is the same however often it is sent, so that whoever gets it twice can tell."""

    id: str
    facts: Mapping[str, Any]

    @property
    def summary(self) -> str:
        return str(self.facts["summary"])

    def document(self) -> dict[str, Any]:
        return {"version": VERSION, "id": self.id, **self.facts}


def facts_of(
    pipeline: str,
    change: Change,
    opened_at: datetime,
    now: datetime,
    ended: Ended | None,
    overdue: tuple[Tick, datetime] | None,
) -> dict[str, Any]:
    """What is told of a change: by the run that ended, or by the tick (with its deadline) that has no results."""
    alert = change.alert
    tick = overdue if alert.kind == "late" and change.opened else None
    run = ended.run if ended is not None and tick is None else None
    return {
        "occasion": change.occasion,
        "change": "opened" if change.opened else "closed",
        "trouble": alert.kind,
        "pipeline": pipeline,
        "notification": alert.notification,
        "alert": alert.key(pipeline),
        "check": alert.subject or None,
        "summary": _short(_summary(pipeline, change, run, tick)),
        "opened_at": _time(opened_at),
        "at": _time(run.ended_at if run is not None and run.ended_at else now),
        "run": _run(run) if run is not None else None,
        "tick": {"at": _time(tick[0].at), "due_by": _time(tick[1])} if tick else None,
    }


def _summary(pipeline: str, change: Change, run: RunView | None, tick: tuple[Tick, datetime] | None) -> str:
    kind, subject = change.alert.kind, change.alert.subject
    if change.opened:
        if tick is not None:
            return f"{pipeline} is late: the tick of {_time(tick[0].at)} has no published result, which was due by {_time(tick[1])}"
        return {
            "quarantined": f"{pipeline} held back {run.quarantined if run else 0} rows",
            "check_failed": f"{pipeline}: check `{subject}` did not pass",
        }.get(kind, f"{pipeline} failed: {_reason(run)}")
    return {
        "failed": f"{pipeline} succeeds again",
        "late": f"{pipeline} is no longer late",
        "quarantined": f"{pipeline} no longer holds back too many rows",
    }.get(kind, f"{pipeline}: check `{subject}` no longer fails")


def _run(run: RunView) -> dict[str, Any]:
    reasons: dict[str, int] = {}
    for name, source in run.sources.items():
        for rule in source.get("rules", ()):
            if rule.get("rows"):
                reasons[f"{name}: {rule['rule']}"] = int(rule["rows"])
    return {
        "id": run.id,
        "state": run.state,
        "trigger": run.trigger,
        "started_at": _time(run.started_at),
        "ended_at": _time(run.ended_at),
        "rows": {"read": run.read, "written": run.written, "quarantined": run.quarantined},
        "rules": reasons,
        "checks": {c["check"]: c["outcome"] for c in run.checks if c["outcome"] in ("fail", "error")},
        "error": {"kind": run.error["error"], "reason": _reason(run)} if run.error else None,
    }


def _reason(run: RunView | None) -> str:
    if run is None or run.error is None:
        return "no reason is known"
    kind = str(run.error["error"])
    if kind == "AuditFailed":
        return "checks did not pass: " + ", ".join(c["check"] for c in run.checks if c["outcome"] in ("fail", "error"))
    if kind in _SPEAKING:
        return _short(str(run.error["message"]))
    return f"{kind}; `headrace show {run.id}` has the message"


def _short(text: str) -> str:
    """One line, without what terminals and headers stumble over."""
    line = "".join(c if c.isprintable() else " " for c in text)
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"


def _time(at: datetime | None) -> str | None:
    return at.isoformat(timespec="seconds") if at is not None else None
