"""What workers of a stream say to each other comes out as it went in, and nothing in it is carried out."""

from __future__ import annotations

from datetime import UTC, datetime

import pyarrow as pa
import pytest

from headrace.application.streams.portions import Portion
from headrace.application.streams.wire import Word, portion_of, read, word_of, written
from headrace.business.engine import RuleCount
from headrace.business.ports import Position
from headrace.business.streams.engine import Arrived, Fed, Judged, Worked
from headrace.business.streams.messages import DeadLetter
from headrace.business.streams.watermarks import Woken

ROWS = pa.table({"n": pa.array([1, None], pa.int64()), "s": ["a\0", "🙂"]})
LETTER = DeadLetter("p", "7", "json.invalid", "no", b"\xff{", None, {"h": b"\x00"}, datetime(2024, 1, 2, tzinfo=UTC))
JUDGED = Judged(3, 2, 1, 0, 1, (RuleCount("r", "v", "quarantine", 1, ("n",)),), ROWS.slice(0, 1), 5)
PORTIONS = {
    "worked": Portion(
        "events", "p", Position("7"), 3, 99, (LETTER,), Woken("p", "5", 77),
        worked=Worked(JUDGED, {"raw": ROWS}, [Fed("counted", "", ROWS, ROWS.slice(1)), Fed("joined", "left", ROWS.slice(0, 0))]),
    ),
    "arrived": Portion(
        "events", "p", None, 2, 9,
        arrived=Arrived("events", "p", ROWS.combine_chunks().to_batches()[0], pa.array(["1", "2"])),
    ),
    "empty": Portion("events", "p", Position("8"), 0, 0, (LETTER,)),
}  # fmt: skip


@pytest.mark.parametrize("name", PORTIONS)
def test_a_portion_is_the_same_at_the_other_end(name: str) -> None:
    portion = PORTIONS[name]
    word = read(written(word_of(portion, 3)))
    assert (word.about, word.generation) == ("portion", 3)
    assert portion_of(word) == portion


def test_any_word_is_the_same_at_the_other_end() -> None:
    word = Word("share", 2, {"sources": {"events": {"positions": {"p": "7"}}}, "start": None})
    assert read(written(word)) == Word("share", 2, word.data, [])
