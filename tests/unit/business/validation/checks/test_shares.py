"""Shares of rows are exact, and a dataset without rows has none."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from headrace.business.model.schema import Schema
from headrace.business.model.types import String
from headrace.business.ports import Measured
from headrace.business.validation.checks.counts import RowCount
from headrace.business.validation.checks.shares import NullShare, RowShare
from headrace.errors import DefinitionError

NOW = datetime(2013, 6, 1, tzinfo=UTC)


def judge(check, **values):
    return check.judge(Measured(values, [], NOW))


@pytest.mark.parametrize(
    ("limits", "nulls", "rows", "outcome"),
    [
        ({"max": 0.03}, 3, 100, "pass"),
        ({"max": "3%"}, 3, 100, "pass"),
        ({"max": "3 %"}, 4, 100, "fail"),
        ({"below": "3%"}, 3, 100, "fail"),
        ({"min": "50%"}, 1, 2, "pass"),
        ({"above": "50%"}, 1, 2, "fail"),
        ({"max": 0}, 0, 10**6, "pass"),
        ({"max": 0}, 1, 10**6, "fail"),
        ({"max": "0.1%"}, 1, 999, "fail"),
        ({"max": 0.1}, 1, 10, "pass"),
        ({"max": 0.7}, 7, 10, "pass"),
        ({"min": "100%"}, 10, 10, "pass"),
        ({"between": ("10%", "20%")}, 1, 10, "pass"),
    ],
)
def test_a_share_is_compared_exactly(limits, nulls, rows, outcome):
    assert judge(NullShare(column="s", **limits), rows=rows, values=rows - nulls).outcome == outcome


@pytest.mark.parametrize("limits", [{"max": 0}, {"min": "50%"}, {"between": (0, 0.5)}])
def test_no_rows_have_no_share(limits):
    verdict = judge(NullShare(column="s", **limits), rows=0, values=0)
    assert (verdict.outcome, verdict.observed) == ("skipped", "no rows")
    assert judge(RowShare(where="true", **limits), rows=0, matching=0).outcome == "skipped"


def test_people_read_percent_and_rows():
    verdict = judge(NullShare(column="s", max="3%"), rows=336_776, values=328_521)
    assert (verdict.observed, verdict.expected) == ("2.451 % (8,255 of 336,776 rows)", "at most 3 %")
    assert verdict.values["share"] == pytest.approx(0.02451, abs=1e-5)


@pytest.mark.parametrize(("nulls", "shown"), [(1, "1e-05 %"), (10**7 - 1, "99.99999 %"), (10**7, "100 %"), (0, "0 %")])
def test_a_share_is_never_rounded_to_all_or_nothing(nulls, shown):
    assert judge(NullShare(column="s", max="100%"), rows=10**7, values=10**7 - nulls).observed.startswith(shown)


@pytest.mark.parametrize("share", [1, -0.1, 1.1, 3, "3", "3 percent", "101%", "%", "NaN%", float("nan"), True, [1]])
def test_what_is_no_share_is_refused(share):
    with pytest.raises(ValidationError):
        NullShare(column="s", max=share, min=0)


def test_one_without_a_unit_could_mean_two_things():
    with pytest.raises(ValidationError, match="may mean all of it or one percent"):
        NullShare(column="s", max=1)


def test_both_ways_to_write_a_share_are_one():
    assert NullShare(column="s", max=0.03) == NullShare(column="s", max="3%") == NullShare(column="s", max=Decimal("0.03"))


@given(st.integers(0, 1000), st.integers(1, 1000))
def test_the_share_itself_is_always_within_bounds_of_the_share(part, whole):
    part = min(part, whole)
    if 1000 % whole == 0:
        limit = Decimal(part) / Decimal(whole)
        check = RowShare(where="x", min=limit if limit != 1 else "100%", max=limit if limit != 1 else "100%")
        assert judge(check, rows=whole, matching=part).outcome == "pass"


def test_an_unknown_column_is_refused():
    with pytest.raises(DefinitionError) as caught:
        NullShare(column="delay", max="3%").measures(Schema.of(dep_delay=String()))
    assert [(p.path, p.hint) for p in caught.value.problems] == [(("column",), "did you mean `dep_delay`?")]


def test_a_check_that_failed_recovers_only_at_its_lower_mark():
    """Between `recover` and `max` it stays as it was, so that a value that trembles around the bound does not flap."""
    check = NullShare(column="s", max="5%", recover="3%", on_fail="warn")
    shares, outcomes, history = [4, 6, 4, 3, 4, 5, 7, 5, 4, 2], [], []
    for nulls in shares:
        values = {"rows": 100, "values": 100 - nulls}
        outcomes.append(check.judge(Measured(values, history, NOW)).outcome)
        history.append((NOW, values))
    assert outcomes == ["pass", "fail", "fail", "pass", "pass", "pass", "fail", "fail", "fail", "pass"]


def test_a_count_recovers_in_the_same_way():
    check = RowCount(where="x", max=10, recover=5, on_fail="warn")
    assert check.judge(Measured({"rows": 8}, [(NOW, {"rows": 8})], NOW)).outcome == "pass"
    verdict = check.judge(Measured({"rows": 8}, [(NOW, {"rows": 11}), (NOW, {})], NOW))
    assert (verdict.outcome, verdict.expected) == ("fail", "at most 5")


@pytest.mark.parametrize(
    "options",
    [
        {"max": "5%", "recover": "5%", "on_fail": "warn"},
        {"max": "5%", "recover": "3%"},
        {"min": "5%", "recover": "3%", "on_fail": "warn"},
    ],
)
def test_recovery_needs_a_bound_to_recover_from(options):
    with pytest.raises(ValidationError):
        NullShare(column="s", **options)
