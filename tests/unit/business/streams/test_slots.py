"""Whatever is added and whenever what is saved whole: the last epochs make all that was kept, and they are few."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.business.streams.slots import LONGEST_CHAIN, SLOT, SLOTS, Round, put_together, tagged

rows = st.lists(st.tuples(st.integers(0, SLOTS - 1), st.integers()), max_size=30)


class Kept:
    """A state of which a part is saved whole with each epoch."""

    def __init__(self) -> None:
        self.rows, self.round, self.saved = [], Round(), []

    def checkpoint(self, added):
        self.rows += added
        slots = self.round.due(len(self.rows), len(added))
        self.round.saved(slots)
        written = [row for row in added if row[0] not in slots] + [row for row in self.rows if row[0] in slots]
        self.saved.append(tagged(table(written), slots))

    def read(self):
        return put_together(self.saved[len(self.saved) - 1 - self.round.reach :])


def table(rows):
    return pa.table({SLOT: pa.array([s for s, _ in rows], pa.int8()), "n": pa.array([str(n) for _, n in rows], pa.string())})


def of(tables):
    return sorted(zip(*(pa.concat_tables(tables)[name].to_pylist() for name in (SLOT, "n")), strict=True))


@given(st.lists(rows, min_size=1, max_size=12), st.integers(0, 11))
def test_the_epochs_within_reach_make_the_state(batches, dies_after):
    kept = Kept()
    for number, batch in enumerate(batches):
        kept.checkpoint([(slot, n * 20_000) for slot, n in batch] * 500)
        tables, ages = kept.read()
        assert of(tables) == sorted((slot, str(n)) for slot, n in kept.rows)
        assert max(ages) == kept.round.reach
        if number == dies_after:
            kept.round = Round()
            kept.round.begin(ages)


def test_as_much_is_saved_again_as_is_added_and_every_slot_in_its_turn():
    rounds, kept, again, longest = Round(), 1_000_000, 0, 0
    for _ in range(1_000):
        slots = rounds.due(kept, 20_000)
        rounds.saved(slots)
        again += len(slots) * kept // SLOTS
        longest = max(longest, len(slots))
    assert 0.9 < again / (1_000 * 20_000) <= 1.05
    assert longest <= 2
    assert rounds.reach <= 60


def test_a_stream_to_which_nothing_comes_reaches_back_so_far_at_the_most():
    rounds = Round()
    for _ in range(3 * LONGEST_CHAIN):
        rounds.saved(rounds.due(1_000_000, 0))
        assert rounds.reach <= LONGEST_CHAIN


def test_a_small_state_is_saved_whole_seldom_and_all_at_once():
    rounds, saved = Round(), []
    for _ in range(3 * LONGEST_CHAIN):
        slots = rounds.due(1_000, 10)
        rounds.saved(slots)
        saved += [len(slots)] if slots else []
        assert rounds.reach <= LONGEST_CHAIN
    assert set(saved) == {SLOTS}
    assert len(saved) <= 6


@given(st.lists(st.integers(0, LONGEST_CHAIN - 2), min_size=SLOTS, max_size=SLOTS), st.integers(0, 100_000))
@settings(max_examples=30)
def test_whatever_the_ages_that_it_goes_on_with_it_comes_round(ages, kept):
    rounds = Round()
    rounds.begin(ages)
    for _ in range(3 * LONGEST_CHAIN):
        rounds.saved(rounds.due(kept, 0))
    assert rounds.reach <= LONGEST_CHAIN
