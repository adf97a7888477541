"""Dead letters are kept whole, once for each epoch, whoever dies when."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from headrace.business.streams.messages import DeadLetter
from headrace.errors import NonRetryableError
from headrace.infrastructure.storage.dead_letters import ParquetDeadLetters

FULL = DeadLetter(
    "3", "17", "json.invalid", "not JSON", b"\x00\xff", b"k", {"a": b"1", "b": b"\xff"}, datetime(2013, 1, 1, 1, 2, 3, 4, UTC)
)
EMPTY = DeadLetter("0", "", "message.without_body", "the message has no body", None)


def test_letters_come_back_as_they_were(tmp_path: Path) -> None:
    letters = ParquetDeadLetters(tmp_path / "a stream" / "a source")
    assert letters.epochs() == []
    letters.save(12, [FULL, EMPTY])
    letters.save(9, [EMPTY])
    assert letters.epochs() == [9, 12]
    assert letters.read(12) == [FULL, EMPTY]
    assert letters.read(10) == ()


def test_an_epoch_that_comes_again_replaces_what_was_there(tmp_path: Path) -> None:
    letters = ParquetDeadLetters(tmp_path)
    letters.save(1, [FULL, EMPTY])
    letters.save(1, [EMPTY])
    assert letters.read(1) == [EMPTY]
    letters.save(1, [])
    assert letters.epochs() == []


def test_letters_behind_an_epoch_are_forgotten(tmp_path: Path) -> None:
    letters = ParquetDeadLetters(tmp_path)
    for epoch in (1, 2, 3, 10):
        letters.save(epoch, [EMPTY])
    letters.let_go(2)
    assert letters.epochs() == [1, 2]
    letters.remove(1)
    letters.remove(1)
    assert letters.epochs() == [2]


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    letters = ParquetDeadLetters(tmp_path)
    letters.save(1, [FULL])
    (tmp_path / "1.parquet").write_bytes(b"PAR1")
    with pytest.raises(NonRetryableError, match=r"1\.parquet"):
        letters.read(1)
