"""The state of a stream in a folder of this machine: a file for each epoch. Not for workers on several machines.

A file is written beside its place, synced, and renamed into it; then the folder is synced. So an epoch is there whole or not at all, also
after a loss of power. `owner.json` says who may save, and is read and changed under a lock that goes with its process.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from headrace.application.orchestrator import failpoints
from headrace.business.ports import Fence
from headrace.business.streams.state import Saved
from headrace.errors import NonRetryableError, RetryableError
from headrace.infrastructure.storage.saved_epochs import Pieces, Step, chain, decoded, encoded, step
from headrace.infrastructure.storage.state_owner import Owner, demand_opened

_NAME = re.compile(r"epoch-(\d{12})\.state")
_OWNER, _LOCK, _PART = "owner.json", "lock", "saving.part"


class FolderStateStore:
    """The epochs of one stream in a folder of its own, which is made when it is opened."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._fence: Fence | None = None
        self._known: dict[int, Step] | None = None

    def open(self, fence: Fence) -> None:
        with _faults(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        with self._alone():
            self._write(_OWNER, (self._owner().admitting(fence, str(self.folder)).text.encode(),))
        self._fence, self._known = fence, None

    def epochs(self) -> Sequence[int]:
        if not self.folder.is_dir():
            return ()
        with _faults(self.folder):
            names = [path.name for path in self.folder.iterdir()]
            found = (_NAME.fullmatch(name) for name in names)
            return sorted(int(match[1]) for match in found if match)

    def save(self, saved: Saved) -> None:
        with self._held() as known:
            for epoch in sorted(epoch for epoch in known if epoch > saved.epoch)[::-1]:
                self._unlink(epoch, known)  # the newest first, so that none ever stands on one that is gone
            after = max((epoch for epoch in known if epoch < saved.epoch), default=None)
            failpoints.reached("state saving")
            self._write(self._path(saved.epoch).name, encoded(saved, after))
            known[saved.epoch] = Step(saved.epoch, after, saved.needs)
            failpoints.reached("state saved")

    def load(self, epoch: int) -> Sequence[Saved]:
        return [self._saved(needed) for needed in chain(epoch, self._step, str(self.folder))]

    def forget(self, before: int) -> None:
        with self._held() as known:
            kept = max((epoch for epoch in known if epoch <= before), default=None)
            if kept is not None:
                needed = chain(kept, known.get, str(self.folder))[0]
                for epoch in sorted(epoch for epoch in known if epoch < needed)[::-1]:
                    self._unlink(epoch, known)

    def bytes(self) -> int:
        if not self.folder.is_dir():
            return 0
        with _faults(self.folder):
            return sum(entry.stat().st_size for entry in os.scandir(self.folder) if _NAME.fullmatch(entry.name))

    def close(self) -> None:
        self._fence = None

    def remove(self) -> None:
        """All of it, with the memory of who may save: for a stream that is over."""
        if not self.folder.is_dir():
            return
        with self._alone(), _faults(self.folder):
            for epoch in reversed(self.epochs()):
                self._path(epoch).unlink()
            for name in (_OWNER, _PART, _LOCK):
                (self.folder / name).unlink(missing_ok=True)
        with _faults(self.folder):
            self.folder.rmdir()

    def _path(self, epoch: int) -> Path:
        return self.folder / f"epoch-{epoch:012d}.state"

    def _saved(self, epoch: int) -> Saved:
        path = self._path(epoch)
        with _faults(self.folder):
            return decoded(path.read_bytes(), str(path))

    def _step(self, epoch: int) -> Step | None:
        path = self._path(epoch)
        with _faults(self.folder):
            try:
                with path.open("rb") as file:
                    return step(file, str(path))
            except FileNotFoundError:
                return None

    def _found(self, epoch: int) -> Step | None:
        """The epoch's step; of one that is damaged nothing but that it is there, so that it can be replaced and forgotten."""
        try:
            return self._step(epoch)
        except NonRetryableError:
            return Step(epoch, None, epoch)

    def _owner(self) -> Owner:
        path = self.folder / _OWNER
        with _faults(self.folder):
            try:
                text = path.read_bytes()
            except FileNotFoundError:
                return Owner()
        return Owner.of(text, str(path))

    @contextmanager
    def _held(self) -> Iterator[dict[int, Step]]:
        """The epochs that are there, for whoever holds the stream, and is alone. Nobody else changes them, so they are looked up once, and
        again after a fault."""
        fence = demand_opened(self._fence, str(self.folder))
        known, self._known = self._known, None
        with self._alone():
            self._owner().demand(fence, str(self.folder))
            if known is None:
                steps = map(self._found, self.epochs())
                known = {step.epoch: step for step in steps if step is not None}
            yield known
        self._known = known

    def _unlink(self, epoch: int, known: dict[int, Step]) -> None:
        with _faults(self.folder):
            self._path(epoch).unlink()
        del known[epoch]

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Where nobody else saves or opens meanwhile; whoever else does is done in milliseconds."""
        import fcntl

        with _faults(self.folder), (self.folder / _LOCK).open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _write(self, name: str, pieces: Pieces) -> None:
        with _faults(self.folder):
            part = self.folder / _PART
            with part.open("wb", buffering=0) as file:
                for piece in pieces:
                    _whole(file.fileno(), piece)
                os.fsync(file.fileno())
            failpoints.reached("state written")
            part.replace(self.folder / name)
            handle = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)


def _whole(handle: int, piece: bytes) -> None:
    """A system may write less than it is asked to."""
    left = memoryview(piece)
    while left:
        left = left[os.write(handle, left) :]


@contextmanager
def _faults(folder: Path) -> Iterator[None]:
    try:
        yield
    except PermissionError as error:
        raise NonRetryableError(
            f"{folder}: {error.strerror}: {error.filename}", hint="let this user write there, or name another `state` folder"
        ) from error
    except OSError as error:
        raise RetryableError(
            f"{folder}: {error.strerror or error}", hint="see that the disk is there and not full; nothing was lost"
        ) from error
