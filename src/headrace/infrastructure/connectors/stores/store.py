"""What is asked of a store of files, whatever it is: to list, to read by ranges, and of some to write. Not any store itself.

Every method raises our own errors: `RetryableError` where the same call may succeed later, `NonRetryableError` where something
has to be mended first. In their words there are no secrets.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Protocol, TypeVar, runtime_checkable

from headrace.errors import RetryableError
from headrace.records import record
from headrace.resilience.backoff import RetryPolicy
from headrace.resilience.retry import retrying

T = TypeVar("T")

#: How a single call to a store is tried again. The attempts count among those of the run.
PATIENCE = RetryPolicy(attempts=6, base_delay=0.2, max_delay=15.0, budget_seconds=90.0)


@record
class Stored:
    """A file in a store: its key, its size, when it was changed, and what the store calls this state of it, if it calls it anything."""

    key: str
    bytes: int
    modified_ns: int
    version: str | None = None


@record
class Loaded:
    """A small file, read whole, with what has to be shown to put another one in its place."""

    data: bytes
    token: str


#: An upload in parts that has not ended: the key that it is for, and what the store calls it.
Unfinished = tuple[str, str]


class Changed(RetryableError):
    """A file is no longer the one that was looked at. Looking anew may help, reading again does not."""


class Store(Protocol):
    """A place of files that can be read: a bucket, a container, a server."""

    @property
    def shown(self) -> str:
        """What people know it by: `s3://bucket`."""
        ...

    def listed(self, folder: str) -> Iterable[Stored]:
        """All files below a folder, at any depth, in no order; none when there is no such folder."""
        ...

    def look(self, key: str) -> Stored | None:
        """The file of this key, or None."""
        ...

    def read(self, file: Stored, start: int, size: int) -> bytes | memoryview:
        """So many bytes of this state of the file. Raises `RetryableError` when it has changed, is gone, or breaks off."""
        ...


@runtime_checkable
class WritableStore(Store, Protocol):
    """A store that can also be written, and in which one small file can be exchanged so that of two who try one is refused."""

    def upload(self, key: str, path: Path) -> None:
        """Put a file there, whole or not at all."""
        ...

    def load(self, key: str) -> Loaded | None: ...

    def swap(self, key: str, data: bytes, token: str | None) -> str | None:
        """Put `data` in the place of what was loaded with `token`, or where nothing is without one; the new token.

        None when something else is there by now. `data` differ from all that was ever there.
        """
        ...

    def remove(self, keys: Iterable[str]) -> None:
        """Keys that are not there are no mistake."""
        ...

    def unfinished(self, folder: str) -> list[Unfinished]:
        """The uploads below a folder that are under way or have died, as far as the store can tell."""
        ...

    def abort(self, uploads: Iterable[Unfinished]) -> None:
        """Let these uploads come to nothing, and leave nothing."""
        ...


#: How files are called while they are written, where a server lets everybody see that.
_HALF = ".headrace-new-"


def hidden(key: str) -> str:
    """The name of a file while it is written."""
    folder, slash, name = key.rpartition("/")
    return f"{folder}{slash}{_HALF}{name}"


def unfinished(key: str) -> Unfinished | None:
    """What a file would have become that was never finished; None of any other."""
    folder, slash, name = key.rpartition("/")
    return (f"{folder}{slash}{name.removeprefix(_HALF)}", key) if name.startswith(_HALF) else None


def patiently(call: Callable[[], T], policy: RetryPolicy = PATIENCE) -> T:
    """What `call` gives, tried again with growing waits, and no sooner than whoever refused it asks. What has changed, stays changed."""

    def attempt() -> T | Changed:
        try:
            return call()
        except Changed as error:
            return error

    done = retrying(policy, attempt, wait=time.sleep, nested=True)
    if isinstance(done, Changed):
        raise done
    return done


def all_of(pages: Callable[[], Iterator[list[Stored]]]) -> list[Stored]:
    """A listing to its end; one that breaks off begins anew, so that nothing is missing and nothing comes twice."""
    return patiently(lambda: [file for page in pages() for file in page])


def changed(name: str) -> Changed:
    return Changed(f"`{name}` was changed while it was being read", hint="run again when nobody writes to it")


def cut(name: str, got: int, expected: int) -> RetryableError:
    return RetryableError(
        f"`{name}` broke off: {got:,} bytes came where {expected:,} were to come",
        hint="try again; see whether the network is sound",
    )
