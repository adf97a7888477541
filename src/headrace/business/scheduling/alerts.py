"""Which troubles of a pipeline begin and end with its latest run: each is told once when it begins and once when it is over.

Pure: whoever asks brings the history and the open troubles, and remembers what has changed. Not how anybody is told.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import takewhile
from typing import Literal

from headrace.business.model.notifications import Notification, Occasion


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What became of a run, as far as troubles go."""

    run_id: str
    ended_at: datetime
    state: Literal["succeeded", "failed", "cancelled"]
    quarantined: int = 0
    """Rows held back."""
    checks: Mapping[str, bool] = field(default_factory=dict)
    """The checks that were carried out, and whether each passed."""


@dataclass(frozen=True, slots=True)
class Alert:
    """A trouble that is open, for one notification."""

    notification: str
    kind: Occasion
    subject: str = ""
    """The check, for a check that failed."""

    def key(self, pipeline: str) -> str:
        """By this the trouble is told from all others that may be open at the same time."""
        return "/".join(filter(None, (pipeline, self.notification, self.kind, self.subject)))


@dataclass(frozen=True, slots=True)
class Change:
    """A trouble that begins, or is over. Only what is `told` is sent; the others are remembered all the same."""

    alert: Alert
    opened: bool
    told: bool

    @property
    def occasion(self) -> Occasion:
        """What the notification calls it."""
        return self.alert.kind if self.opened else "recovered"


def changes(
    notifications: Sequence[Notification], history: Sequence[RunFacts], open_alerts: Collection[Alert], *, overdue: bool = False
) -> list[Change]:
    """What begins and what is over after the last run of `history` (oldest first), or because a tick became overdue.

    The history has to go back as many runs as the notifications' `after` and `recovered_after` want to see in a row.

    To be asked after each run that ended, and whenever `overdue` changes: whether a tick has no published result although its
    deadline has passed. `open_alerts` are those of this pipeline. Those of notifications that are gone are closed untold.
    Asked again with what it said put into effect, it says nothing.
    """
    watched = {str(n.name): n for n in notifications}
    found = [
        Change(alert, opened=False, told=False)
        for alert in sorted(open_alerts, key=str)
        if alert.notification not in watched or alert.kind not in watched[alert.notification].occasions
    ]
    for name, notification in watched.items():
        for alert in _candidates(name, notification, history, open_alerts):
            trouble = overdue if alert.kind == "late" else _trouble(alert, notification, history)
            if trouble and alert not in open_alerts:
                found.append(Change(alert, opened=True, told=alert.kind in notification.on))
            elif trouble is False and alert in open_alerts:
                found.append(Change(alert, opened=False, told="recovered" in notification.on))
    return found


def applied(open_alerts: Collection[Alert], changed: Iterable[Change]) -> frozenset[Alert]:
    """What is open when the changes are in effect."""
    alerts = set(open_alerts)
    for change in changed:
        (alerts.add if change.opened else alerts.discard)(change.alert)
    return frozenset(alerts)


def _candidates(
    name: str, notification: Notification, history: Sequence[RunFacts], open_alerts: Collection[Alert]
) -> Iterator[Alert]:
    """Everything that may begin or end."""
    for kind in ("failed", "late", "quarantined"):
        if kind in notification.occasions:
            yield Alert(name, kind)
    if "check_failed" in notification.occasions:
        known = {a.subject for a in open_alerts if (a.notification, a.kind) == (name, "check_failed")}
        for check in sorted(known | set(history[-1].checks if history else ())):
            yield Alert(name, "check_failed", check)


def _trouble(alert: Alert, notification: Notification, history: Sequence[RunFacts]) -> bool | None:
    """Whether there is trouble: enough runs in a row say so, or enough say that there is none. None when neither is so."""
    said = [sign for run in history if (sign := _sign(alert, notification, run)) is not None]
    if not said:
        return None
    in_a_row = len(list(takewhile(lambda sign: sign == said[-1], reversed(said))))
    needed = notification.after if said[-1] else notification.recovered_after
    return said[-1] if in_a_row >= needed else None


def _sign(alert: Alert, notification: Notification, run: RunFacts) -> bool | None:
    """What one run says about a trouble: that it is there, that it is not, or nothing."""
    if run.state == "cancelled":
        return None
    over = run.state == "succeeded"
    if alert.kind == "failed":
        return not over
    if alert.kind == "quarantined":
        trouble = run.quarantined >= notification.min_quarantined
    else:
        # A check that a whole run no longer knows is over with it.
        trouble = run.checks.get(alert.subject) is False
        over = over or run.checks.get(alert.subject) is True
    # A run that broke off before it came to something does not say that there is nothing.
    return True if trouble else False if over else None
