"""What follows from a look at a pipeline: which runs make good for which ticks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from headrace.application.orchestrator.watching import Watch, decide, schedule_text
from headrace.application.queries.outcomes import Ended
from headrace.application.queries.runs import RunView
from headrace.business.model.definition import Definition
from headrace.business.scheduling.schedule import Tick

SIX = datetime(2024, 3, 1, 6, tzinfo=UTC)
DAY = timedelta(days=1)


def daily(**options: Any) -> Definition:
    schedule = {"cron": "0 6 * * *", "expect_within": "30 minutes", **options}
    return Definition(pipeline="p", sources={}, schedule=schedule, notify=({"name": "n", "on": "late", "webhook": "http://h"},))


def ended(state: str = "succeeded", *, tick: datetime | None = None, started: datetime = SIX, pipeline: str = "p") -> Ended:
    key = Tick(tick, tick.replace(tzinfo=None)).key(pipeline) if tick is not None else None
    return Ended(5, RunView("r", "p", state, started_at=started, ended_at=started + timedelta(minutes=1)), key)


def covered_after(definition: Definition, run: Ended | None, covered: datetime = SIX - DAY) -> datetime | None:
    watch = Watch(1, covered, schedule_text(definition.schedule))
    decision = decide(definition, watch, run, SIX + timedelta(hours=3))
    assert decision is not None
    return decision.covered


def test_the_run_of_a_tick_covers_its_tick_and_no_later_one() -> None:
    assert covered_after(daily(), ended(tick=SIX, started=SIX + 3 * DAY)) == SIX


def test_a_later_tick_makes_good_for_earlier_ones_and_an_earlier_one_takes_nothing_back() -> None:
    assert covered_after(daily(), ended(tick=SIX + DAY)) == SIX + DAY
    assert covered_after(daily(), ended(tick=SIX - 2 * DAY)) == SIX - DAY


@pytest.mark.parametrize("state", ["failed", "cancelled"])
def test_a_run_without_success_covers_nothing(state: str) -> None:
    assert covered_after(daily(), ended(state, tick=SIX)) == SIX - DAY


def test_a_run_by_hand_makes_good_for_the_ticks_before_it_began() -> None:
    assert covered_after(daily(), ended(started=SIX + timedelta(hours=1))) == SIX + timedelta(hours=1)


def test_where_each_tick_has_its_part_of_the_data_only_its_own_run_makes_good() -> None:
    definition = daily(partition="day")
    assert covered_after(definition, ended(started=SIX + timedelta(hours=1))) == SIX - DAY
    assert covered_after(definition, ended(tick=SIX)) == SIX


def test_the_tick_of_another_pipeline_is_none_of_ours() -> None:
    definition = daily(partition="day")
    assert covered_after(definition, ended(tick=SIX, pipeline="q")) == SIX - DAY


def test_a_run_that_was_looked_at_before_changes_nothing() -> None:
    assert decide(daily(), Watch(5, SIX), ended(), SIX) is None


def test_time_going_by_opens_nothing_but_what_is_late() -> None:
    """A notification that is new does not tell of a run of former times, to which its message could not point."""
    definition = Definition(pipeline="p", sources={}, notify=({"name": "n", "on": "failed", "webhook": "http://h"},))
    failed = ended("failed").facts
    decision = decide(definition, Watch(5, history=(failed,)), None, SIX)
    assert decision is not None
    assert (decision.changed, decision.told) == ([], [])
