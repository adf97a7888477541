"""Streams whose workers are threads of this process: as they would be as processes of their own, without the time that those take to begin."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from tests.integration.streams.flows import Flow

from headrace import bootstrap
from headrace.application.orchestrator import failpoints
from headrace.bus.store import Envelope
from headrace.infrastructure import links
from headrace.infrastructure.links import TcpLink


class Threads:
    """See `infrastructure.children.Children`."""

    def prepare(self) -> None: ...

    def start(self, task: Callable[..., None], *arguments: Any, log: Path) -> Threaded:
        return Threaded(task, arguments)


class Threaded:
    """A worker at a stream that can be cut off, as if it were killed."""

    met: threading.local = threading.local()

    def __init__(self, task: Callable[..., None], arguments: tuple[Any, ...]) -> None:
        self.links: list[TcpLink] = []
        self._thread = threading.Thread(target=self._work, args=(task, arguments), daemon=True)
        self._thread.start()

    def _work(self, task: Callable[..., None], arguments: tuple[Any, ...]) -> None:
        self.met.links = self.links
        with suppress(SystemExit):
            task(*arguments)

    def ended(self) -> bool:
        return not self._thread.is_alive()

    def outcome(self) -> str:
        return "a thread"

    def kill(self) -> None:
        for link in self.links:
            link.close()
        self._thread.join(30)


def by_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on workers are threads."""
    come_in = links.come_in

    def noted(address: str, secret: bytes) -> TcpLink:
        link = come_in(address, secret)
        Threaded.met.links.append(link)
        return link

    monkeypatch.setattr(links, "come_in", noted)
    monkeypatch.setattr("headrace.bootstrap.gathering.processes", lambda _database: Threads())


def run_with(flow: Flow, workers: int) -> Sequence[Mapping[str, Any]]:
    """Run a stream that takes nothing in before so many workers are there; those beside the one that leads, as they were at the end."""
    pauses = bootstrap.pauses(flow.folder)
    found: list[Sequence[Mapping[str, Any]]] = [()]

    def hear(event: Envelope) -> None:
        if event.kind == "pipeline.started" and workers > 1:
            pauses.pause(flow.name, "the test")
        if event.kind == "stream.progressed":
            found[0] = event.data["workers"]

    def look(progress: Any) -> None:
        if progress.paused and len(progress.workers) == workers - 1:
            pauses.resume(flow.name)

    flow.parts["stream"]["workers"] = workers
    bootstrap.run(bootstrap.load(flow.write().file), watch=look, listen=hear)
    return found[0]


def stopped_at(monkeypatch: pytest.MonkeyPatch, point: str, times: int) -> None:
    """From now on the run is broken off where it comes to this point for so many times."""
    left = [times]

    def reached(at: str) -> None:
        left[0] -= at == point
        if left[0] == 0:
            left[0] -= 1
            raise KeyboardInterrupt

    monkeypatch.setattr(failpoints, "reached", reached)
