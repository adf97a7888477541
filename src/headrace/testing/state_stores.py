"""The laws of stores that keep the state of a stream: what was saved is there, whole, for whoever may go on with it, whoever dies when."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from headrace.business.ports import Fence
from headrace.business.streams.state import Saved, StateStore
from headrace.errors import LeaseLost, NonRetryableError
from headrace.testing.dying import killed_within
from headrace.testing.laws import demand, demand_raises, patiently

#: Opens the store of one stream anew, as another process would. A function of a module, or a partial of one: it is sent to processes.
OpenStore = Callable[[], StateStore]

_MEGABYTES = 20


def state_store_conforms(
    open_store: OpenStore,
    folder: Path,
    *,
    seed: int = 0,
    steps: int = 40,
    kills: int = 3,
    cut: Callable[[], None] | None = None,
) -> None:
    """A store that is empty at first gives what was saved, keeps out who may not save, and holds whole epochs alone when processes are
    killed. `folder` is for what the laws themselves write. `cut` breaks the connections of the store, or restarts its server."""
    _nothing_before_it_is_opened(open_store)
    _any_sequence(open_store, random.Random(seed), steps)  # noqa: S311 - chooses what is tried
    _fences(open_store)
    _large_parts(open_store)
    if cut is not None:
        _cut_off(open_store, cut)
    _kills(open_store, folder, random.Random(seed), kills)  # noqa: S311


def _nothing_before_it_is_opened(open_store: OpenStore) -> None:
    store = open_store()
    demand(isinstance(store.epochs(), Sequence) and not store.epochs(), "a new store has epochs")
    demand(store.bytes() == 0, "a new store has bytes")
    demand_raises(NonRetryableError, lambda: store.load(1), "an epoch that was never saved was loaded")
    demand_raises(NonRetryableError, lambda: store.save(Saved(1, {})), "something was saved before the store was opened")
    store.close()


def _any_sequence(open_store: OpenStore, chance: random.Random, steps: int) -> None:
    """Saves of epochs that need more or fewer of those before, that are there or not, and forgetting, against a list in memory."""
    store, model, asked_from = open_store(), dict[int, Saved](), 0
    store.open(Fence("kit", 1))
    for _ in range(steps):
        match chance.choice(("next", "next", "next", "again", "gap", "forget", "reopen")):
            case "next" | "again" | "gap" as how:
                last = max(model, default=0)
                ahead = {
                    "next": last + 1,
                    "again": max(1, asked_from, last - chance.randrange(3)),
                    "gap": last + 1 + chance.randrange(3),
                }
                saved = _some_epoch(ahead[how], model, chance)
                store.save(saved)
                model = {epoch: known for epoch, known in model.items() if epoch < saved.epoch} | {saved.epoch: saved}
            case "forget" if model:
                asked_from = max(asked_from, chance.choice(sorted(model)))
                store.forget(asked_from)
                model = {epoch: known for epoch, known in model.items() if epoch >= _chain(model, asked_from)[0].epoch}
            case "reopen":
                store.close()
                store = open_store()
                store.open(Fence("kit", 1))
        there = list(store.epochs())
        demand(there == sorted(model), f"epochs {sorted(model)} are there, and the store says {there}")
        for epoch in there if model else ():
            demand(_same(store.load(epoch), _chain(model, epoch)), f"what makes epoch {epoch} is not what was saved")
        demand_raises(NonRetryableError, lambda: store.load(max(model, default=0) + 7), "an epoch that is not there was loaded")  # noqa: B023
    before = store.bytes()
    demand(before > 0, "a store that has epochs has no bytes")
    store.save(Saved(max(model) + 1, {}, {}, max(model) + 1))
    store.forget(max(model) + 1)
    demand(list(store.epochs()) == [max(model) + 1], "an epoch that no later one needs is there after it was forgotten")
    demand(store.bytes() < before, "forgetting gave no room back")
    store.close()


def _fences(open_store: OpenStore) -> None:
    old, new = open_store(), open_store()
    old.open(Fence("kit", 5))
    old.save(Saved(1, {"by": "old"}, {}, 1))
    new.open(Fence("kit", 6))
    for act in (lambda: old.save(Saved(2, {"by": "old"})), lambda: old.forget(1), lambda: old.open(Fence("kit", 5))):
        demand_raises(LeaseLost, act, "a smaller token was let in")
    demand(list(new.epochs()) == [1], "who lost its lease changed the epochs")
    new.save(Saved(2, {"by": "new"}))
    again = open_store()
    demand_raises(
        LeaseLost, lambda: again.open(Fence("kit", 4)), "the highest token is forgotten when the store is opened anew"
    )
    again.open(Fence("another", 1))
    demand_raises(
        LeaseLost, lambda: new.save(Saved(3, {"by": "new"})), "who is not the last to have opened the store saved to it"
    )
    demand(again.load(2)[-1].facts == {"by": "new"}, "what was saved with the higher token is not there")
    for store in (old, new, again):
        store.close()


def _large_parts(open_store: OpenStore) -> None:
    store = open_store()
    store.open(Fence("kit", 10))
    large = random.Random(1).randbytes(_MEGABYTES << 20)  # noqa: S311
    saved = Saved(1, {"ünï": ["c\0de", None, 1.5, {"a": 2**53}]}, {"": b"", "large": large, "small": b"\0"}, 1)
    store.save(saved)
    demand(_same(store.load(1), [saved]), f"a part of {_MEGABYTES} MB is not what was saved")
    store.close()


def _cut_off(open_store: OpenStore, cut: Callable[[], None]) -> None:
    """Whoever meets a cut hears that it may pass, and the same call is right afterwards."""
    store = open_store()
    patiently(lambda: store.open(Fence("kit", 20)))
    for epoch in range(1, 4):
        saved = _numbered(epoch)
        cut()
        patiently(partial(store.save, saved))
        cut()
        demand(list(patiently(store.epochs)) == list(range(1, epoch + 1)), "after a cut the epochs are not what was saved")
        demand(_same(patiently(partial(store.load, epoch))[-1:], [saved]), "after a cut an epoch is not what was saved")
    store.close()


def _kills(open_store: OpenStore, folder: Path, chance: random.Random, kills: int) -> None:
    """A process saves epoch after epoch and is killed; what it said that it saved is there, and what is there is whole."""
    store = open_store()
    store.open(Fence("kit", 30))
    store.save(_numbered(1))
    store.forget(1)
    store.close()
    for token in range(31, 31 + kills):
        said = killed_within(_save_on, (open_store, token), folder, after=chance.random() * 0.1)
        store = open_store()
        store.open(Fence("kit", token))
        there = list(store.epochs())
        demand(bool(there) and there[-1] >= said, f"epoch {said} was saved, and after a kill the last one is {there[-1:]}")
        for epoch in (there[0], there[-1]):
            found = store.load(epoch)
            demand(_same(found[-1:], [_numbered(epoch)]), f"after a kill, epoch {epoch} is not what was saved")
        store.save(_numbered(there[-1] + 1))
        store.close()


def _save_on(say: Callable[[int], None], open_store: OpenStore, token: int) -> None:
    store = open_store()
    store.open(Fence("kit", token))
    for epoch in range(store.epochs()[-1] + 1, 1 << 30):
        store.save(_numbered(epoch))
        say(epoch)
        if epoch % 7 == 0:
            store.forget(epoch - 5)


def _some_epoch(epoch: int, model: Mapping[int, Saved], chance: random.Random) -> Saved:
    """An epoch that needs no older one than those before it."""
    least = max((saved.needs for known, saved in model.items() if known < epoch), default=0)
    parts = {f"part {n}": chance.randbytes(chance.choice((0, 1, 1000))) for n in range(chance.randrange(3))}
    needs = chance.choice((least, least, epoch, chance.randint(least, epoch)))
    return Saved(epoch, {"position": chance.randrange(1000)}, parts, needs)


def _numbered(epoch: int) -> Saved:
    """An epoch that can be told by its number to the last byte."""
    return Saved(epoch, {"position": epoch * 10}, {"state": epoch.to_bytes(4, "big") * 20_000}, epoch // 5 * 5)


def _chain(model: Mapping[int, Saved], epoch: int) -> list[Saved]:
    behind = [model[n] for n in sorted(model) if n <= epoch]
    return [saved for saved in behind if saved.epoch >= behind[-1].needs] if behind else []


def _same(found: Sequence[Saved], wanted: Sequence[Saved]) -> bool:
    def told(saved: Saved) -> tuple[Any, ...]:
        return saved.epoch, dict(saved.facts), {name: bytes(part) for name, part in saved.parts.items()}, saved.needs

    return [told(saved) for saved in found] == [told(saved) for saved in wanted]
