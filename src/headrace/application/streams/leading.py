"""What the worker that leads a stream does about the others: shares partitions out, hears what they have made, tells them what counts.

Not how they are reached (`group`), nor how what they made becomes part of the stream (`run`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from headrace.application.streams.group import Group, Member
from headrace.application.streams.intake import Intake
from headrace.application.streams.portions import Portion
from headrace.application.streams.wire import Word, portion_of
from headrace.bus.events import Event
from headrace.bus.streams import StreamSharedEvent
from headrace.business.streams.messages import Sharing
from headrace.errors import NonRetryableError


class Leading:
    """The other workers of a stream, to the run that leads it."""

    def __init__(
        self,
        group: Group,
        run_id: str,
        stream: str,
        intakes: Sequence[Intake],
        take_in: Callable[[Intake, Portion], None],
        tell: Callable[[Event], None],
    ) -> None:
        self.group, self.run_id, self.stream = group, run_id, stream
        self.intakes = {intake.name: intake for intake in intakes}
        self._take_in, self._tell = take_in, tell
        self.rows = 0
        """How many rows the others have read."""

    @property
    def sharing(self) -> Sharing:
        """The share of the worker that leads."""
        return Sharing(self.stream, 0, len(self.group.members) + 1)

    def share_out(self, start: str | None) -> None:
        """Everybody goes on behind what is taken in. `start` is where partitions begin of which no position is known."""
        seats = frozenset(self.group.members)
        known = {name: [[w.partition, w.position, w.horizon] for w in i.wakes.known()] for name, i in self.intakes.items()}
        saved = {name: intake.saved() for name, intake in self.intakes.items()}
        self.group.share_out({"sources": saved, "wakes": known, "start": start})
        for intake in self.intakes.values():
            intake.shared_anew(seats)
        workers = [self.group.members[seat].name for seat in sorted(seats)]
        self._tell(StreamSharedEvent(self.run_id, self.stream, self.group.generation, workers))

    def hear(self) -> None:
        """Everything that was said since the last time."""
        for member, word in self.group.words():
            self._heed(member, word)

    def _heed(self, member: Member, word: Word) -> None:
        if word.about == "failed":
            self._part_with(member, word.data)
            return
        data = word.data
        intake = self.intakes[data["source"]]
        match word.about:
            case "portion":
                portion = portion_of(word)
                rows = portion.rows
                member.rows, self.rows = member.rows + rows, self.rows + rows
                self._take_in(intake, portion)
            case "reads":
                intake.elsewhere.reads(member.seat, data["partitions"], data["lag"], exhausted=data["exhausted"])
            case "asleep":
                intake.fell_asleep(data["partition"])
            case "goes on":
                self._let_go_on(member, intake, data["partition"])

    def _let_go_on(self, member: Member, intake: Intake, partition: str) -> None:
        """From here on the partition holds windows open: none that its rows may belong to closes unseen."""
        intake.elsewhere.holds(member.seat, partition)
        self.group.say(member, "horizon", {"horizon": intake.goes_on(partition)})

    def _part_with(self, member: Member, data: Mapping[str, Any]) -> None:
        """What passes is met by the next one, or not; what does not would stop a stream of one worker, too."""
        if data["kind"] == "final":
            raise NonRetryableError(f"{member.name}: {data['message']}", hint=data["hint"])
        member.lost, member.failed = data["message"], True

    def acknowledge(self) -> None:
        """Everything up to the positions that are known here is dealt with for good."""
        for seat, member in self.group.members.items():
            mine = {
                name: {p: intake.positions[p] for p in intake.elsewhere.partitions.get(seat, ()) if p in intake.positions}
                for name, intake in self.intakes.items()
            }
            self.group.say(member, "acknowledge", mine)

    def as_data(self) -> Sequence[Mapping[str, Any]]:
        """Who they are and what they read, as plain data."""
        return [
            {
                "seat": seat,
                "worker": member.name,
                "partitions": {name: list(i.elsewhere.partitions.get(seat, ())) for name, i in self.intakes.items()},
                "read": member.rows,
            }
            for seat, member in sorted(self.group.members.items())
        ]
