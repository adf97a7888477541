"""What is kept of streams is shown for people and removed, without running anything."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from headrace.application.queries.stream_states import kept_epoch, kept_streams
from headrace.bootstrap.stream_states import remove, stores
from headrace.business.ports import Fence
from headrace.business.streams.state import Saved
from headrace.errors import UsageError
from headrace.infrastructure.storage.state_stores import state_store


def part(**columns: list[object]) -> bytes:
    table = pa.table(columns)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


@pytest.fixture
def project(tmp_path: Path) -> Path:
    store = state_store("delays", None, tmp_path / ".headrace" / "streams")
    store.open(Fence("test", 1))
    store.save(Saved(1, {"positions": {"p": "1"}}, {"windows": part(key=["a", "b"], events=[1, 2])}, needs=1))
    store.save(Saved(2, {"positions": {"p": "2"}}, {"windows": part(key=["a"], events=[5]), "other": b"no table"}))
    store.close()
    return tmp_path


def test_streams_are_listed_with_their_epochs_and_bytes(project: Path):
    (found,) = kept_streams(stores(project))
    assert (found.stream, found.epochs) == ("delays", (1, 2))
    assert found.bytes == sum(file.stat().st_size for file in project.rglob("*.state"))


def test_an_epoch_is_shown_with_all_that_makes_its_state(project: Path):
    store = stores(project)["delays"]
    last = kept_epoch("delays", store)
    assert (last.epoch, last.base, last.facts) == (2, 1, {"positions": {"p": "2"}})
    assert last.parts["windows"].rows == 3
    table = last.parts["windows"].table
    assert table is not None
    assert table.to_pydict() == {"key": ["a", "b", "a"], "events": [1, 2, 5]}
    assert (last.parts["other"].rows, last.parts["other"].bytes) == (None, 8)
    assert kept_epoch("delays", store, 1).parts["windows"].rows == 2
    with pytest.raises(UsageError, match="epoch 9 of the stream `delays` is not kept") as told:
        kept_epoch("delays", store, 9)
    assert told.value.hint == "kept are 1, 2"


def test_a_stream_is_removed_by_its_name(project: Path):
    with pytest.raises(UsageError, match="no state of the stream `delay` is kept") as told:
        remove(project, "delay")
    assert "delays" in (told.value.hint or "")
    remove(project, "delays")
    assert not stores(project)
    assert not list(project.rglob("*.state"))
