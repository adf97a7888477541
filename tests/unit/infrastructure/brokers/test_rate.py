"""Generated messages are a function of the options and the number of the row, whenever and however they are read."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from tests.unit.infrastructure.brokers.json_stand_in import JsonStandIn

from headrace.business.ports import Position
from headrace.business.streams.messages import MessageSource, Sharing
from headrace.errors import NonRetryableError
from headrace.infrastructure.brokers.rate.source import RateSource

ALONE = Sharing("test")
HERE = Path()


def source(**options: Any) -> RateSource:
    return RateSource.model_validate({"format": JsonStandIn(), "total": 500, **options})


def rows_of(
    source: RateSource, most: int = 1000, sharing: Sharing = ALONE, after: Any = None
) -> dict[str, list[dict[str, Any]]]:
    """All rows of a source that ends, by partition."""
    feed, got = source.feed(HERE, sharing, after or {}), {}
    while not feed.exhausted:
        for messages in feed.poll(most, 60.0):
            for payload in messages.payloads.to_pylist():
                got.setdefault(messages.partition, []).extend(json.loads(line) for line in payload.splitlines())
    return got


def test_it_is_a_source_of_messages() -> None:
    assert isinstance(source(), MessageSource)


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 5), st.integers(1, 90), st.integers(0, 60), st.integers(0, 2**40))
def test_any_cut_and_any_size_of_polls_give_the_same_rows(partitions: int, most: int, cut: int, seed: int) -> None:
    made = source(partitions=partitions, seed=seed, total=120)
    whole = rows_of(made)
    assert rows_of(made, most) == whole
    behind = rows_of(made, most, after={p: Position(str(min(cut, len(rows)))) for p, rows in whole.items()})
    assert behind == {p: rows[cut:] for p, rows in whole.items() if rows[cut:]}


def test_members_share_the_partitions_and_the_numbers_are_all_there_once() -> None:
    made = source(partitions=3)
    one, other = (rows_of(made, sharing=Sharing("test", member, 2)) for member in (0, 1))
    assert (set(one), set(other)) == ({"0", "2"}, {"1"})
    assert sorted(row["id"] for rows in (one | other).values() for row in rows) == list(range(500))


def test_positions_are_rows_given_out_and_last_is_the_last_of_them() -> None:
    feed = source().feed(HERE, ALONE, {})
    (messages,) = feed.poll(3, 60.0)
    assert (messages.positions.to_pylist(), messages.last) == ([1, 2, 3], "3")


def test_another_seed_makes_other_values_of_the_same_numbers() -> None:
    one, other = (rows_of(source(seed=seed))["0"] for seed in (1, 2))
    assert [row["id"] for row in one] == [row["id"] for row in other]
    assert [row["value"] for row in one] != [row["value"] for row in other]


def test_fields_are_what_their_options_say() -> None:
    fields = {
        "n": "sequence", "low": {"between": [3, 5]}, "real": {"between": [0.5, 1.5]}, "kind": {"one_of": ["a", "b"]},
        "who": {"key": 7}, "pad": {"text": 100},
    }  # fmt: skip
    rows = rows_of(source(fields=fields, total=3000))["0"]
    assert Counter(row["low"] for row in rows).keys() == {3, 4, 5}
    assert all(800 < count < 1200 for count in Counter(row["low"] for row in rows).values())
    assert all(0.5 <= row["real"] < 1.5 for row in rows)
    assert {row["kind"] for row in rows} == {"a", "b"}
    assert {row["who"] for row in rows} == {f"key-{n}" for n in range(7)}
    assert {len(row["pad"]) for row in rows} == {100}


def test_times_follow_the_rate_and_not_the_clock() -> None:
    fields = {"at": "time", "seen": {"time": "2 seconds"}}
    rows = rows_of(source(per_second=4000, partitions=2, fields=fields, begin="2013-01-01T00:00:00Z"))["1"]
    begin = datetime(2013, 1, 1, tzinfo=UTC)
    at = [datetime.fromisoformat(row["at"]) for row in rows]
    assert at == [begin + timedelta(microseconds=500 * n) for n in range(250)]
    early = [moment - datetime.fromisoformat(row["seen"]) for moment, row in zip(at, rows, strict=True)]
    assert all(timedelta() <= gap < timedelta(seconds=2) for gap in early)
    assert len(set(early)) > 200


def test_published_at_is_when_the_row_happened_and_the_key_is_a_column() -> None:
    (messages,) = source(key="key").feed(HERE, ALONE, {}).poll(2, 60.0)
    first, second = (json.loads(payload) for payload in messages.payloads.to_pylist())
    assert [key.decode() for key in messages.keys.to_pylist()] == [first["key"], second["key"]]
    assert [at.isoformat(" ") for at in messages.published_at.to_pylist()] == [first["at"], second["at"]]


def test_no_more_come_than_the_rate_allows() -> None:
    feed = source(per_second=10, total=None).feed(HERE, ALONE, {})
    assert sum(len(messages) for messages in feed.poll(1000, 0.0)) < 10_000
    assert sum(len(messages) for messages in feed.poll(1000, 60.0)) > 0


def test_a_message_can_hold_several_rows_and_the_last_the_rest() -> None:
    made = source(format=JsonStandIn(block=True), message_rows=200)
    feed = made.feed(HERE, ALONE, {})
    (messages,) = feed.poll(10, 60.0)
    assert messages.positions.to_pylist() == [200, 400, 500]
    assert [len(payload.splitlines()) for payload in messages.payloads.to_pylist()] == [200, 200, 100]
    assert feed.exhausted
    assert rows_of(made) == rows_of(source())


def test_the_lag_is_what_is_due() -> None:
    feed = source(partitions=2).feed(HERE, ALONE, {})
    feed.poll(100, 60.0)
    assert feed.lag() == {"0": 200, "1": 200}
    assert source(total=None).feed(HERE, ALONE, {}).lag() == {"0": None}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"fields": {}}, "give at least one column"),
        ({"key": "kee"}, "did you mean"),
        ({"key": "key", "message_rows": 2}, "leave one of them out"),
        ({"begin": "2024-01-01T00:00:00"}, "in which zone"),
        ({"fields": {"x": {"between": [2, 1]}}}, "begins with the lowest"),
    ],
)
def test_wrong_options_are_told(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        source(**options)


def test_a_format_that_does_not_fit_the_size_of_messages_is_told() -> None:
    with pytest.raises(NonRetryableError, match="several rows") as told:
        source(format=JsonStandIn(block=True)).feed(HERE, ALONE, {}).poll(5, 60.0)
    assert "message_rows" in str(told.value)
    with pytest.raises(NonRetryableError, match="does not put 5 rows"):
        source(message_rows=5).feed(HERE, ALONE, {}).poll(5, 60.0)


def test_what_is_no_position_is_told() -> None:
    with pytest.raises(NonRetryableError, match="no position"):
        source().feed(HERE, ALONE, {"0": Position("0-0")})
    with pytest.raises(NonRetryableError, match="begin with the first"):
        source(start="latest").feed(HERE, ALONE, {})
