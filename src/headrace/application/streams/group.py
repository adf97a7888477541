"""The workers of one stream, as the one that leads it sees them: who has joined, who is lost, and what each has to say.

One worker *leads*: it holds the run's lease, keeps the state, and goes from epoch to epoch. Others take a *seat*: they read the
partitions that are shared out to them and work on what they read, without touching any state. What they made is taken in by the leading
one, partition by partition in order, so it makes no difference who read what. Nobody has to be trusted to stop: every word carries the
number of the sharing out that it belongs to, and those of an older one are thrown away.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from headrace.application.orchestrator.seats import Seat, Seats
from headrace.application.streams.wire import Word, read, written
from headrace.errors import RetryableError

#: How many words of a worker may wait to be taken in; behind that it has to wait itself.
DEPTH = 8
#: How long a seat that somebody has taken may stay empty, in seconds: a process has to begin and to look at its sources.
ARRIVAL = 60.0
#: How long whoever comes in may take to say who it is, in seconds.
PATIENCE = 2.0
#: How often it is looked for seats that stay empty, in seconds.
LOOK_EVERY = 1.0


class Link(Protocol):
    """A connection between two workers. Raises `RetryableError` once the other end is gone."""

    peer: str
    """Who is at the other end, for people."""

    def send(self, message: bytes) -> None: ...

    def receive(self) -> bytes: ...

    def waiting(self, seconds: float) -> bool:
        """Whether a message is there, within so long; true as well when the other end is gone."""
        ...

    def close(self) -> None: ...


class Door(Protocol):
    """Where workers come in. `address` and `secret` are what they need for that."""

    address: str
    secret: bytes

    def newcomers(self) -> Sequence[Link]:
        """Those that have come in since the last time, and have shown that they know the secret."""
        ...

    def close(self) -> None: ...


@dataclass
class Member:
    """A worker that has come in."""

    seat: int
    name: str
    link: Link
    words: queue.Queue[Word] = field(default_factory=lambda: queue.Queue(DEPTH))
    heard_at: float = field(default_factory=time.monotonic)
    lost: str = ""
    """Why it is not there any more."""
    failed: bool = False
    """Whether it has said so itself: it will not do better at once."""
    rows: int = 0
    """How many it has read."""

    def listen(self) -> None:
        """Take its words in until it is gone."""
        try:
            while not self.lost:
                word = read(self.link.receive())
                self.words.put(word)
                self.heard_at = time.monotonic()
        except RetryableError as error:
            self.lost = self.lost or error.message

    def say(self, word: Word) -> None:
        try:
            self.link.send(written(word))
        except RetryableError as error:
            self.lost = self.lost or error.message

    def is_silent(self, seconds: float) -> bool:
        return self.words.empty() and time.monotonic() - self.heard_at > seconds

    def close(self) -> None:
        self.lost = self.lost or "it is not needed any more"
        self.link.close()
        while not self.words.empty():  # whoever listens may be waiting for room
            self.words.get_nowait()


class Group:
    """See the module. Used by one thread, that of the leading worker; a thread of its own listens to each member."""

    def __init__(self, seats: Seats, door: Door, offered: Sequence[Seat], token: int, silence: float) -> None:
        self.seats, self.door, self.silence = seats, door, silence
        self.members: dict[int, Member] = {}
        self.generation = 0
        self._offered = {seat.number: seat for seat in offered}
        self._absent_since: dict[int, float] = {}
        self._looked_at = time.monotonic()
        seats.offer(offered, token)

    def look(self) -> bool:
        """See who has come and who is gone. Whether partitions have to be shared out anew."""
        changed = False
        for link in self.door.newcomers():
            changed = self._welcome(link) or changed
        for member in list(self.members.values()):
            if not member.lost and member.is_silent(self.silence):
                member.lost = f"it was silent for {self.silence:g} seconds"
            if member.lost and member.words.empty():  # what it has said before is heard first
                self._part_with(member)
                changed = True
        if time.monotonic() - self._looked_at > LOOK_EVERY:
            self._looked_at = time.monotonic()
            self._mind_the_absent()
        return changed

    def _welcome(self, link: Link) -> bool:
        if not link.waiting(PATIENCE):  # it may have been put to sleep: whoever leads does not wait for it
            link.close()
            return False
        try:
            hello = read(link.receive())
        except RetryableError:
            link.close()
            return False
        seat = int(hello.data["seat"])
        if hello.about != "hello" or seat in self.members or seat not in self._offered:
            link.close()
            return False
        member = self.members[seat] = Member(seat, str(hello.data["worker"]), link)
        threading.Thread(target=member.listen, name=f"headrace-seat-{seat}", daemon=True).start()
        return True

    def _part_with(self, member: Member) -> None:
        """Others go on behind what was heard of it."""
        member.close()
        del self.members[member.seat]
        if not member.failed:
            self.seats.free(self._offered[member.seat])

    def _mind_the_absent(self) -> None:
        """Who has taken a seat and does not come gives it back."""
        if not self._offered:
            return
        now = time.monotonic()
        absent = self.seats.taken(next(iter(self._offered.values())).run_id) - self.members.keys()
        self._absent_since = {number: self._absent_since.get(number, now) for number in absent}
        for number, since in self._absent_since.items():
            if now - since > ARRIVAL:
                self.seats.free(self._offered[number])

    def share_out(self, data: Mapping[str, Any]) -> None:
        """Tell everybody how partitions are shared out from now on. What was said before is void."""
        self.generation += 1
        for number, (_, member) in enumerate(sorted(self.members.items()), 1):
            self.say(member, "share", {**data, "member": number, "members": len(self.members) + 1})

    def words(self) -> Iterator[tuple[Member, Word]]:
        """What members have said since the last time, of this generation."""
        for member in list(self.members.values()):
            for _ in range(member.words.qsize()):
                word = member.words.get()
                if word.generation == self.generation or word.about == "failed":
                    yield member, word

    @property
    def waiting(self) -> bool:
        """Whether somebody has said something."""
        return any(not member.words.empty() for member in self.members.values())

    def say(self, member: Member, about: str, data: Mapping[str, Any]) -> None:
        member.say(Word(about, self.generation, data))

    def close(self) -> None:
        """Send everybody away."""
        if self._offered:
            self.seats.withdraw(next(iter(self._offered.values())).run_id)
        self.door.close()
        for member in self.members.values():
            self.say(member, "over", {})
            member.close()
