"""Whatever order several writers come in, each exchange replaces what its writer had read, or is refused."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from headrace.infrastructure.connectors.stores import generations


class Drawer:
    """Files in memory that know nothing but names."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def names(self, folder: str) -> list[str]:
        return [key.removeprefix(f"{folder}/") for key in self.files if key.startswith(f"{folder}/")]

    def content(self, key: str) -> bytes | None:
        return self.files.get(key)

    def put_new(self, key: str, data: bytes) -> bool:
        return self.files.setdefault(key, data) is data

    def put(self, key: str, data: bytes) -> None:
        self.files[key] = data

    def remove(self, keys: Iterable[str]) -> None:
        for key in list(keys):
            self.files.pop(key, None)


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=40))
def test_an_exchange_succeeds_only_on_what_is_there(acts: list[tuple[int, bool]]):
    drawer, there = Drawer(), None
    read: dict[int, tuple[str | None, bytes | None]] = {}
    for number, (writer, reads) in enumerate(acts):
        if reads or writer not in read:
            found = generations.load(drawer, "at/key")
            assert (found.data if found else None) == there
            read[writer] = (found.token, found.data) if found else (None, None)
        else:
            token, seen = read.pop(writer)
            data = b"state %d" % number
            done = generations.swap(drawer, "at/key", data, token)
            assert (done is not None) == (seen == there)
            there = data if done is not None else there
            assert drawer.files.get("at/key") == there
    assert len(drawer.files) <= 2


def test_the_copy_that_a_crash_left_behind_is_mended_by_the_next():
    drawer = Drawer()
    token = generations.swap(drawer, "at/key", b"one", None)
    drawer.put_new("at/.key.000000000002", b"two")  # and its writer died
    assert drawer.files["at/key"] == b"one"
    found = generations.load(drawer, "at/key")
    assert found is not None
    assert found.data == b"two"
    assert generations.swap(drawer, "at/key", b"late", token) is None
    assert generations.swap(drawer, "at/key", b"three", found.token) == "3"
    assert drawer.files == {"at/key": b"three", "at/.key.000000000003": b"three"}


def test_an_exchange_whose_answer_got_lost_is_known_again():
    class Unsure(Drawer):
        """Does it, and says that it was done already."""

        def put_new(self, key: str, data: bytes) -> bool:
            super().put_new(key, data)
            return False

    unsure = Unsure()
    assert generations.swap(unsure, "at/key", b"one", None) == "1"
    assert unsure.files["at/key"] == b"one"
