"""A checkpoint that cannot be restored: it is said so, nothing is touched, and there is a way on."""

from __future__ import annotations

import shutil
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.integration.streams.flows import Flow
from tests.integration.streams.test_golden import PIPELINES, a_flow, result

from headrace import bootstrap
from headrace.errors import NonRetryableError

STATE = Path(".headrace/streams/counted")


def cut(at: float) -> Callable[[bytes], bytes]:
    return lambda whole: whole[: int(len(whole) * at)]


def flipped(at: float) -> Callable[[bytes], bytes]:
    def flip(whole: bytes) -> bytes:
        place = int((len(whole) - 1) * at)
        return whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1 :]

    return flip


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "empty": cut(0.0),
    "cut in its head": cut(0.01),
    "cut in the middle": cut(0.5),
    "cut at its end": cut(0.999),
    "a bit of its first byte": flipped(0.0),
    "a bit of its head": flipped(0.02),
    "a bit in the middle": flipped(0.5),
    "a bit of its last byte": flipped(1.0),
    "more than there was": lambda whole: whole + b"\0",
}


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Flow:
    """A stream that died in the middle of its way, with what it would have come to."""
    plain = a_flow(tmp_path_factory.mktemp("plain") / "flow", PIPELINES["tumbling"])
    bootstrap.run(bootstrap.load(plain.file))
    flow = a_flow(tmp_path_factory.mktemp("killed") / "flow", PIPELINES["tumbling"], rows=23, checkpoint="1 ms")
    assert flow.start("stream committed@9").wait(timeout=120) == -signal.SIGKILL, flow.said
    shutil.copy(plain.folder / "out.duckdb", flow.folder / "expected.duckdb")
    return flow


def a_copy(killed: Flow, folder: Path) -> tuple[Flow, Path]:
    """The same stream in another folder, and the file of its newest epoch."""
    flow = Flow(shutil.copytree(killed.folder, folder / "flow"), killed.parts)
    return flow, max((flow.folder / STATE).glob("epoch-*.state"))


def kept(flow: Flow) -> tuple[dict[str, bytes], list[Any]]:
    """Its epochs, to the byte, and what is published."""
    return {path.name: path.read_bytes() for path in (flow.folder / STATE).glob("epoch-*")}, result(flow.folder / "out.duckdb")


def test_it_is_refused_nothing_is_touched_and_when_it_is_brought_back_the_stream_goes_on(killed: Flow, tmp_path: Path) -> None:
    flow, newest = a_copy(killed, tmp_path)
    whole = newest.read_bytes()
    for how, damage in DAMAGE.items():
        newest.write_bytes(damage(whole))
        before = kept(flow)
        with pytest.raises(NonRetryableError, match="torn or damaged") as told:
            bootstrap.run(bootstrap.load(flow.file))
        assert str(newest) in str(told.value), how
        assert "begin the stream anew" in (told.value.hint or ""), how
        assert kept(flow) == before, how
    newest.write_bytes(whole)
    bootstrap.run(bootstrap.load(flow.file))
    assert result(flow.folder / "out.duckdb") == result(flow.folder / "expected.duckdb")


@pytest.mark.parametrize("how", ["a bit of its head"])
def test_a_stream_can_begin_anew_over_it(how: str, killed: Flow, tmp_path: Path) -> None:
    flow, newest = a_copy(killed, tmp_path)
    newest.write_bytes(DAMAGE[how](newest.read_bytes()))
    before = Counter(result(flow.folder / "out.duckdb"))
    bootstrap.run(bootstrap.load(flow.file), start="earliest")
    assert Counter(result(flow.folder / "out.duckdb")) - before == Counter(result(flow.folder / "expected.duckdb"))
