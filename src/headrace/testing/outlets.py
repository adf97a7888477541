"""The laws of sinks that take the output of a stream: every epoch counts once, whole, for everyone, whoever dies when."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headrace.bootstrap.streaming import KeptByStreams
from headrace.business.connections import Profile
from headrace.business.model.schema import Column, Schema
from headrace.business.model.types import Integer, String
from headrace.business.ports import Fence, Publication
from headrace.business.streams.state import Outlet
from headrace.errors import LeaseLost, NonRetryableError
from headrace.testing.dying import Rehearse, die_within, in_the_project, killed_within
from headrace.testing.laws import demand, demand_raises, patiently

if TYPE_CHECKING:
    import pyarrow as pa

#: Makes the sink anew, as another process would. A function of a module, or a partial of one: it is sent to processes.
MakeSink = Callable[[], Any]
#: Reads the rows as a stranger would; none while there is no target.
Look = Callable[[Path], Iterable[tuple[int, str]]]

_SCHEMA = Schema((Column("id", Integer(64), nullable=False), Column("name", String(), nullable=False)))
_STREAM = "kit"


def outlet_conforms(
    make_sink: MakeSink,
    project: Path,
    look: Look,
    *,
    crashes: int = 4,
    kills: int = 2,
    seed: int = 0,
    rehearse: Rehearse = in_the_project,
    cut: Callable[[], None] | None = None,
) -> None:
    """The target is not there at first. It takes rows with the columns `id` (int64) and `name` (string), in mode append, or in mode merge
    with the key `id`. `cut` breaks the connections of the sink, or restarts its server; what `rehearse` is for see `publisher_conforms`.
    """
    kit = _Kit(make_sink, project, look)
    kit.begins_with_nothing()
    kit.counts_each_epoch_once()
    kit.keeps_out_who_lost_its_lease()
    if cut is not None:
        kit.is_right_after_a_cut(cut)
    for number in range(crashes):
        kit.holds_whole_epochs_where_a_process_dies((number + 0.5) / crashes, rehearse)
    chance = random.Random(seed)  # noqa: S311 - chooses moments
    for _ in range(kills):
        kit.holds_whole_epochs_where_a_process_is_killed(chance.random() * 0.3)


class _Kit:
    """One target, and the last epoch that counts there."""

    def __init__(self, make_sink: MakeSink, project: Path, look: Look) -> None:
        self.make_sink, self.project, self.look = make_sink, project, look
        self.merges = getattr(make_sink(), "mode", "append") == "merge"
        self.last, self.token = 0, 1

    def begins_with_nothing(self) -> None:
        outlet = self.open()
        demand_raises(NonRetryableError, lambda: outlet.commit(1, _rows(1)), "an epoch came in before the stream was taken")
        demand(outlet.committed(Fence("kit", 1)) == 0, "a target that was not there says that an epoch counts")
        demand(not list(self.look(self.project)), "to take the stream made rows")
        outlet.close()

    def counts_each_epoch_once(self) -> None:
        outlet = self.taken()
        for epoch in (1, 2, 3):  # the first one has no rows
            done = self.commit(outlet, epoch)
            demand(not done.already, "an epoch that is new was taken for one that is there")
            self.demand_rows(f"epoch {epoch} was committed")
            for again in (epoch, 1):
                demand(outlet.commit(again, _rows(again)).already, "an epoch that comes again has to be known")
            self.demand_rows(f"epoch {epoch} came again")
        self.commit(outlet, 4)
        outlet.close()
        anew = self.taken()
        demand(anew.commit(4, _rows(4)).already, "that an epoch counts has to live with the target and not in the object")
        other = self.open("another kit")
        demand(other.committed(Fence("kit", 1)) == 0, "one stream takes another's epochs for its own")
        for opened in (anew, other):
            opened.close()

    def keeps_out_who_lost_its_lease(self) -> None:
        old = self.taken()
        self.token += 1
        new = self.taken()
        refused = "a smaller token was let in"
        demand_raises(LeaseLost, lambda: old.commit(self.last + 1, _rows(self.last + 1)), refused)
        demand_raises(LeaseLost, lambda: self.open().committed(Fence("kit", self.token - 1)), refused)
        self.demand_rows("a smaller token was refused")
        self.commit(new, self.last + 1)
        demand_raises(
            LeaseLost, lambda: old.commit(self.last, _rows(self.last)), "who lost its lease was told that its epoch counts"
        )
        self.demand_rows("the higher token went on")
        for outlet in (old, new):
            outlet.close()

    def is_right_after_a_cut(self, cut: Callable[[], None]) -> None:
        outlet = self.taken()
        for _ in range(2):
            cut()
            epoch = self.last + 1
            patiently(lambda: outlet.commit(epoch, _rows(epoch)))  # noqa: B023
            self.last = epoch
            cut()
            demand(patiently(lambda: outlet.committed(Fence("kit", self.token))) == epoch, "after a cut another epoch counts")
            patiently(lambda: self.demand_rows("its connection was cut"))
        outlet.close()

    def holds_whole_epochs_where_a_process_dies(self, share: float, rehearse: Rehearse) -> None:
        self.token += 1
        arguments = (self.last + 1, self.token)
        die_within(self.make_sink, self.project, take_and_commit, arguments, share, rehearse)
        outlet = self.open()
        self.settle(outlet, f"a process died after {share:.0%} of its lines", {self.last, self.last + 1})

    def holds_whole_epochs_where_a_process_is_killed(self, after: float) -> None:
        self.token += 1
        arguments = (self.make_sink, self.project, self.last, self.token)
        said = killed_within(_commit_on, arguments, self.project / ".kit", after)
        self.settle(self.open(), "a process was killed", {said, said + 1})

    def settle(self, outlet: Outlet, when: str, expected: set[int]) -> None:
        found = patiently(lambda: outlet.committed(Fence("kit", self.token)))
        demand(found in expected, f"{when}, and epoch {found} counts, where only {sorted(expected)} can")
        self.last = int(found)
        self.demand_rows(when)
        self.commit(outlet, self.last + 1)
        self.demand_rows(f"{when}, and another epoch came")
        outlet.close()

    # How -------------------------------------------------------------------------------------------------------------

    def open(self, stream: str = _STREAM) -> Outlet:
        return _opened(self.make_sink(), self.project, stream)

    def taken(self) -> Outlet:
        outlet = self.open()
        found = outlet.committed(Fence("kit", self.token))
        demand(found == self.last, f"the last epoch is {self.last}, and the target says {found}")
        return outlet

    def commit(self, outlet: Outlet, epoch: int) -> Publication:
        done: Publication = patiently(lambda: outlet.commit(epoch, _rows(epoch)))
        self.last = epoch
        return done

    def demand_rows(self, when: str) -> None:
        found, wanted = sorted(self.look(self.project)), _after(self.last, merges=self.merges)
        demand(
            found == wanted,
            f"{when}: {len(wanted)} rows of epochs 1 to {self.last} have to be there, and {len(found)} are; missing "
            f"{sorted(set(wanted) - set(found))[:3]}, too many {sorted(set(found) - set(wanted))[:3]}",
        )


def take_and_commit(sink: Any, project: Path, epoch: int, token: int) -> None:
    """What the process does that dies on the way."""
    outlet = _opened(sink, project, _STREAM)
    outlet.committed(Fence("kit", token))
    outlet.commit(epoch, _rows(epoch))
    outlet.close()


def _commit_on(say: Callable[[int], None], make_sink: MakeSink, project: Path, last: int, token: int) -> None:
    """What the process does that is killed at any moment."""
    outlet = _opened(make_sink(), project, _STREAM)
    outlet.committed(Fence("kit", token))
    for epoch in range(last + 1, 1 << 30):
        outlet.commit(epoch, _rows(epoch))
        say(epoch)


def _opened(sink: Any, project: Path, stream: str) -> Outlet:
    return KeptByStreams(project, _no_profile).outlet(sink, project, stream, _SCHEMA)


def _no_profile(name: str) -> Profile[Any]:
    raise LookupError(name)


def _written(epoch: int) -> Sequence[tuple[int, str]]:
    """Rows that tell their epoch. Some have keys that came before, and the first key comes twice. Of two epochs there are none."""
    if epoch in (1, 4):
        return ()
    new = [(epoch * 1000 + i, f"{epoch}: {i}") for i in range(30)]
    return [
        *new,
        *((i, f"{epoch}: again {i}") for i in range(20)),
        (epoch * 1000, f"{epoch}: twice"),
        (7, f"{epoch}: 'quoted', \"so\" \\"),
    ]


def _rows(epoch: int) -> pa.Table:
    import pyarrow as pa

    ids, names = [n for n, _ in _written(epoch)], [name for _, name in _written(epoch)]
    return pa.table({"name": pa.array(names, pa.large_string()), "id": pa.array(ids, pa.int64())})


def _after(last: int, *, merges: bool) -> list[tuple[int, str]]:
    """What has to be there behind an epoch."""
    rows = [row for epoch in range(1, last + 1) for row in _written(epoch)]
    return sorted(dict(rows).items() if merges else rows)
