"""The audit: every check of a plan, measured in one pass per dataset and judged. It publishes nothing and stops nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

from headrace.application.queries.quality import History
from headrace.bus.events import QualityCheckEvent
from headrace.business.engine import Session
from headrace.business.ports import Measured, Verdict
from headrace.business.processing.expressions.ir import Expr
from headrace.business.processing.plan import Plan, PlannedCheck, PlannedTarget
from headrace.errors import HeadraceError, RetryableError


class MeasureTarget(Protocol):
    """Measures a state of a target; None when there is no target."""

    def __call__(self, target: PlannedTarget, measures: Mapping[str, Expr]) -> Mapping[str, Any] | None: ...


#: Where something is measured: in a dataset, or in the target to which it is published.
Place = tuple[str, PlannedTarget | None]


def audit(
    run_id: str, plan: Plan, session: Session, measure_target: MeasureTarget, history: History, now: datetime
) -> Iterator[QualityCheckEvent]:
    """The outcome of every check, in the order of the definition."""

    def measure(place: Place, measures: Mapping[str, Expr]) -> Mapping[str, Any] | None:
        dataset, target = place
        return session.measure(dataset, measures) if target is None else measure_target(target, measures)

    measured, failures = _measure_all(plan, measure)
    for check in plan.checks:
        if check.name in failures:
            verdict = Verdict("error", failures[check.name], "a check that can be measured")
        else:
            earlier = [(at, found) for at, found in history.get((check.name, check.version), ()) if at < now]
            verdict = verdict_of(check, Measured(measured[check.name], earlier, now))
        yield QualityCheckEvent(
            run_id,
            check=check.name,
            kind=check.kind,
            dataset=check.dataset,
            outcome=verdict.outcome,
            on_fail=check.check.on_fail,
            observed=verdict.observed,
            expected=verdict.expected,
            version=check.version,
            values=plain(verdict.values or measured.get(check.name, {})),
        )


Measure = Callable[[Place, Mapping[str, Expr]], Mapping[str, Any] | None]


def _measure_all(plan: Plan, measure: Measure) -> tuple[dict[str, Mapping[str, Any]], dict[str, str]]:
    """The measures of all checks: one statement per place; check by check only where that fails, to find who is to blame."""
    wanted: dict[Place, dict[tuple[str, str], Expr]] = {}
    for check in plan.checks:
        for name, expression in check.measures.items():
            wanted.setdefault((check.dataset, None), {})[(check.name, name)] = expression
        for name, expression in check.other_measures.items():
            wanted.setdefault((str(check.other), check.target), {})[(check.name, name)] = expression
    values: dict[str, dict[str, Any]] = {check.name: {} for check in plan.checks}
    failures: dict[str, str] = {}
    for place, measures in wanted.items():
        for (owner, name), value in _measure(measure, place, measures, failures).items():
            values[owner][name] = value
    return {name: found for name, found in values.items() if name not in failures}, failures


def _measure(
    measure: Measure, place: Place, measures: Mapping[tuple[str, str], Expr], failures: dict[str, str]
) -> dict[tuple[str, str], Any]:
    keys = list(measures)
    try:
        found = measure(place, {f"m{i}": measures[key] for i, key in enumerate(keys)})
        return {} if found is None else {key: found[f"m{i}"] for i, key in enumerate(keys)}
    except RetryableError:
        raise  # The rows could not be reached, which says nothing of them.
    except HeadraceError as error:
        if len({check for check, _ in keys}) == 1:
            failures[keys[0][0]] = error.message
            return {}
    result: dict[tuple[str, str], Any] = {}
    for check in dict.fromkeys(check for check, _ in keys):
        result |= _measure(measure, place, {key: measures[key] for key in keys if key[0] == check}, failures)
    return result


def verdict_of(check: PlannedCheck, measured: Measured) -> Verdict:
    """What a check says of what was measured; `error` where it fails itself."""
    try:
        return check.check.judge(measured)
    except HeadraceError as error:
        return Verdict("error", error.message, "a check that can be judged")
    except Exception as error:  # noqa: BLE001 - the boundary to the check's code: an error is never reported as bad data
        return Verdict("error", f"{type(error).__name__}: {error}", "a check that can be judged")


def plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values as they can be written in an event."""
    return {name: str(v) if isinstance(v, Decimal | datetime) else v for name, v in values.items()}
