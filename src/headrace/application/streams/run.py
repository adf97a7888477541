"""A run without end: takes messages in, works them in, and goes from epoch to epoch until it is told to stop, or nothing can come.

Everything between two epochs may be lost at any moment, and comes again. Not what rows mean (the engine), nor how an epoch is made
durable (`epochs`).
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from headrace.application.orchestrator.breakers import system_of
from headrace.application.orchestrator.graph import describe
from headrace.application.orchestrator.order import Order, Surroundings
from headrace.application.streams.ahead import DEPTH
from headrace.application.streams.checking import Checking
from headrace.application.streams.epochs import Epochs, OpenSink
from headrace.application.streams.group import Group
from headrace.application.streams.intake import Intake, Taken
from headrace.application.streams.keeping import StreamKeeping
from headrace.application.streams.leading import Leading
from headrace.application.streams.portions import Portion, portion
from headrace.application.streams.progress import Progress, validated
from headrace.application.streams.recovery import changes, take_up
from headrace.application.streams.silence import Silence
from headrace.bus.events import DataStoredEvent, PipelineStartedEvent
from headrace.bus.streams import PartitionWokeEvent, StreamProgressedEvent, StreamRecoveredEvent
from headrace.business.engine import QuarantineTarget
from headrace.business.model.stream import StreamOptions
from headrace.business.processing.plan import PlannedSink
from headrace.business.streams.beginning import parse_start
from headrace.business.streams.dead_letters import DeadLetters
from headrace.business.streams.engine import Streams, StreamSession
from headrace.business.streams.messages import DeadLetter, MessageSource, Sharing, Start
from headrace.errors import ContractBroken, told_at

if TYPE_CHECKING:
    import pyarrow as pa

#: How often numbers are looked at that cost a question, and how often they go on record, in seconds.
LOOK_EVERY, RECORD_EVERY = 1.0, 10.0
#: How long a checkpoint waits for a broker to say what is there.
HURRY_SECONDS = 0.1


#: Opens a group of workers for a run: its id, the fingerprint of its plan, how many workers it may be in all, and its token.
Gather = Callable[[str, str, int, int], AbstractContextManager[Group]]


class AroundStream(Surroundings, Protocol):
    """What a stream needs of the one who carries it out, beside what every run needs."""

    def stopping(self) -> bool:
        """Whether it is to come to a clean end. Raises `LeaseLost` when it is somebody else's."""
        ...

    def paused(self) -> bool:
        """Whether nothing more is to be taken in for now."""
        ...

    def progressed(self, progress: Progress) -> None:
        """Show people how it stands."""
        ...


