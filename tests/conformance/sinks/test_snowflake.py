"""The sink `snowflake` keeps the laws of the kit. Each publication to fakesnow takes a second, so each law is tried in the mode that asks most
of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.conformance.sinks import test_fencing as fencing
from tests.conformance.sinks import test_modes as modes
from tests.conformance.sinks import test_schemas as schemas
from tests.conformance.sinks import test_snapshots as snapshots
from tests.conformance.sinks.snowflake_target import SnowflakeTarget
from tests.conformance.sinks.targets import checkpoint, row, stage
from tests.integration.snowflake_server import SnowflakeServer

from headrace.business.ports import Fence
from headrace.infrastructure.connectors import milestones

LAWS: list[tuple[Callable[..., None], dict[str, Any]]] = [
    (modes.test_publishing_twice_changes_nothing, {"mode": "scd2"}),
    (modes.test_merge_touches_only_what_changed, {}),
    (modes.test_scd2_keeps_every_version, {"deleted": "close"}),
    (modes.test_the_ledger_says_what_was_read, {"mode": "replace"}),
    (fencing.test_a_lower_token_is_refused_and_nothing_changes, {}),
    (fencing.test_names_may_have_quotes_and_any_letters, {}),
    (fencing.test_a_fence_stands_when_its_target_was_removed, {}),
    (schemas.test_every_type_comes_back_and_nothing_seems_changed, {"mode": "merge"}),
    (schemas.test_new_columns_are_added_and_missing_ones_are_null, {"mode": "append"}),
    (schemas.test_scd2_needs_its_columns_where_there_are_rows, {}),
    (schemas.test_names_that_are_hard_to_write, {}),
    (snapshots.test_of_a_history_it_is_the_versions_in_force, {}),
]


@pytest.fixture
def target(snowflake_server: SnowflakeServer, tmp_path: Path) -> SnowflakeTarget:
    home = tmp_path / "home"
    home.mkdir()
    return SnowflakeTarget(home, server=snowflake_server)


@pytest.mark.parametrize(
    ("law", "options"),
    LAWS,
    ids=lambda law: getattr(law, "__name__", "-".join(map(str, law.values())) if isinstance(law, dict) else ""),
)
def test_the_law_holds(target: SnowflakeTarget, tmp_path: Path, law: Callable[..., None], options: dict[str, Any]) -> None:
    names = law.__code__.co_varnames[: law.__code__.co_argcount]
    law(**{"way" if "way" in names else "target": target}, tmp_path=tmp_path, **options)


POINTS = ("about to publish", "fence written", "table ready", "rows written", "ledger written")


def test_what_fails_between_any_two_steps_is_taken_back(
    target: SnowflakeTarget, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fence alone may stand: it is written before anything is defined."""
    sink = target.sink("replace")
    sink.publish(target.home, stage(tmp_path / "a", [row(1, "first"), row(2, "first")]), checkpoint("a"))
    staged, before = stage(tmp_path / "b", [row(2, "second"), row(3, "second")]), target.state()
    for token, failing in enumerate(POINTS):

        def reached(point: str, failing: str = failing) -> None:
            if point == failing:
                raise ZeroDivisionError(point)

        monkeypatch.setattr(milestones, "reached", reached)
        with pytest.raises(ZeroDivisionError, match=failing):
            sink.publish(target.home, staged, checkpoint("b", day=2, fence=Fence("state", token)))
        assert target.state() == before
    monkeypatch.undo()
    done = sink.publish(target.home, staged, checkpoint("b", day=2, fence=Fence("state", len(POINTS))))
    assert (done.inserted, done.deleted) == (2, 2)
    assert [name for _, name, _ in target.rows()] == ["second", "second"]
    assert target.litter() == []
