"""A file is finished when it was left alone for long enough, whatever the clock of the machine says meanwhile."""

from __future__ import annotations

from headrace.infrastructure.brokers.tail.settling import Settling


class Clocks:
    """One that is set now and then, and one that never is."""

    now, steady = 1000.0, 0.0

    def pass_by(self, seconds):
        self.now += seconds
        self.steady += seconds


def looked_at():
    clocks = Clocks()
    return clocks, Settling(10, lambda: clocks.now, lambda: clocks.steady)


def test_a_file_is_left_alone_that_nobody_has_changed_for_so_long():
    clocks, settling = looked_at()
    assert settling.left_alone(990.0)
    assert not settling.left_alone(991.0)
    clocks.pass_by(1.0)
    assert settling.left_alone(991.0)


def test_a_clock_set_forwards_finishes_no_file_that_is_being_written():
    clocks, settling = looked_at()
    clocks.pass_by(100.0)
    written = clocks.now
    clocks.now += 3600
    assert not settling.left_alone(written)
    clocks.pass_by(5.0)
    written = clocks.now
    clocks.pass_by(6.0)
    assert not settling.left_alone(written)
    clocks.pass_by(5.0)
    assert settling.left_alone(written)


def test_a_clock_set_backwards_keeps_no_file_open_for_an_hour():
    clocks, settling = looked_at()
    clocks.pass_by(100.0)
    written = clocks.now
    clocks.now -= 3600
    assert not settling.left_alone(written)
    clocks.pass_by(11.0)
    assert settling.left_alone(written)