class StreamRun:
    """One run of a stream. `execute` returns when it has come to a clean end."""

    session: StreamSession
    epochs: Epochs

    def __init__(self, order: Order, engine: Any, around: AroundStream, keeping: StreamKeeping, gather: Gather) -> None:
        self.order, self.around, self.keeping, self.gather = order, around, keeping, gather
        self.leading: Leading | None = None
        self._lasting: dict[str, Any] = {}
        self.engine = cast("Streams", engine)
        self.plan = order.plan
        self.name = order.plan.definition.pipeline
        self.options = order.plan.definition.stream or StreamOptions()
        self.progress = Progress(self.name)
        self._held: dict[str, list[tuple[str, pa.Table]]] = defaultdict(list)
        self._dead: dict[str, list[DeadLetter]] = defaultdict(list)
        self._changed = False
        self._horizon: int | None = None
        self._epoch_at = self._looked_at = self._recorded_at = self._refreshed_at = time.monotonic()
        self._due_at = self._epoch_at + self.options.checkpoint.total_seconds()
        self._rows_then = 0
        self._begun = time.monotonic()

    def interrupt(self) -> None:
        """Stop the statement that the engine is at, from another thread."""
        if hasattr(self, "session"):
            self.session.interrupt()

    def execute(self) -> bool:
        """Go on where the last epoch that counts has ended. Whether anything was done."""
        self._tell_start()
        with ExitStack() as opened:
            self._open(opened)
            self._recover()
            for intake in self.intakes:
                self._reach(intake)
                opened.callback(intake.close)
            self._record()
            if self.order.start is not None and self.order.start.letters:
                for intake in self.intakes:
                    self._take_letters_in(intake)
            self._call_others(opened)
            while not self.around.stopping() and not all(intake.exhausted for intake in self.intakes):
                self._turn()
            self._take_checkpoint()
            self.epochs.settle(self._facts())
            self._look()
            self._record()
        return self.epochs.number > 0

    # Opening ---------------------------------------------------------------------------------------------------------

    def _tell_start(self) -> None:
        self.around.tell(
            PipelineStartedEvent(
                self.order.run_id,
                pipeline=self.name,
                fingerprint=self.plan.fingerprint,
                params=self.order.params,
                definition=self.order.definition,
                graph=describe(self.plan),
                trigger=self.order.trigger,
            )
        )

    def _open(self, opened: ExitStack) -> None:
        definition, project = self.plan.definition, self.order.project
        self.intakes = tuple(
            Intake(source, plugin, definition.sources[source.name].watermark, project)
            for source in self.plan.sources
            if isinstance(plugin := definition.sources[source.name].plugin, MessageSource)
        )
        after = self.options.silence
        names = [intake.name for intake in self.intakes]
        self.silence = Silence(self.order.run_id, after.total_seconds(), names) if after is not None else None
        opening = partial(self.engine.stream, self.plan, self.order.workspace, project)
        self.session = self.around.attempted("opening the engine", opening)
        opened.callback(self.session.close)
        self.checking = Checking(self.order.run_id, self.plan, self.session, self.around.tell)
        sinks = tuple(map(self._open_sink, self.plan.sinks))
        store = self.around.attempted("opening the state", partial(self.keeping.state, self.name, self.options.state))
        self.epochs = Epochs(store, sinks, self.around.fence, self.around.attempted, self.around.reached)
        opened.callback(self.epochs.close)

    def _open_sink(self, sink: PlannedSink) -> OpenSink:
        system, place = system_of(sink.publisher), self.plan.definition.place_of_sink(sink.name)
        opening = partial(self.keeping.outlet, sink.publisher, self.order.project, self.name, self.plan.schema(sink.dataset))
        with told_at(place):
            outlet = self.around.attempted(f"opening {sink.name}", opening, system)
        return OpenSink(sink.name, sink.dataset, outlet, system, place)

    def _at(self, intake: Intake) -> AbstractContextManager[None]:
        return told_at(self.plan.definition.place_of_source(intake.name))

    def _reach(self, intake: Intake) -> None:
        with self._at(intake):
            self.around.attempted(f"reaching {intake.name}", partial(intake.open, self._sharing(), self._start, self.options))

    def _recover(self) -> None:
        facts = take_up(self.epochs, self.session, self.intakes, self.order.start, self.order.run_id)
        self._lasting = {key: facts[key] for key in ("start", "begun_anew") if key in facts}
        self.checking.restore(facts.get("checks", {}))
        self.progress.epoch = self.epochs.number
        for intake in self.intakes:
            self.keeping.let_go(self.order.quarantine / intake.name, self.epochs.number)
            self._letters(intake).let_go(self.epochs.number)
            self._put_letters_away(intake)
        if facts:
            self.around.tell(StreamRecoveredEvent(self.order.run_id, self.name, self.epochs.number, self._positions()))

    @property
    def _start(self) -> Start | None:
        """Where partitions begin of which no position is known, when somebody has said so."""
        return parse_start(self._lasting["start"]).start if "start" in self._lasting else None

    def _sharing(self) -> Sharing:
        return self.leading.sharing if self.leading is not None else Sharing(self.name)

    def _call_others(self, opened: ExitStack) -> None:
        """Offer seats to other workers, when the definition wants some."""
        if self.options.workers > 1:
            group = opened.enter_context(
                self.gather(self.order.run_id, self.plan.fingerprint, self.options.workers, self.around.fence.token)
            )
            self.leading = Leading(group, self.order.run_id, self.name, self.intakes, self._take_in, self.around.tell)

    def _positions(self) -> dict[str, Mapping[str, str]]:
        return {intake.name: dict(intake.positions) for intake in self.intakes}

    def _facts(self) -> Mapping[str, Any]:
        return {
            "pipeline": self.name,
            "fingerprint": self.plan.fingerprint,
            **self._lasting,
            "checks": self.checking.saved(),
            "sources": {intake.name: intake.saved() for intake in self.intakes},
        }

    # Working ---------------------------------------------------------------------------------------------------------

    def _turn(self) -> None:
        """One micro-batch of each source, and a checkpoint when it is time."""
        self._refresh()
        self.progress.paused = self.around.paused()
        due = time.monotonic() >= self._due_at
        if self.leading is not None and self.leading.group.look():
            self._share_out(self.leading)
        if self.progress.paused:
            if self.silence is not None:
                self.silence.paused()
            time.sleep(self.options.wait.total_seconds() or 0.01)
        else:
            if not due:
                for intake in self.intakes:
                    self._take(intake, self._patience)
            if self.leading is not None:
                self.leading.hear()
        self._advance()
        if due:
            self._end_epoch()
        if time.monotonic() - self._looked_at >= LOOK_EVERY:
            self._look()

    def _share_out(self, leading: Leading) -> None:
        """Workers have come or gone: partitions are shared out anew, behind what is taken in and counts."""
        self._take_checkpoint()
        leading.share_out(self._lasting.get("start"))
        for intake in self.intakes:
            intake.close()
            self._reach(intake)

    @property
    def _patience(self) -> float:
        """How long it is waited for messages of each source, in seconds: not at all while another worker is to be heard."""
        others = self.leading is not None and self.leading.group.waiting
        return 0.0 if others else self.options.wait.total_seconds() / len(self.intakes)

    def _take(self, intake: Intake, wait: float) -> None:
        with self._at(intake):
            polled = self.around.attempted(f"reading {intake.name}", lambda: list(intake.poll(wait)), system_of(intake.source))
        for taken in polled:
            self._work_in(intake, taken)

    def _work_in(self, intake: Intake, taken: Taken) -> None:
        self._take_in(intake, portion(self.session, taken))

    def _take_in(self, intake: Intake, portion: Portion) -> None:
        """What some messages have become is part of the next epoch, whoever has read them."""
        self._changed = True
        if self.silence is not None:
            self.around.tell(*self.silence.heard(intake.name))
        count = self.progress.source(intake.name)
        count.messages += portion.messages
        count.bytes += portion.bytes
        count.dead += len(portion.dead)
        if (woken := portion.woken) is not None:
            intake.woke(woken)
            self.around.tell(PartitionWokeEvent(self.order.run_id, intake.name, woken.partition, woken.position, woken.horizon))
        self._dead[intake.name] += portion.dead
        worked = portion.worked
        if portion.arrived is not None:
            worked = self.session.work(intake.dated(portion.arrived))
        intake.came(portion.partition, portion.last, worked.judged.highest if worked else None)
        if worked is None:
            return
        self.session.take_in(worked)
        count.add(intake.name, worked.judged)
        if worked.judged.held is not None:
            self._held[intake.name].append((portion.partition, worked.judged.held))
            self._stop_if_broken(intake.name, worked.judged.rules)

    def _stop_if_broken(self, source: str, rules: Any) -> None:
        broken = [f"{rule.rule} ({rule.rows} rows)" for rule in rules if rule.action == "fail" and rule.rows]
        if broken:
            raise ContractBroken(
                f"dataset `{source}` breaks what must not be broken: {', '.join(broken)}",
                hint="nothing of these messages counts yet; mend the rule or its `on_violation`, and the stream goes on with them",
            )

    def _advance(self) -> None:
        horizons = [intake.advance() for intake in self.intakes if intake.watermarks is not None]
        known = [horizon for horizon in horizons if horizon is not None]
        if known and len(known) == len(horizons) and min(known) != self._horizon:
            self._horizon = min(known)
            self.session.advance(self._horizon)

    @property
    def _settled(self) -> int | None:
        """Up to where in event time nothing more comes that is in time, whatever closes at the end."""
        if not all(intake.exhausted for intake in self.intakes):
            return self._horizon
        reached = [intake.watermarks.reached for intake in self.intakes if intake.watermarks is not None]
        known = [each for each in reached if each is not None]
        return min(known) if known and len(known) == len(reached) else None

    def _refresh(self) -> None:
        every = self.options.refresh
        if every is not None and time.monotonic() - self._refreshed_at >= every.total_seconds():
            self.session.refresh()
            self._refreshed_at = time.monotonic()

    # Checkpoints -----------------------------------------------------------------------------------------------------

    def _end_epoch(self) -> None:
        """What is there now is taken in, and counts."""
        begun = time.monotonic()
        keeps_up = self.progress.paused or self._take_what_is_there()
        self._take_checkpoint()
        ended = time.monotonic()
        # Where checkpoints take longer than what lies between them, a third of the time is left to what waits behind.
        self._due_at = max(begun + self.options.checkpoint.total_seconds(), ended if keeps_up else ended + (ended - begun) / 2)

    def _take_what_is_there(self) -> bool:
        """Whether that was all: of sources that do not rest, since much comes, it is what lies ready."""
        rested = [intake.hurry() for intake in self.intakes]
        for intake, hurried in zip(self.intakes, rested, strict=True):
            self._take(intake, HURRY_SECONDS if hurried else 0.0 if self._changed else self._patience)
            for _ in range(DEPTH):
                if hurried and intake.pending:
                    self._take(intake, HURRY_SECONDS)
        return all(rested)

    def _take_checkpoint(self) -> None:
        begun = time.monotonic()
        self._advance()
        judged = self.checking.judged
        output = self.checking.judge(self.session.drain(), self._settled)
        if self._changed or judged < self.checking.judged or any(table.num_rows for table in output.values()):
            self._keep_what_was_not_taken(self.epochs.number + 1)
            published = self.epochs.checkpoint(self._facts(), changes(self.session, self.intakes), output, self._acknowledge)
            for sink in self.plan.sinks:
                self.progress.sink(sink.name).add(output[sink.dataset].num_rows, published[sink.name])
            self.epochs.forget(self.options.epochs)
            self._changed = False
            self.progress.epoch = self.epochs.number
            self.progress.checkpoint_seconds = time.monotonic() - begun
        self._epoch_at = time.monotonic()

    def _keep_what_was_not_taken(self, epoch: int) -> None:
        for name, held in self._held.items():
            source = next(s for s in self.plan.sources if s.name == name)
            target = QuarantineTarget(self._quarantine(name), self.name, self.order.run_id)
            self.keeping.hold(source, target, epoch, held)
        for name, letters in self._dead.items():
            self.keeping.dead_letters(self.name, name).save(epoch, letters)
        self._held.clear()
        self._dead.clear()

    def _letters(self, intake: Intake) -> DeadLetters:
        return self.keeping.dead_letters(self.name, intake.name)

    def _take_letters_in(self, intake: Intake) -> None:
        """Read once more what could not be read, before anything new comes. What can be read now counts with the next epoch, behind
        which it is no dead letter any more; the rest is one again."""
        letters = self._letters(intake)
        again = letters.epochs()
        for epoch in again:
            for taken in intake.once_more(letters.read(epoch)):
                self._work_in(intake, taken)
        if again:
            intake.letters_until = again[-1]
            self._take_checkpoint()
            self._put_letters_away(intake)

    def _put_letters_away(self, intake: Intake) -> None:
        """Remove the letters of epochs whose letters were taken in."""
        letters = self._letters(intake)
        for epoch in letters.epochs():
            if epoch <= intake.letters_until:
                letters.remove(epoch)

    def _quarantine(self, source: str) -> Path:
        return self.order.quarantine / source / f"{self.order.run_id}.parquet"

    def _acknowledge(self) -> None:
        for intake in self.intakes:
            intake.acknowledge(intake.positions)
        if self.leading is not None:
            self.leading.acknowledge()

    # Being seen ------------------------------------------------------------------------------------------------------

    def _look(self) -> None:
        now, read = time.monotonic(), sum(count.read for count in self.progress.sources.values())
        self.progress.rate = (read - self._rows_then) / max(now - self._looked_at, 1e-6)
        self._rows_then, self._looked_at = read, now
        self.progress.checkpoint_age_seconds = now - self._epoch_at
        self.progress.state = self.session.measures()
        for intake in self.intakes:
            with self._at(intake):
                lag = self.around.attempted(f"asking how far {intake.name} is", intake.lag, system_of(intake.source))
            self.progress.lag[intake.name] = dict(lag)
            horizon = intake.watermarks.horizon if intake.watermarks else None
            if horizon is not None:
                self.progress.delay_seconds[intake.name] = round(time.time() - horizon / 1_000_000, 3)
        self.progress.workers = self.leading.as_data() if self.leading is not None else ()
        if self.silence is not None:
            self.around.tell(*self.silence.listening())
        self.around.progressed(self.progress)
        if now - self._recorded_at >= RECORD_EVERY:
            self._record()

    def _stored(self, sink: PlannedSink) -> DataStoredEvent:
        target = sink.publisher.target(self.order.project)
        checkpoint, count = f"epoch {self.epochs.number}", asdict(self.progress.sink(sink.name))
        return DataStoredEvent(self.order.run_id, sink.name, sink.kind, sink.dataset, target, checkpoint, **count)

    def _record(self) -> None:
        self._recorded_at = time.monotonic()
        run_id, seconds = self.order.run_id, round(time.monotonic() - self._begun, 3)
        judged = (
            validated(run_id, name, count, self._quarantine(name), seconds) for name, count in self.progress.sources.items()
        )
        stored = (self._stored(sink) for sink in self.plan.sinks)
        self.around.tell(*judged, *stored, StreamProgressedEvent(run_id, **self.progress.as_data()))
