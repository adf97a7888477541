"""Event time follows the data."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from headrace.business.streams.watermarks import Watermarks

times = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 100)), max_size=30)


def played(events, delay=5):
    marks = Watermarks(delay)
    for partition, at in events:
        marks.observe(partition, at)
    return marks


def test_a_partition_is_as_far_as_its_highest_row_less_the_delay():
    marks = played([("a", 10), ("a", 7)])
    assert (marks.own("a"), marks.own("b")) == (5, None)


def test_windows_wait_for_the_slowest_partition():
    assert played([("a", 50), ("b", 20)]).advance("ab", ()) == 15


def test_a_partition_without_rows_keeps_windows_open_until_it_is_idle():
    marks = played([("a", 50)])
    assert marks.advance("ab", ()) is None
    assert marks.advance("ab", ("b",)) == 45


def test_where_all_are_idle_windows_close_up_to_where_the_furthest_came():
    assert played([("a", 50), ("b", 20)]).advance("ab", ("a", "b")) == 45


def test_a_partition_that_wakes_does_not_open_windows_again():
    marks = played([("a", 50), ("b", 20)])
    marks.advance("ab", ("b",))
    assert marks.advance("ab", ()) == 45


@given(times, st.randoms(use_true_random=False))
def test_what_comes_of_it_does_not_hang_on_how_partitions_are_interleaved(events, random):
    by_partition = {p: [e for e in events if e[0] == p] for p in "abc"}
    order = [p for p, found in by_partition.items() for _ in found]
    random.shuffle(order)
    queues = {p: iter(found) for p, found in by_partition.items()}
    interleaved = [next(queues[p]) for p in order]
    one, other = played(events), played(interleaved)
    assert [one.own(p) for p in "abc"] == [other.own(p) for p in "abc"]
    assert one.advance("abc", ()) == other.advance("abc", ())


@given(times, times)
def test_going_on_from_what_was_saved_is_going_on(before, after):
    marks = played(before)
    marks.advance("abc", ())
    resumed = Watermarks(5, json.loads(json.dumps(marks.saved())))
    for partition, at in after:
        marks.observe(partition, at)
        resumed.observe(partition, at)
    assert marks.advance("abc", ()) == resumed.advance("abc", ())
