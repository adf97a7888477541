"""A trouble is told once when it begins and once when it is over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.business.model.notifications import Notification
from headrace.business.scheduling.alerts import Alert, Change, RunFacts, applied, changes

BEGIN = datetime(2024, 1, 1, tzinfo=UTC)


def notification(*on: str, name: str = "ops", **options: Any) -> Notification:
    return Notification(name=name, on=on, webhook="https://example.com", **options)


def run(state: str = "succeeded", number: int = 0, **facts: Any) -> RunFacts:
    return RunFacts(str(number), BEGIN + timedelta(hours=number), state, **facts)


def told(notifications: Sequence[Notification], runs: Sequence[RunFacts], late: Sequence[bool] = ()) -> list[str]:
    """What is said run by run, `+` for a beginning and `-` for an end, in brackets what is not told."""
    now, said = frozenset(), []
    for n in range(len(runs)):
        overdue = late[n] if late else False
        found = changes(notifications, runs[: n + 1], now, overdue=overdue)
        now = applied(now, found)
        assert changes(notifications, runs[: n + 1], now, overdue=overdue) == []
        words = ["+-"[not c.opened] + c.alert.kind + (f" {c.alert.subject}" if c.alert.subject else "") for c in found]
        said.append(" ".join(w if c.told else f"({w})" for w, c in zip(words, found, strict=True)))
    return said


GOOD, BAD = run(), run("failed")


def test_each_trouble_is_told_once_and_so_is_its_end():
    assert told([notification("failed", "recovered")], [GOOD, BAD, BAD, BAD, GOOD, GOOD, BAD]) == [
        "", "+failed", "", "", "-failed", "", "+failed",
    ]  # fmt: skip


def test_what_nobody_asked_for_is_not_told_but_remembered():
    assert told([notification("failed")], [BAD, BAD, GOOD, BAD]) == ["+failed", "", "(-failed)", "+failed"]
    assert told([notification("recovered")], [BAD, GOOD]) == ["(+failed)", "-failed"]


def test_a_cancelled_run_says_nothing():
    assert told([notification("failed", "recovered")], [BAD, run("cancelled"), GOOD, run("cancelled")]) == [
        "+failed", "", "-failed", "",
    ]  # fmt: skip


def test_rows_that_are_held_back_count_from_a_number_on():
    runs = [run(quarantined=n) for n in (1, 9, 10, 50, 9)]
    watch = notification("quarantined", "recovered", min_quarantined=10)
    assert told([watch], runs) == ["", "", "+quarantined", "", "-quarantined"]


def test_a_run_that_broke_off_does_not_say_that_no_rows_are_held_back():
    assert told([notification("quarantined", "recovered")], [run(quarantined=3), BAD, GOOD]) == [
        "+quarantined", "", "-quarantined",
    ]  # fmt: skip
    assert told([notification("quarantined")], [run("failed", quarantined=3)]) == ["+quarantined"]


def test_checks_are_troubles_of_their_own():
    runs = [
        run("failed", checks={"a": False, "b": True}),
        run("failed", checks={"a": False, "b": False}),
        run("failed", checks={"a": True, "b": False}),
        run("failed"),
        run(checks={"a": True, "b": True}),
    ]
    assert told([notification("check_failed", "recovered")], runs) == [
        "+check_failed a", "+check_failed b", "-check_failed a", "", "-check_failed b",
    ]  # fmt: skip


def test_a_check_that_is_gone_fails_no_longer():
    runs = [run(checks={"a": False}), run("failed"), run(checks={})]
    assert told([notification("check_failed", "recovered")], runs) == ["+check_failed a", "", "-check_failed a"]


def test_late_is_a_matter_of_time_and_not_of_runs():
    watch = [notification("late", "recovered")]
    assert told(watch, [GOOD, GOOD, BAD, GOOD], [False, True, True, False]) == ["", "+late", "", "-late"]
    assert [c.alert.kind for c in changes(watch, [], frozenset(), overdue=True)] == ["late"]


def test_several_runs_in_a_row_may_be_asked_for_on_either_side():
    watch = [notification("failed", "recovered", after=3, recovered_after=2)]
    runs = [BAD, BAD, GOOD, BAD, BAD, BAD, GOOD, BAD, GOOD, GOOD]
    assert told(watch, runs) == ["", "", "", "", "", "+failed", "", "", "", "-failed"]


def test_each_notification_has_troubles_of_its_own():
    watch = [notification("failed", name="chat"), notification("failed", name="pager", after=2)]
    found = [changes(watch, [BAD] * n, frozenset()) for n in (1, 2)]
    assert [[c.alert.notification for c in some] for some in found] == [["chat"], ["chat", "pager"]]


def test_what_belongs_to_a_notification_that_is_gone_is_closed_untold():
    left = {Alert("gone", "failed"), Alert("ops", "quarantined"), Alert("ops", "failed")}
    found = changes([notification("failed", "recovered")], [BAD], left)
    assert found == [
        Change(Alert("gone", "failed"), opened=False, told=False),
        Change(Alert("ops", "quarantined"), opened=False, told=False),
    ]


def test_keys_and_occasions():
    alert = Alert("ops", "check_failed", "row_count")
    assert alert.key("orders") == "orders/ops/check_failed/row_count"
    assert Alert("ops", "failed").key("orders") == "orders/ops/failed"
    assert [Change(alert, o, True).occasion for o in (True, False)] == ["check_failed", "recovered"]


RUNS = st.lists(
    st.builds(
        run,
        st.sampled_from(["succeeded", "failed", "cancelled"]),
        quarantined=st.integers(0, 3),
        checks=st.dictionaries(st.sampled_from("ab"), st.booleans()),
    ),
    max_size=15,
)
KINDS = ["failed", "late", "quarantined", "check_failed", "recovered"]
WATCHES = st.lists(
    st.builds(
        lambda on, after, recovered_after: {"on": tuple(on), "after": after, "recovered_after": recovered_after},
        st.lists(st.sampled_from(KINDS), min_size=1, unique=True),
        st.integers(1, 3),
        st.integers(1, 3),
    ),
    min_size=1,
    max_size=3,
)


@given(RUNS, WATCHES, st.data())
def test_beginnings_and_ends_alternate(runs, watches, data):
    """Never two beginnings without an end, every end once and after a beginning; asked twice, nothing is said twice."""
    made = [notification(*w.pop("on"), name=f"n{n}", **w) for n, w in enumerate(map(dict, watches))]
    now: frozenset[Alert] = frozenset()
    balance: Counter[Alert] = Counter()
    for n in range(len(runs)):
        overdue = data.draw(st.booleans())
        # Now and then a notification is taken out of the definition.
        watched = [m for m in made if data.draw(st.integers(0, 9)) > 0]
        found = changes(watched, runs[: n + 1], now, overdue=overdue)
        for change in found:
            balance[change.alert] += 1 if change.opened else -1
            assert balance[change.alert] in (0, 1)
        now = applied(now, found)
        assert now == {alert for alert, count in balance.items() if count}
        assert changes(watched, runs[: n + 1], now, overdue=overdue) == []


@pytest.mark.parametrize("order", [("failed", "recovered"), ("recovered", "failed")])
def test_the_order_of_occasions_does_not_matter(order):
    assert told([notification(*order)], [BAD, GOOD]) == ["+failed", "-failed"]
