"""Small files that are written once, under names that nobody else has taken: beside a table, or in a hidden folder of it. Not what is
in them. Nothing is ever changed, so nothing has to be locked."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from headrace.infrastructure.connectors import atomic_files
from headrace.infrastructure.connectors.stores.store import WritableStore
from headrace.records import record


class Notes(Protocol):
    """A folder of notes. It is made when there is a first one."""

    def names(self) -> list[str]: ...

    def read(self, name: str) -> bytes | None: ...

    def create(self, name: str, data: bytes) -> bool:
        """Write a note, whole or not at all; False when there is one of this name."""
        ...

    def remove(self, names: Iterable[str]) -> None:
        """Names that are not there are no mistake."""
        ...


@record
class LocalNotes:
    """Notes in a folder of this machine."""

    folder: Path

    def names(self) -> list[str]:
        if not self.folder.is_dir():
            return []
        return sorted(p.name for p in self.folder.iterdir() if not p.name.startswith("."))

    def read(self, name: str) -> bytes | None:
        try:
            return (self.folder / name).read_bytes()
        except FileNotFoundError:
            return None

    def create(self, name: str, data: bytes) -> bool:
        self.folder.mkdir(parents=True, exist_ok=True)
        new = self.folder / f".{uuid.uuid4().hex}"
        try:
            with new.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            try:
                (self.folder / name).hardlink_to(new)  # of two who try one is refused
            except FileExistsError:
                return False
        finally:
            new.unlink(missing_ok=True)
        atomic_files.sync_folder(self.folder)
        return True

    def remove(self, names: Iterable[str]) -> None:
        for name in names:
            with contextlib.suppress(OSError):  # what cannot be removed now is removed by the next to come
                (self.folder / name).unlink()


@record
class StoreNotes:
    """Notes below a folder of a store."""

    store: WritableStore
    folder: str

    def names(self) -> list[str]:
        return sorted(file.key.removeprefix(f"{self.folder}/") for file in self.store.listed(self.folder))

    def read(self, name: str) -> bytes | None:
        found = self.store.load(f"{self.folder}/{name}")
        return found.data if found else None

    def create(self, name: str, data: bytes) -> bool:
        return self.store.swap(f"{self.folder}/{name}", data, None) is not None

    def remove(self, names: Iterable[str]) -> None:
        self.store.remove([f"{self.folder}/{name}" for name in names])
