"""Exchanges a small file where a server knows no conditional request, but refuses to give a file a name that another one has.

Each state is a hidden file with a number, and the highest counts. Who has read number n makes n + 1: whoever comes second finds it
there. A plain copy lies under the name that people know; it follows the highest, and may be behind it after a crash.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Protocol

from headrace.infrastructure.connectors.stores.store import Loaded


class NumberedFiles(Protocol):
    """What it takes. Keys are paths with slashes."""

    def names(self, folder: str) -> list[str]:
        """The names in a folder, hidden ones included; none where there is no folder."""
        ...

    def content(self, key: str) -> bytes | None:
        """A small file, or None."""
        ...

    def put_new(self, key: str, data: bytes) -> bool:
        """Put a file there, whole, unless there is one."""
        ...

    def put(self, key: str, data: bytes) -> None:
        """Put a file there, whole, in the place of any other."""
        ...

    def remove(self, keys: Iterable[str]) -> None: ...


def load(files: NumberedFiles, key: str) -> Loaded | None:
    while numbers := _numbers(files, key):
        data = files.content(_named(key, max(numbers)))
        if data is not None:  # else a newer one has taken its place just now
            return Loaded(data, str(max(numbers)))
    return None


def swap(files: NumberedFiles, key: str, data: bytes, token: str | None) -> str | None:
    number = int(token or 0) + 1
    if any(other >= number for other in _numbers(files, key)):
        return None
    own = _named(key, number)
    if not files.put_new(own, data) and files.content(own) != data:  # else it is ours, and only the answer to it got lost
        return None
    if max(_numbers(files, key)) > number:  # it had been there before, and was cleared away
        files.remove([own])
        return None
    files.put(key, data)
    files.remove(_named(key, old) for old in _numbers(files, key) if old < number)
    return str(number)


def _numbers(files: NumberedFiles, key: str) -> list[int]:
    folder, _, name = key.rpartition("/")
    pattern = re.compile(rf"\.{re.escape(name)}\.(\d{{12}})")
    return [int(found[1]) for name in files.names(folder) if (found := pattern.fullmatch(name))]


def _named(key: str, number: int) -> str:
    folder, slash, name = key.rpartition("/")
    return f"{folder}{slash}.{name}.{number:012}"
