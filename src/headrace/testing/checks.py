"""The laws of checks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from headrace.business.ports import Check, Measured, Verdict
from headrace.testing.laws import demand
from headrace.testing.sessions import files_of, session_of
from headrace.testing.stand_ins import RowsSource, loaded_of


def check_conforms(check: Any, project: Path, source: RowsSource) -> Verdict:
    """The check is pure, its measures can be taken, and it judges full and empty data without raising. Returns the verdict on the rows."""
    demand(isinstance(check, Check), f"{type(check).__name__} has not all that a check needs: on_fail, measures, judge")
    measures = check.measures(source.schema_of(project))
    demand(measures == check.measures(source.schema_of(project)), "`measures` gives others when it is called again")
    for rows in ((), source.rows):
        data = source.model_copy(update={"rows": rows})
        with session_of(loaded_of(project, files_of(project, data=data), (), (), ()), project) as session:
            values = session.measure("data", measures)
        now = datetime(2024, 1, 8, 12, tzinfo=UTC)
        history = [(now - timedelta(days=7 * week), dict(values)) for week in range(8, 0, -1)]
        for earlier in ((), history):
            verdict = check.judge(Measured(values, earlier, now))
            demand(isinstance(verdict, Verdict), f"`judge` gave a {type(verdict).__name__}")
            demand(verdict.outcome in ("pass", "fail", "error", "learning", "skipped"), f"`{verdict.outcome}` is no outcome")
            demand(verdict.observed, "a verdict says what was observed")
            demand(
                verdict == check.judge(Measured(values, earlier, now)), "`judge` gives another verdict when it is called again"
            )
    final: Verdict = check.judge(Measured(values, (), now))
    return final
