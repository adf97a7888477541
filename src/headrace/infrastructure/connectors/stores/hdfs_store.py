"""Files of HDFS by Hadoop's own protocol: the name node says where blocks lie, data nodes give and take them, checksums are verified."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from headrace.errors import RetryableError
from headrace.infrastructure.connectors.stores import generations
from headrace.infrastructure.connectors.stores.coroutines import Coroutines
from headrace.infrastructure.connectors.stores.hdfs_faults import hdfs_faults
from headrace.infrastructure.connectors.stores.store import (
    Loaded,
    Stored,
    Unfinished,
    changed,
    cut,
    hidden,
    patiently,
    unfinished,
)

if TYPE_CHECKING:
    from hdfs_native import AsyncClient, AsyncFileWriter, FileStatus

T = TypeVar("T")

_BLOCK = 8 << 20


@dataclass
class HdfsStore:
    """See `WritableStore`. Keys are paths from the root."""

    shown: str
    coroutines: Coroutines
    connect: Callable[[], AsyncClient]

    @cached_property
    def _client(self) -> AsyncClient:
        return self.connect()

    def listed(self, folder: str) -> list[Stored]:
        return patiently(lambda: [_stored(about) for about in self._list(folder, deep=True) if not about.isdir])

    def look(self, key: str) -> Stored | None:
        try:
            about = self._done(key, lambda client: self._step(client.get_file_info(f"/{key}")))
        except FileNotFoundError:
            return None
        return None if about.isdir else _stored(about)

    def read(self, file: Stored, start: int, size: int) -> bytes:
        name = f"{self.shown}/{file.key}"

        async def given(client: AsyncClient) -> bytes:
            reader = await self._step(client.read(f"/{file.key}"))
            if len(reader) != file.bytes:  # beyond its end the client does not ask, but gives up for good
                raise changed(name)
            return await self._step(reader.read_range(start, size))

        try:
            data = self._done(file.key, given) if size else b""
        except FileNotFoundError:
            raise changed(name) from None
        except RetryableError:
            self._demand_same(file, name)  # its blocks may be gone with it
            raise
        self._demand_same(file, name)
        if len(data) != size:
            raise cut(name, len(data), size)
        return data

    def ask(self) -> None:
        """See whether the server answers."""
        self._done("", lambda client: self._step(client.get_file_info("/")))

    # Writing ---------------------------------------------------------------------------------------------------------

    def upload(self, key: str, path: Path) -> None:
        patiently(lambda: self._put(key, path))

    def put(self, key: str, data: bytes) -> None:
        patiently(lambda: self._put(key, data))

    def put_new(self, key: str, data: bytes) -> bool:
        def put() -> bool:
            try:
                self._put(key, data, overwrite=False)
            except FileExistsError:
                self._delete(hidden(key))
                return False
            return True

        return patiently(put)

    def load(self, key: str) -> Loaded | None:
        return generations.load(self, key)

    def swap(self, key: str, data: bytes, token: str | None) -> str | None:
        return generations.swap(self, key, data, token)

    def names(self, folder: str) -> list[str]:
        return patiently(lambda: [_key(about).rpartition("/")[2] for about in self._list(folder, deep=False)])

    def content(self, key: str) -> bytes | None:
        async def given(client: AsyncClient) -> bytes:
            reader = await self._step(client.read(f"/{key}"))
            return await self._step(reader.read())

        try:
            return patiently(lambda: self._done(key, given))
        except FileNotFoundError:
            return None

    def remove(self, keys: Iterable[str]) -> None:
        for key in keys:
            patiently(partial(self._delete, key))

    def unfinished(self, folder: str) -> list[Unfinished]:
        return [half for file in self.listed(folder) if (half := unfinished(file.key))]

    def abort(self, uploads: Iterable[Unfinished]) -> None:
        self.remove(half for _, half in uploads)

    def _put(self, key: str, body: Path | bytes, *, overwrite: bool = True) -> None:
        """Put a file there by way of a hidden one. Raises `FileExistsError` where it is not to overwrite one."""
        new = f"/{hidden(key)}"

        async def put(client: AsyncClient) -> None:
            from hdfs_native import WriteOptions

            options = WriteOptions(create_parent=True, overwrite=True)
            writer = await self._step(client.create(new, options))
            await self._write(writer, body)
            await self._step(writer.close())
            await self._step(client.rename(new, f"/{key}", overwrite))

        self._done(key, put)

    async def _write(self, writer: AsyncFileWriter, body: Path | bytes) -> None:
        if isinstance(body, bytes):
            await self._step(writer.write(body))
            return
        with body.open("rb") as file:
            while block := file.read(_BLOCK):
                await self._step(writer.write(block))

    def _delete(self, key: str) -> None:
        self._done(key, lambda client: self._step(client.delete(f"/{key}")))

    # How -------------------------------------------------------------------------------------------------------------

    def _list(self, folder: str, *, deep: bool) -> list[FileStatus]:
        """What is in a folder; nothing when there is none, or when it is a file."""

        async def found(client: AsyncClient) -> list[FileStatus]:
            listing: AsyncIterator[FileStatus] = client.list_status(f"/{folder}", deep)
            entries = []
            with suppress(StopAsyncIteration):
                while True:
                    entries.append(await self._step(anext(listing)))
            return entries

        try:
            return [about for about in self._done(folder, found) if _key(about) != folder]
        except FileNotFoundError:
            return []

    def _demand_same(self, file: Stored, name: str) -> None:
        now = self.look(file.key)  # nothing that is read tells which state it is of
        if now is None or now.version != file.version:
            raise changed(name)

    async def _step(self, step: Awaitable[T]) -> T:
        return await self.coroutines.within(step)

    def _done(self, key: str, call: Callable[[AsyncClient], Coroutine[Any, Any, T]]) -> T:
        """What a call gives."""
        with hdfs_faults(f"{self.shown}/{key}"):
            return self.coroutines.run(call(self._client))


def _key(about: FileStatus) -> str:
    return about.path.strip("/")


def _stored(about: FileStatus) -> Stored:
    size, modified = about.length, about.modification_time
    return Stored(_key(about), size, modified * 10**6, f"{size}-{modified}")
