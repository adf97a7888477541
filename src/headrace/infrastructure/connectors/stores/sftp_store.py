"""Files of a server that is reached by SSH. What tells the states of a file apart is its size and its time, which has whole seconds."""

from __future__ import annotations

import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from headrace.infrastructure.connectors.stores.sftp_faults import sftp_faults
from headrace.infrastructure.connectors.stores.store import Stored, all_of, changed, cut

if TYPE_CHECKING:
    import paramiko

#: So many channels of one connection; servers allow ten unless told otherwise.
_CHANNELS = 6


@dataclass
class SftpStore:
    """See `Store`. Keys are paths from the root of the server."""

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

    @contextmanager
    def _files(self, key: str) -> Iterator[paramiko.SFTPClient]:
        """A channel of its own, kept for the next one when nothing went wrong."""
        with self._room, sftp_faults(f"{self.shown}/{key}"):
            channel = self._channel()
            try:
                yield channel
            except FileNotFoundError:
                self._keep(channel)
                raise
            except BaseException:
                self._drop(channel)
                raise
            self._keep(channel)

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


def _stored(key: str, about: paramiko.SFTPAttributes) -> Stored:
    size, modified = about.st_size or 0, about.st_mtime or 0
    return Stored(key, size, modified * 10**9, f"{size}-{modified}")
