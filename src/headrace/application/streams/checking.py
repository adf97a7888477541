"""Judges what checks have measured in the windows of a stream that closed, before anything of the epoch counts. Not how it is measured.

Each window is judged once, in the order of time; one without rows, too, when the windows before and behind it are known to be over. So
the verdicts hang on the data alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from headrace.application.orchestrator.audit import plain, verdict_of
from headrace.bus.events import QualityCheckEvent
from headrace.business.ports import Measured, Verdict
from headrace.business.processing.plan import Plan, PlannedCheck
from headrace.business.streams.checking import START, length_of, windows_of
from headrace.business.streams.engine import StreamSession
from headrace.business.streams.flow import Flow
from headrace.errors import AuditFailed

if TYPE_CHECKING:
    import pyarrow as pa

#: How many windows without rows are judged one after the other. A silence that is longer has been told by then.
MOST_EMPTY = 10_000

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Checking:
    """The checks of one stream, with what they remember from one window to the next."""

    def __init__(self, run_id: str, plan: Plan, session: StreamSession, tell: Callable[..., None]) -> None:
        self.tell, self.judged = tell, 0
        keeping = Flow.of(plan).keeping
        self._checks = [
            _Windows(run_id, check, keeping[name].kept.behind, session.unmeasured(name))
            for check in plan.checks
            for name in (windows_of(check.name),)
        ]

    def judge(self, output: Mapping[str, pa.Table], horizon: int | None) -> Mapping[str, pa.Table]:
        """Judge the windows that closed, up to the horizon; the output without them. Raises `AuditFailed`."""
        failed: list[QualityCheckEvent] = []
        for windows in self._checks:
            for outcome in windows.judge(output[windows_of(windows.check.name)], horizon):
                self.judged += 1
                if windows.worth_telling(outcome):
                    self.tell(outcome)
                failed += [outcome] if outcome.on_fail == "block" and outcome.outcome in ("fail", "error") else []
        if failed:
            shown = "; ".join(f"{c.check}: {c.observed}, expected {c.expected}" for c in failed[:3])
            raise AuditFailed(
                f"the stream stops at a check that did not pass: {shown}",
                hint="nothing since the last checkpoint counts; mend the check, or let it only warn with `on_fail: warn`, and the "
                "stream goes on with these messages",
            )
        names = {windows_of(windows.check.name) for windows in self._checks}
        return {name: rows for name, rows in output.items() if name not in names}

    def saved(self) -> dict[str, Any]:
        return {windows.check.name: windows.saved() for windows in self._checks}

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Go on where an epoch was saved. A check that measures something else by now begins anew."""
        for windows in self._checks:
            known = saved.get(windows.check.name)
            if known is not None and known["version"] == windows.version:
                windows.restore(known)


class _Windows:
    """One check. `through` is the end of the last window that was judged, `behind` how much later than their time its rows come, in
    microseconds."""

    def __init__(self, run_id: str, check: PlannedCheck, behind: int, unmeasured: Mapping[str, Any]) -> None:
        self.run_id, self.check, self.behind, self._unmeasured = run_id, check, behind, unmeasured
        self.length = length_of(check.check) or 1
        self.version = f"{check.version} {self.length}"
        self.through: int | None = None
        self._empty_ones = 0
        self._outcome: str | None = None
        self._history: deque[tuple[int, Mapping[str, Any]]] = deque(maxlen=getattr(check.check, "windows", 0))

    def judge(self, closed: pa.Table, horizon: int | None) -> Iterator[QualityCheckEvent]:
        for window in sorted(closed.to_pylist(), key=lambda window: window[START]):
            start = _micros(window[START])
            yield from self._empty(start)
            self._empty_ones = 0
            yield self._judged(start, {name: window[name] for name in self.check.measures})
        if horizon is not None:
            yield from self._empty(horizon - self.behind)

    def _empty(self, until: int) -> Iterator[QualityCheckEvent]:
        """Those that end here or before and have no rows."""
        while self.through is not None and self.through + self.length <= until:
            if self._empty_ones == MOST_EMPTY:
                self.through += (until - self.through) // self.length * self.length
                return
            self._empty_ones += 1
            yield self._judged(self.through, self._unmeasured)

    def _judged(self, start: int, values: Mapping[str, Any]) -> QualityCheckEvent:
        end = start + self.length
        history = [(_moment(at), found) for at, found in self._history]
        verdict = verdict_of(self.check, Measured(values, history, _moment(end)))
        self._history.append((end, plain(values)))
        self.through = end
        return self._event(start, verdict, values)

    def _event(self, start: int, verdict: Verdict, values: Mapping[str, Any]) -> QualityCheckEvent:
        window = {"window_start": _moment(start).isoformat(), "window_end": _moment(start + self.length).isoformat()}
        return QualityCheckEvent(
            self.run_id,
            check=self.check.name,
            kind=self.check.kind,
            dataset=self.check.dataset,
            outcome=verdict.outcome,
            on_fail=self.check.check.on_fail,
            observed=f"{verdict.observed} from {window['window_start']} on",
            expected=verdict.expected,
            version=self.check.version,
            values={**plain(verdict.values or values), **window},
        )

    def worth_telling(self, event: QualityCheckEvent) -> bool:
        """Whether it is another outcome than the last, or a window with rows has failed."""
        before, self._outcome = self._outcome, event.outcome
        return event.outcome != before or (event.outcome in ("fail", "error") and not self._empty_ones)

    def saved(self) -> dict[str, Any]:
        return {
            "version": self.version,
            "through": self.through,
            "empty": self._empty_ones,
            "outcome": self._outcome,
            "history": [[at, dict(values)] for at, values in self._history],
        }

    def restore(self, saved: Mapping[str, Any]) -> None:
        self.through, self._empty_ones, self._outcome = saved["through"], saved["empty"], saved["outcome"]
        self._history.extend((at, values) for at, values in saved["history"])


def _micros(moment: datetime) -> int:
    return ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH) // timedelta(microseconds=1)


def _moment(micros: int) -> datetime:
    return _EPOCH + timedelta(microseconds=micros)
