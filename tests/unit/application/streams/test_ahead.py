"""Reading ahead changes nothing but when it is done."""

from __future__ import annotations

import threading

import pyarrow as pa
import pytest

from headrace.application.streams.ahead import DEPTH, Ahead
from headrace.business.streams.messages import Decoded, Messages
from headrace.errors import NonRetryableError, RetryableError


class Feed:
    """Gives what is written down, one thing for each poll: numbers, or an error."""

    def __init__(self, *polls):
        self.polls, self.asked, self.closed = list(polls), 0, False
        self.busy = threading.Lock()

    def partitions(self):
        return ("p",)

    def poll(self, most, wait_seconds):
        with _alone(self.busy):
            self.asked += 1
            found = self.polls.pop(0) if self.polls else []
        if isinstance(found, Exception):
            raise found
        numbers = [str(n).encode() for n in found]
        return [Messages("p", pa.array(numbers, pa.binary()), pa.array(found, pa.int64()), str(found[-1]))] if found else []

    def acknowledge(self, positions):
        with _alone(self.busy):
            self.acknowledged = positions

    def lag(self):
        return {"p": 0}

    @property
    def exhausted(self):
        return not self.polls

    def close(self):
        self.closed = True


class _alone:
    def __init__(self, lock):
        self.lock = lock

    def __enter__(self):
        assert self.lock.acquire(blocking=False), "a feed is used by one thread at a time"

    def __exit__(self, *_):
        self.lock.release()


class Reader:
    def read(self, messages):
        return Decoded(pa.RecordBatch.from_arrays([messages.positions], names=["n"]))


def taken(ahead):
    found = []
    while not ahead.exhausted:
        for _messages, decoded in ahead.take(0.01):
            found += decoded.rows["n"].to_pylist()
        ahead.acknowledge({})
    return found


def test_all_comes_in_order():
    feed = Feed([1, 2], [], [3], [4, 5], [6])
    ahead = Ahead(feed, Reader(), 10, 0.0)
    assert taken(ahead) == [1, 2, 3, 4, 5, 6]
    ahead.close()
    assert feed.closed


def test_no_more_is_read_than_was_agreed():
    feed = Feed(*([n] for n in range(1, 20)))
    ahead = Ahead(feed, Reader(), 10, 0.0)
    while feed.asked < DEPTH + 1:
        threading.Event().wait(0.001)
    threading.Event().wait(0.05)
    assert feed.asked <= DEPTH + 1
    assert taken(ahead) == list(range(1, 20))
    ahead.close()


def test_an_error_that_passes_is_raised_in_its_place_and_reading_goes_on():
    ahead = Ahead(Feed([1], RetryableError("away"), [2]), Reader(), 10, 0.0)
    assert [decoded.rows["n"].to_pylist() for _, decoded in ahead.take(5)] == [[1]]
    with pytest.raises(RetryableError, match="away"):
        ahead.take(5)
    assert taken(ahead) == [2]
    ahead.close()


def test_one_that_does_not_pass_is_raised_too():
    ahead = Ahead(Feed(NonRetryableError("no such topic")), Reader(), 10, 0.0)
    with pytest.raises(NonRetryableError, match="no such topic"):
        ahead.take(5)
    ahead.close()


def test_what_could_not_be_read_for_now_is_read_again():
    class Away(Reader):
        times = 2

        def read(self, messages):
            if self.times:
                self.times -= 1
                raise RetryableError("the registry is away")
            return super().read(messages)

    ahead = Ahead(Feed([1, 2], [3]), Away(), 10, 0.0)
    for _ in range(2):
        with pytest.raises(RetryableError):
            taken(ahead)
    assert taken(ahead) == [1, 2, 3]
    ahead.close()


def test_reading_rests_behind_little_alone_and_may_be_ended_there():
    feed = Feed([1, 2], [3, 4], [5], [6, 7])
    ahead = Ahead(feed, Reader(), 2, 0.0, rest_seconds=3_600.0)
    found = []
    while len(found) < 5:
        found += [n for _, decoded in ahead.take(5) for n in decoded.rows["n"].to_pylist()]
    assert found == [1, 2, 3, 4, 5]
    assert (ahead.take(0.05), feed.asked) == ((), 3)
    ahead.acknowledge({"p": "5"})
    assert feed.acknowledged == {"p": "5"}
    ahead.close()
    assert feed.closed


def hurried(ahead):
    while not ahead.hurry():
        threading.Event().wait(0.001)


def test_a_rest_ends_where_somebody_is_in_a_hurry():
    feed = Feed([1], [2, 3], [4])
    ahead = Ahead(feed, Reader(), 10, 3_600.0, rest_seconds=3_600.0)
    assert [decoded.rows["n"].to_pylist() for _, decoded in ahead.take(5)] == [[1]]
    hurried(ahead)
    assert ahead.pending
    assert [decoded.rows["n"].to_pylist() for _, decoded in ahead.take(5)] == [[2, 3]]
    assert not ahead.pending
    ahead.close()


def test_whoever_is_in_a_hurry_hears_as_well_that_nothing_is_there():
    feed = Feed([1], [], [2])
    ahead = Ahead(feed, Reader(), 10, 0.0, rest_seconds=3_600.0)
    assert len(ahead.take(5)) == 1
    hurried(ahead)
    assert not ahead.take(3_600.0)
    assert [decoded.rows["n"].to_pylist() for _, decoded in ahead.take(5)] == [[2]]
    ahead.close()


def test_an_error_answers_whoever_is_in_a_hurry():
    ahead = Ahead(Feed([1], RetryableError("away"), [2]), Reader(), 10, 0.0, rest_seconds=3_600.0)
    assert len(ahead.take(5)) == 1
    hurried(ahead)
    with pytest.raises(RetryableError, match="away"):
        ahead.take(5)
    assert not ahead.pending
    assert [decoded.rows["n"].to_pylist() for _, decoded in ahead.take(5)] == [[2]]
    ahead.close()


def test_where_much_comes_nothing_rests():
    ahead = Ahead(Feed([1, 2], [3, 4], [5, 6]), Reader(), 2, 0.0, rest_seconds=3_600.0)
    assert not ahead.hurry()
    assert taken(ahead) == [1, 2, 3, 4, 5, 6]
    ahead.close()
