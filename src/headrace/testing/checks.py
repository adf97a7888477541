"""The laws of checks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from headrace.business.model.plugin import Plugin
from headrace.business.ports import Check, Measured, Verdict
from headrace.testing.sessions import session_of
from headrace.testing.stand_ins import RowsSource, loaded_of


def check_conforms(check: Plugin, project: Path, source: RowsSource) -> Verdict:
    """The check is pure, its measures can be taken, and it judges full and empty data without raising. Returns the verdict on the rows."""
    assert isinstance(check, Check), f"{type(check).__name__} has not all that a check needs: on_fail, measures, judge"
    measures = check.measures(source.schema_of(project))
    assert measures == check.measures(source.schema_of(project)), "`measures` gives others when it is called again"
    for rows in ((), source.rows):
        data = source.model_copy(update={"rows": rows})
        with session_of(loaded_of(project, {"data": data}, (), (), ()), project) as session:
            values = session.measure("data", measures)
        now = datetime(2024, 1, 8, 12, tzinfo=UTC)
        history = [(now - timedelta(days=7 * week), dict(values)) for week in range(8, 0, -1)]
        for earlier in ((), history):
            verdict = check.judge(Measured(values, earlier, now))
            assert isinstance(verdict, Verdict), f"`judge` gave a {type(verdict).__name__}"
            assert verdict.outcome in ("pass", "fail", "error", "learning", "skipped"), f"`{verdict.outcome}` is no outcome"
            assert verdict.observed, "a verdict says what was observed"
            assert verdict == check.judge(Measured(values, earlier, now)), (
                "`judge` gives another verdict when it is called again"
            )
    return check.judge(Measured(values, (), now))
