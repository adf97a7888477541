"""Where files are published: a folder, or one file. What is there now, and how its next state takes its place.

A folder's manifest lies in it and changes with it in one act. Beside a single file lies a manifest of the two states that a
crash may have left it in; the one with the hash of the file is true, so it does not matter whether the file came after it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

from headrace.errors import NonRetryableError
from headrace.infrastructure.connectors import atomic_files, manifest, milestones
from headrace.infrastructure.connectors.fence_file import FenceFile
from headrace.infrastructure.connectors.fences import Fences
from headrace.infrastructure.connectors.file_layout import digest_of
from headrace.infrastructure.connectors.ledger import Mode
from headrace.infrastructure.connectors.manifest import DataFile, Manifest
from headrace.records import record


class FileTarget(Protocol):
    """A place for files. `root` is the folder that the paths of its manifest start from, where they can be read on this machine."""

    @property
    def root(self) -> Path: ...

    @property
    def fences(self) -> Fences: ...

    def alone(self) -> AbstractContextManager[object]:
        """Where nobody else publishes meanwhile, or whoever does makes this publication fail. Left, it lets others in."""
        ...

    def tidy(self) -> None:
        """Remove what publications that died have left, as far as that can be told now."""
        ...

    def workplace(self) -> Path:
        """A folder that is not there yet, to make the next state in."""
        ...

    def last(self) -> Manifest | None:
        """The state that is there, or None."""
        ...

    def check(self, last: Manifest | None, mode: Mode) -> None:
        """Refuse what would be lost: files that no publication wrote, or that were changed since."""
        ...

    def bring(self, files: Sequence[DataFile]) -> None:
        """Have files of the last state below `root`."""
        ...

    def keep(self, file: DataFile, made: Path) -> None:
        """Let a file of the last state be one of the next."""
        ...

    def put(self, made: Path, state: Manifest, last: Manifest | None) -> None:
        """Let the files in the folder `made` become the state of the target."""
        ...

    def settle(self, state: Manifest) -> None:
        """Remove what a publication has left that died behind its last step, where `state` is what it brought."""
        ...


@record
class LocalTarget:
    """A place on this machine."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)

    @property
    def root(self) -> Path:
        return self.path

    @property
    def fences(self) -> Fences:
        return FenceFile(self.path)

    @contextmanager
    def alone(self) -> Iterator[None]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_files.publishing_lock(self.path):
            yield

    def tidy(self) -> None:
        atomic_files.tidy(self.path)

    def workplace(self) -> Path:
        return atomic_files.new_beside(self.path)

    def bring(self, files: Sequence[DataFile]) -> None:
        """They are there."""

    def keep(self, file: DataFile, made: Path) -> None:
        path = made / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_files.link_or_copy(self.root / file.path, path)

    def settle(self, state: Manifest) -> None:
        """That was done by `tidy`."""


@record
class FolderTarget(LocalTarget):
    """A folder that belongs to its publications alone. Hidden files in it are left alone and carried along."""

    def last(self) -> Manifest | None:
        there = atomic_files.aside(self.path) or self.path
        written = manifest.read(there / manifest.NAME)
        return manifest.decode(written) if written else None

    def check(self, last: Manifest | None, mode: Mode) -> None:
        if not self.path.exists():
            return
        if not self.path.is_dir():
            raise NonRetryableError(
                f"{self.path}: is a file, and a folder is to be published there", hint="move it away, or name another folder"
            )
        known = {manifest.NAME, *(f.path for f in last.files)} if last else set()
        found = {str(p.relative_to(self.path)) for p in self.path.rglob("*") if not p.is_dir() or p.is_symlink()}
        if foreign := sorted(f for f in found - known if not _is_hidden(f)):
            shown = ", ".join(foreign[:3]) + (f" and {len(foreign) - 3} more" if len(foreign) > 3 else "")
            raise NonRetryableError(
                f"{self.path}: holds files that Headrace did not write there: {shown}",
                hint="move them away, or publish to a folder of its own",
            )
        if last and mode != "replace":
            changed = [f.path for f in last.files if f.path not in found or (self.path / f.path).stat().st_size != f.bytes]
            if changed:
                raise _changed(self.path, changed[0])

    def put(self, made: Path, state: Manifest, last: Manifest | None) -> None:  # noqa: ARG002  the folder itself is swapped
        if self.path.exists():
            made.chmod(self.path.stat().st_mode & 0o7777)
            for path in self.path.iterdir():
                if path.name.startswith(".") and path.is_file():
                    atomic_files.link_or_copy(path, made / path.name)
        (made / manifest.NAME).write_bytes(manifest.encode(state.to_json()))
        milestones.reached("manifest written")
        atomic_files.sync_tree(made)
        milestones.reached("synced")
        atomic_files.put_folder(made, self.path)


@record
class SingleFileTarget(LocalTarget):
    """One file, with its manifest hidden beside it."""

    @property
    def root(self) -> Path:
        return self.path.parent

    @property
    def manifest_path(self) -> Path:
        return self.path.with_name(f".{self.path.name}.manifest.json")

    def last(self) -> Manifest | None:
        written = manifest.read(self.manifest_path)
        if written is None or not self.path.is_file():
            return None
        size = self.path.stat().st_size
        states = [s for s in map(manifest.decode, written["states"]) if s.files[0].bytes == size]
        if not states:
            return None
        digest = digest_of(self.path).sha256
        return next((s for s in states if s.files[0].sha256 == digest), None)

    def check(self, last: Manifest | None, mode: Mode) -> None:
        if self.path.is_dir():
            raise NonRetryableError(
                f"{self.path}: is a folder, and a file is to be published there", hint="move it away, or name another file"
            )
        if last is None and mode != "replace" and self.path.exists():
            raise _changed(self.path, self.path.name)

    def put(self, made: Path, state: Manifest, last: Manifest | None) -> None:
        new = made / self.path.name
        atomic_files.sync_file(new)
        states = [s.to_json() for s in (state, last) if s is not None]
        data = manifest.encode({"headrace": manifest.VERSION, "states": states})
        atomic_files.write_whole(self.manifest_path, data, made / manifest.NAME)
        milestones.reached("manifest written")
        new.replace(self.path)
        atomic_files.sync_folder(self.path.parent)
        milestones.reached("exchanged")


def _is_hidden(path: str) -> bool:
    return path.startswith(".") and "/" not in path


def _changed(target: Path, file: str) -> NonRetryableError:
    return NonRetryableError(
        f"{target}: `{file}` is not what the last publication left there", hint="put it back, or publish with `mode: replace`"
    )
