"""Files that grow, are rotated, cut short and replaced, and folders that files come to: nothing is read by half, and nothing is lost
without a word."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from tests.conformance.brokers.bytes_format import UNREAD

from headrace.business.ports import Position
from headrace.business.streams.messages import Feed, Sharing
from headrace.errors import NonRetryableError
from headrace.infrastructure.brokers.tail.source import TailSource

ALONE = Sharing("test")


def opened(folder: Path, path: str, after: Position | None = None, **options: Any) -> Feed:
    options = {"format": UNREAD, "settle": "0 seconds", **options}
    return TailSource.model_validate({"path": path, **options}).feed(folder, ALONE, {} if after is None else {path: after})


def taken(feed: Feed, most: int = 1000, polls: int = 6) -> list[bytes]:
    """What a feed has now."""
    return [payload for _ in range(polls) for some in feed.poll(most, 0.0) for payload in some.payloads.to_pylist()]


def end_of(feed: Feed) -> Position:
    """Behind what a feed gives at once."""
    (messages,) = feed.poll(1000, 30.0)
    return messages.last


def write(path: Path, text: str, age: float = 0.0) -> None:
    with path.open("a") as file:
        file.write(text)
    if age:
        stamp = path.stat().st_mtime - age
        os.utime(path, (stamp, stamp))


def test_half_a_line_waits_for_its_end(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    write(log, "one\ntw")
    feed = opened(tmp_path, "a.log")
    assert taken(feed) == [b"one"]
    write(log, "o\r\n\n\nthree\n")
    assert taken(feed) == [b"two", b"three"]
    feed.close()


def test_a_file_may_come_later_than_its_reader(tmp_path: Path) -> None:
    feed = opened(tmp_path, "a.log")
    assert taken(feed) == []
    assert feed.lag() == {"a.log": 0}
    write(tmp_path / "a.log", "one\n")
    assert feed.lag() == {"a.log": None}
    assert taken(feed) == [b"one"]
    feed.close()


@pytest.mark.parametrize("most_bytes", [1, 7, 100, 100_000])
def test_blocks_are_whole_lines_and_all_of_them(tmp_path: Path, most_bytes: int) -> None:
    dice = random.Random(most_bytes)
    text = "".join(f"{n}{'x' * dice.randint(0, 30)}\n" for n in range(2000))
    write(tmp_path / "a.log", text + "not yet")
    feed = opened(tmp_path, "a.log", message="block", block_bytes=most_bytes)
    blocks = taken(feed, most=3000)
    assert b"".join(blocks).decode() == text
    assert all(block.endswith(b"\n") for block in blocks)
    assert all(len(block) <= most_bytes or block.count(b"\n") == 1 for block in blocks)
    feed.close()


def test_a_position_behind_any_block_goes_on_with_the_next(tmp_path: Path) -> None:
    write(tmp_path / "a.log", "".join(f"line {n}\n" for n in range(500)))
    feed = opened(tmp_path, "a.log", message="block", block_bytes=200)
    (messages,) = feed.poll(1000, 30.0)
    feed.close()
    blocks = messages.payloads.to_pylist()
    for number in (0, 5, len(blocks) - 2):
        again = opened(tmp_path, "a.log", Position(messages.positions[number].as_py()), message="block", block_bytes=200)
        assert taken(again) == blocks[number + 1 :]
        again.close()


def rotate(folder: Path) -> None:
    older = sorted(folder.glob("a.log.*"), reverse=True)
    for path in older:
        path.rename(folder / f"a.log.{int(path.suffix[1:]) + 1}")
    (folder / "a.log").rename(folder / "a.log.1")


def test_a_file_that_is_rotated_is_read_to_its_end_and_then_the_new_one(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    write(log, "one\n")
    feed = opened(tmp_path, "a.log")
    assert taken(feed) == [b"one"]
    write(log, "two\nthe last of the old")
    rotate(tmp_path)
    write(tmp_path / "a.log", "three\n")
    assert taken(feed) == [b"two", b"the last of the old", b"three"]
    feed.close()


def test_files_that_are_rotated_twice_unseen_are_read_in_between(tmp_path: Path) -> None:
    write(tmp_path / "a.log", "one\n", age=300)
    feed = opened(tmp_path, "a.log")
    position = end_of(feed)
    for number, text in enumerate(("two\n", "three\n")):
        rotate(tmp_path)
        write(tmp_path / "a.log", text, age=200 - 100 * number)
    rotate(tmp_path)
    write(tmp_path / "a.log", "four\n")
    again = opened(tmp_path, "a.log", position)
    for reader in (feed, again):
        assert taken(reader) == [b"two", b"three", b"four"]
        reader.close()


def cut_short(log: Path) -> None:
    log.write_text("")


def written_anew(log: Path) -> None:
    log.write_text("other lines, and more of them than there were\n" * 20)


@pytest.mark.parametrize("harm", [cut_short, written_anew])
def test_a_file_that_is_cut_short_is_told_and_read_on_only_when_told_so(tmp_path: Path, harm: Callable[[Path], None]) -> None:
    log = tmp_path / "a.log"
    write(log, "one\ntwo\n")
    feed = opened(tmp_path, "a.log")
    position = end_of(feed)
    harm(log)
    with pytest.raises(NonRetryableError, match="cut short") as told:
        taken(feed)
    assert "on_gap: continue" in str(told.value)
    with pytest.raises(NonRetryableError, match=r"neither .* nor a file that it was rotated to"):
        opened(tmp_path, "a.log", position)
    lenient = opened(tmp_path, "a.log", position, on_gap="continue")
    write(log, "three\n")
    assert taken(lenient)[-1] == b"three"
    for one in (feed, lenient):
        one.close()


def test_files_of_a_folder_come_in_the_order_of_their_names(tmp_path: Path) -> None:
    for name, text in (("2.log", "c\nd"), ("1.log", "a\nb"), (".3.log", "hidden\n"), ("3.log.tmp", "unfinished\n")):
        write(tmp_path / name, text)
    feed = opened(tmp_path, "*.log*")
    assert taken(feed) == [b"a", b"b", b"c"]
    write(tmp_path / "3.log", "e\n")
    assert taken(feed) == [b"d", b"e"]
    assert feed.lag() == {"*.log*": 0}
    feed.close()


def test_a_last_line_without_end_waits_until_the_file_is_left_alone(tmp_path: Path) -> None:
    write(tmp_path / "1.log", "a\nhal")
    write(tmp_path / "2.log", "c\n")
    feed = opened(tmp_path, "*.log", settle="1 hour")
    assert taken(feed) == [b"a"]
    write(tmp_path / "1.log", "f\n", age=7200)
    assert taken(feed) == [b"half", b"c"]
    feed.close()


def test_a_file_that_comes_too_late_for_its_name_is_told(tmp_path: Path) -> None:
    write(tmp_path / "1.log", "a\n")
    write(tmp_path / "3.log", "c\n")
    feed = opened(tmp_path, "*.log")
    assert taken(feed) == [b"a", b"c"]
    write(tmp_path / "2.log", "b\n")
    write(tmp_path / "4.log", "d\n")
    with pytest.raises(NonRetryableError, match=r"2\.log came behind 3\.log"):
        taken(feed)
    feed.close()


def test_a_file_that_grows_after_it_was_finished_is_told(tmp_path: Path) -> None:
    write(tmp_path / "1.log", "a\n")
    write(tmp_path / "2.log", "b\n")
    feed = opened(tmp_path, "*.log")
    assert taken(feed) == [b"a", b"b"]
    write(tmp_path / "1.log", "too late\n")
    write(tmp_path / "3.log", "c\n")
    with pytest.raises(NonRetryableError, match=r"1\.log has changed after it was finished"):
        taken(feed)
    feed.close()


def test_whole_files_are_messages_with_a_position_each(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.bin").write_bytes(f"{name}\n\n{name}".encode())
    (tmp_path / "bb.bin").write_bytes(b"")
    feed = opened(tmp_path, "*.bin", message="file")
    (messages,) = feed.poll(1, 30.0)
    assert messages.payloads.to_pylist() == [b"a\n\na"]
    assert feed.lag() == {"*.bin": 3}
    assert taken(feed) == [b"b\n\nb", b"c\n\nc"]
    feed.close()
    again = opened(tmp_path, "*.bin", messages.last, message="file")
    assert taken(again) == [b"b\n\nb", b"c\n\nc"]
    again.close()


def test_a_whole_file_is_not_read_before_it_is_left_alone(tmp_path: Path) -> None:
    write(tmp_path / "a.bin", "half")
    feed = opened(tmp_path, "*.bin", message="file", settle="1 hour")
    assert taken(feed) == []
    write(tmp_path / "a.bin", " and half", age=7200)
    assert taken(feed) == [b"half and half"]
    feed.close()


def test_what_cannot_be_is_told(tmp_path: Path) -> None:
    with pytest.raises(NonRetryableError, match="there is no folder"):
        opened(tmp_path, "nowhere/a.log")
    with pytest.raises(ValidationError, match="whole files are messages of a pattern"):
        TailSource.model_validate({"path": "a.bin", "message": "file", "format": UNREAD})
