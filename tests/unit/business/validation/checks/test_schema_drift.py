"""Drift against the last published run."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from headrace.business.model.schema import Column, Schema
from headrace.business.model.types import TYPE_NAMES, Enum, Integer, String, Struct, parse_type
from headrace.business.ports import Measured
from headrace.business.validation.checks.schema_drift import SchemaDrift, recorded, restored

NOW = datetime(2013, 6, 1, tzinfo=UTC)


def judge(check, schema, *earlier):
    values = {name: e.args[1].value for name, e in check.measures(schema).items()}
    history = [(NOW - timedelta(days=len(earlier) - i), {"schema": recorded(s)} if s else {}) for i, s in enumerate(earlier)]
    return check.judge(Measured(values, history, NOW))


def test_the_first_run_learns():
    verdict = judge(SchemaDrift(), Schema.of(a=Integer(32)))
    assert (verdict.outcome, verdict.observed) == ("learning", "no earlier run to compare with")


@pytest.mark.parametrize(
    ("now", "outcome", "observed"),
    [
        (Schema.of(a=Integer(32), b=String()), "pass", "nothing changed"),
        (Schema.of(a=Integer(64), b=String()), "pass", "1 change: `a` was widened from int32 to int64"),
        (Schema.of(a=Integer(32)), "fail", "`b` (string) was removed (breaking)"),
        (Schema.of(a=Integer(16), b=String()), "fail", "`a` was narrowed from int32 to int16 (needs approval)"),
        (Schema.of(a=String(), b=String(), c=String()), "fail", "`a` was changed from int32 to string (breaking)"),
    ],
)
def test_compatible_changes_pass_and_others_do_not(now, outcome, observed):
    verdict = judge(SchemaDrift(), now, Schema.of(a=Integer(32), b=String()))
    assert (verdict.outcome, verdict.observed) == (outcome, observed)


def test_what_is_allowed_is_for_the_author_to_say():
    before, now = Schema.of(a=Integer(32), b=String()), Schema.of(a=Integer(32))
    assert judge(SchemaDrift(allow=("removed",)), now, before).outcome == "pass"
    assert judge(SchemaDrift(allow=()), Schema.of(a=Integer(32), b=String(), c=String()), before).outcome == "fail"
    with pytest.raises(ValidationError):
        SchemaDrift(allow=("removd",))


def test_only_the_last_run_that_has_a_schema_counts():
    old, new = Schema.of(a=Integer(32)), Schema.of(a=Integer(64))
    assert judge(SchemaDrift(allow=()), new, old, new).outcome == "pass"
    assert judge(SchemaDrift(allow=()), new, new, None).outcome == "pass"
    assert judge(SchemaDrift(allow=()), new, new, old).outcome == "fail"


def test_a_schema_survives_being_recorded():
    kinds = [parse_type(name) for name in TYPE_NAMES if "(" not in name and "<" not in name] + [
        parse_type(t) for t in ("decimal(38, 9)", "list<struct<x: int32, y: list<string>>>", "enum(a, b)")
    ]
    schema = Schema(tuple(Column(f'c {i} "ü', kind, bool(i % 2)) for i, kind in enumerate(kinds)))
    assert restored(recorded(schema)) == schema


def test_types_that_cannot_be_read_back_do_not_drift_by_themselves():
    odd = Schema.of(a=Enum(("x, y", "z")), b=Struct((("odd: name", Integer(32)),)))
    assert judge(SchemaDrift(allow=()), odd, odd).outcome == "pass"
    assert (
        judge(SchemaDrift(allow=()), Schema((*odd.columns, Column("c", Integer(8)))), odd).observed
        == "`c` (int8) was added (compatible)"
    )


def test_a_type_that_is_not_known_any_more_is_told_from_another():
    assert restored('[["a", "geo point", true]]') != restored('[["a", "geo line", true]]')
    assert restored('[["a", "geo point", true]]') == restored('[["a", "geo point", true]]')
