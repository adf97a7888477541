"""Files of a server that is reached by SSH. What tells the states of a file apart is its size and its time, which has whole seconds."""

from __future__ import annotations

import stat
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from headrace.infrastructure.connectors.stores import generations
from headrace.infrastructure.connectors.stores.sftp_faults import sftp_faults
from headrace.infrastructure.connectors.stores.store import (
    Loaded,
    Stored,
    Unfinished,
    all_of,
    changed,
    cut,
    hidden,
    patiently,
    unfinished,
)

if TYPE_CHECKING:
    import paramiko

T = TypeVar("T")

#: So many channels of one connection; servers allow ten unless told otherwise.
_CHANNELS = 6


@dataclass
class SftpStore:
    """See `WritableStore`. Keys are paths from the root of the server."""

    shown: str
    connect: Callable[[], paramiko.SSHClient]
    _client: paramiko.SSHClient | None = None
    _idle: list[paramiko.SFTPClient] = field(default_factory=list, repr=False)
    _guard: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _room: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(_CHANNELS), repr=False)

    def __del__(self) -> None:
        if self._client is not None:
            self._client.close()

    def listed(self, folder: str) -> list[Stored]:
        def pages() -> Iterator[list[Stored]]:
            with self._files(folder) as files:
                waiting = [folder]
                while waiting:
                    here = waiting.pop()
                    try:
                        found = files.listdir_attr(f"/{here}")
                    except FileNotFoundError:
                        continue
                    paths = [(f"{here}/{f.filename}" if here else f.filename, f) for f in found]
                    waiting += [path for path, about in paths if stat.S_ISDIR(about.st_mode or 0)]
                    yield [_stored(path, about) for path, about in paths if stat.S_ISREG(about.st_mode or 0)]

        return all_of(pages)

    def look(self, key: str) -> Stored | None:
        try:
            with self._files(key) as files:
                about = files.stat(f"/{key}")
        except FileNotFoundError:
            return None
        return _stored(key, about) if stat.S_ISREG(about.st_mode or 0) else None

    def read(self, file: Stored, start: int, size: int) -> bytes:
        name = f"{self.shown}/{file.key}"
        try:
            with self._files(file.key) as files, files.open(f"/{file.key}", "rb") as opened:
                data = b"".join(opened.readv([(start, size)])) if size else b""
                if _stored(file.key, opened.stat()).version != file.version:
                    raise changed(name)
        except FileNotFoundError:
            raise changed(name) from None
        if len(data) != size:
            raise cut(name, len(data), size)
        return data

    # Writing ---------------------------------------------------------------------------------------------------------

    def upload(self, key: str, path: Path) -> None:
        def put(files: paramiko.SFTPClient, new: str) -> None:
            files.put(str(path), new)
            files.posix_rename(new, f"/{key}")

        patiently(lambda: self._made(key, put))

    def put(self, key: str, data: bytes) -> None:
        def put(files: paramiko.SFTPClient, new: str) -> None:
            _write(files, new, data)
            files.posix_rename(new, f"/{key}")

        patiently(lambda: self._made(key, put))

    def put_new(self, key: str, data: bytes) -> bool:
        def put(files: paramiko.SFTPClient, new: str) -> bool:
            _write(files, new, data)
            try:
                files.rename(new, f"/{key}")  # which, other than posix_rename, replaces nothing
            except OSError:
                files.remove(new)
                if self.content(key) is None:
                    raise
                return False
            return True

        return patiently(lambda: self._made(key, put))

    def load(self, key: str) -> Loaded | None:
        return generations.load(self, key)

    def swap(self, key: str, data: bytes, token: str | None) -> str | None:
        return generations.swap(self, key, data, token)

    def names(self, folder: str) -> list[str]:
        def found() -> list[str]:
            with self._files(folder) as files:
                return files.listdir(f"/{folder}")

        try:
            return patiently(found)
        except FileNotFoundError:
            return []

    def content(self, key: str) -> bytes | None:
        def found() -> bytes:
            with self._files(key) as files, files.open(f"/{key}", "rb") as opened:
                opened.prefetch()
                return opened.read()

        try:
            return patiently(found)
        except FileNotFoundError:
            return None

    def remove(self, keys: Iterable[str]) -> None:
        def one(key: str) -> None:
            try:
                with self._files(key) as files:
                    files.remove(f"/{key}")
            except FileNotFoundError:
                return

        for key in keys:
            patiently(partial(one, key))

    def unfinished(self, folder: str) -> list[Unfinished]:
        return [half for file in self.listed(folder) if (half := unfinished(file.key))]

    def abort(self, uploads: Iterable[Unfinished]) -> None:
        self.remove(half for _, half in uploads)

    def _made(self, key: str, put: Callable[[paramiko.SFTPClient, str], T]) -> T:
        """Put a file there by way of a hidden one, in folders that are made where they are missing."""
        parent = key.rpartition("/")[0]
        with self._files(key) as files:
            for folder in (f"/{'/'.join(parent.split('/')[:n])}" for n in range(1, parent.count("/") + 2)):
                try:
                    files.stat(folder)
                except FileNotFoundError:
                    with suppress(OSError):  # another one may have just made it; if not, the next act says what is wrong
                        files.mkdir(folder)
            return put(files, f"/{hidden(key)}")

    @contextmanager
    def _files(self, key: str) -> Iterator[paramiko.SFTPClient]:
        """A channel of its own, kept for the next one when nothing went wrong."""
        with self._room, sftp_faults(f"{self.shown}/{key}"):
            channel, sound = self._channel(), False
            try:
                yield channel
                sound = True
            except FileNotFoundError:
                sound = True
                raise
            finally:
                self._keep(channel) if sound else self._drop(channel)

    def _channel(self) -> paramiko.SFTPClient:
        with self._guard:
            if self._idle:
                return self._idle.pop()
            transport = self._client.get_transport() if self._client else None
            if self._client is None or transport is None or not transport.is_active():
                self._client = self.connect()
            return self._client.open_sftp()

    def _keep(self, channel: paramiko.SFTPClient) -> None:
        with self._guard:
            self._idle.append(channel)

    def _drop(self, channel: paramiko.SFTPClient) -> None:
        """After a fault the connection may be broken, so none of its channels is used again."""
        with self._guard:
            for idle in (channel, *self._idle):
                idle.close()
            self._idle.clear()


def _write(files: paramiko.SFTPClient, path: str, data: bytes) -> None:
    with files.open(path, "wb") as opened:
        opened.set_pipelined(pipelined=True)
        opened.write(data)


def _stored(key: str, about: paramiko.SFTPAttributes) -> Stored:
    size, modified = about.st_size or 0, about.st_mtime or 0
    return Stored(key, size, modified * 10**9, f"{size}-{modified}")
