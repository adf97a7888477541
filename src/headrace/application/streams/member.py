"""A worker that has a seat at a stream: reads the partitions that it is given, works on what it reads, and says what it has made of it.

It keeps nothing, and may be ended at any moment. Not who leads (see `group`), nor what becomes of what it says.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from headrace.application.orchestrator.seats import Seat
from headrace.application.streams.group import Link
from headrace.application.streams.intake import Intake, Taken
from headrace.application.streams.portions import portion
from headrace.application.streams.wire import Word, read, word_of, written
from headrace.business.model.stream import StreamOptions
from headrace.business.processing.plan import Plan
from headrace.business.streams.beginning import parse_start
from headrace.business.streams.engine import StreamSession
from headrace.business.streams.messages import MessageSource, Sharing
from headrace.business.streams.watermarks import Woken
from headrace.errors import HeadraceError, RetryableError

#: How often it is said which partitions are read, and how much waits there, in seconds.
REPORT_EVERY = 0.25


class _Superseded(Exception):
    """What was asked is not of interest any more: partitions are shared out anew, or all is over."""


class Member:
    """See the module. `execute` returns when it is not needed any more."""

    def __init__(self, plan: Plan, session: StreamSession, link: Link, seat: Seat, name: str, project: Path) -> None:
        self.plan, self.session, self.link, self.seat, self.name, self.project = plan, session, link, seat, name, project
        self.options = plan.definition.stream or StreamOptions()
        self.intakes: tuple[Intake, ...] = ()
        self._generation = 0
        self._over = False
        self._reported_at = self._refreshed_at = float("-inf")

    def execute(self) -> None:
        self._say("hello", {"seat": self.seat.number, "worker": self.name})
        try:
            while not self._over:
                self._turn()
        except HeadraceError as error:
            kind = "retryable" if isinstance(error, RetryableError) else "final"
            with suppress(RetryableError):  # whoever leads may be gone, which is why
                self._say("failed", {"kind": kind, "message": error.message, "hint": error.hint})
            raise
        finally:
            self._close()
            self.link.close()

    def _turn(self) -> None:
        with suppress(_Superseded):
            while not self._over and (self.link.waiting(0) or not self._generation):
                self._heed(read(self.link.receive()))
            if self._over:
                return
            self._refresh()
            wait = self.options.wait.total_seconds() / len(self.intakes)
            for intake in self.intakes:
                for taken in intake.poll(wait):
                    self._work(intake, taken)
            self._report()

    def _work(self, intake: Intake, taken: Taken) -> None:
        # Rules of how rows come remember rows: only whoever leads can judge by them.
        made = portion(None if intake.planned.contract.arrivals else self.session, taken)
        intake.came(made.partition, made.last, made.worked.judged.highest if made.worked else None)
        self.link.send(written(word_of(made, self._generation)))

    def _report(self) -> None:
        for intake in self.intakes:
            for partition in sorted(intake.newly_idle()):
                self._say("asleep", {"source": intake.name, "partition": partition})
        if time.monotonic() - self._reported_at < REPORT_EVERY:
            return
        self._reported_at = time.monotonic()
        for intake in self.intakes:
            over = intake.feed.exhausted  # before the others: what comes in between is told of first
            lag = dict(intake.lag())
            self._say("reads", {"source": intake.name, "partitions": list(intake.look()), "lag": lag, "exhausted": over})

    def _refresh(self) -> None:
        every = self.options.refresh
        if every is not None and time.monotonic() - self._refreshed_at >= every.total_seconds():
            self.session.refresh()
            self._refreshed_at = time.monotonic()

    # What whoever leads has to say -----------------------------------------------------------------------------------

    def _heed(self, word: Word) -> None:
        match word.about:
            case "share":
                self._share(word)
            case "acknowledge":
                for intake in self.intakes:
                    intake.acknowledge(word.data[intake.name])
            case "over":
                self._over = True

    def _share(self, word: Word) -> None:
        self._close()
        self._generation, data = word.generation, word.data
        start = None if data["start"] is None else parse_start(data["start"]).start
        sharing = Sharing(self.plan.definition.pipeline, data["member"], data["members"])
        intakes = []
        for source in self.plan.sources:
            written_source = self.plan.definition.sources[source.name]
            if not isinstance(written_source.plugin, MessageSource):
                continue
            ask: Callable[[str], int | None] = partial(self._ask, source.name)
            intake = Intake(
                source, written_source.plugin, written_source.watermark, self.project, ask=ask, seat=self.seat.number
            )
            if (saved := data["sources"].get(source.name)) is not None:
                intake.restore(saved)
            for woken in data["wakes"][source.name]:
                intake.wakes.note(Woken(*woken))
            intake.open(sharing, start, self.options)
            intakes.append(intake)
        self.intakes = tuple(intakes)
        self._reported_at = float("-inf")

    def _ask(self, source: str, partition: str) -> int | None:
        """Whether a partition that nobody has heard of lately may go on: up to which horizon windows have closed without it."""
        self._say("goes on", {"source": source, "partition": partition})
        while True:
            word = read(self.link.receive())
            if word.about == "horizon" and word.generation == self._generation:
                horizon: int | None = word.data["horizon"]
                return horizon
            self._heed(word)
            if word.about in ("share", "over"):
                raise _Superseded

    def _say(self, about: str, data: Mapping[str, Any]) -> None:
        self.link.send(written(Word(about, self._generation, data)))

    def _close(self) -> None:
        for intake in self.intakes:
            intake.close()
        self.intakes = ()
