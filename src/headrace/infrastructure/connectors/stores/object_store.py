"""A bucket or container of an object store, through obstore: S3, Google Cloud Storage and Azure are alike here. Not how it is reached."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headrace.infrastructure.connectors.stores.object_faults import object_faults
from headrace.infrastructure.connectors.stores.store import Loaded, Stored, Unfinished, all_of, changed, cut, patiently

if TYPE_CHECKING:
    from obstore.store import ObjectStore as Client

    from headrace.infrastructure.connectors.stores.s3_uploads import S3Uploads

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PAGE = 1000
_AT_ONCE = 900
#: Larger files are uploaded in parts of this size, so many at a time.
_PART, _PARTS = 8 << 20, 3


@dataclass(frozen=True)
class ObjectStore:
    """See `WritableStore`. `service` is what the store is called in messages about the whole of it."""

    shown: str
    client: Client
    service: str
    uploads: Callable[[], S3Uploads] | None = None
    """Who knows of uploads that died; other stores than S3 forget them by themselves."""

    def listed(self, folder: str) -> list[Stored]:
        import obstore

        def pages() -> Iterator[list[Stored]]:
            with self._faults(folder):
                for page in obstore.list(self.client, folder or None, chunk_size=_PAGE):
                    yield [_stored(found) for found in page]

        return all_of(pages)

    def first(self) -> None:
        """Ask for the first page of a listing, to see whether the store answers."""
        import obstore

        with self._faults(""):
            list(islice(obstore.list(self.client, chunk_size=1), 1))

    def look(self, key: str) -> Stored | None:
        import obstore

        try:
            with self._faults(key):
                return _stored(obstore.head(self.client, key))
        except FileNotFoundError:
            return None

    def read(self, file: Stored, start: int, size: int) -> bytes | memoryview:
        import obstore
        from obstore.exceptions import PreconditionError

        name = f"{self.shown}/{file.key}"
        if not size:
            return b""
        try:
            with self._faults(file.key):
                options: Any = {"range": (start, start + size), **({"if_match": file.version} if file.version else {})}
                data = memoryview(obstore.get(self.client, file.key, options=options).bytes())
        except (PreconditionError, FileNotFoundError):
            raise changed(name) from None
        if len(data) != size:
            raise cut(name, len(data), size)
        return data

    # Writing ---------------------------------------------------------------------------------------------------------

    def upload(self, key: str, path: Path) -> None:
        import obstore

        def put() -> None:
            with self._faults(key):
                obstore.put(self.client, key, path, chunk_size=_PART, max_concurrency=_PARTS)

        patiently(put)

    def load(self, key: str) -> Loaded | None:
        import obstore

        def get() -> Loaded | None:
            try:
                with self._faults(key):
                    found = obstore.get(self.client, key)
                    return Loaded(bytes(found.bytes()), _token(found.meta))
            except FileNotFoundError:
                return None

        return patiently(get)

    def swap(self, key: str, data: bytes, token: str | None) -> str | None:
        import obstore
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        mode: Any = "create" if token is None else json.loads(token)

        def put() -> str | None:
            try:
                with self._faults(key):
                    return _token(obstore.put(self.client, key, data, mode=mode))
            except (AlreadyExistsError, PreconditionError, FileNotFoundError):
                return None

        done = patiently(put)
        if done is None and (found := self.load(key)) and found.data == data:
            return found.token  # it was ours: the answer to it got lost, and what was refused is its repetition
        return done

    def remove(self, keys: Iterable[str]) -> None:
        import obstore

        waiting = iter(keys)
        while some := list(islice(waiting, _AT_ONCE)):

            def delete(some: list[str] = some) -> None:
                try:
                    with self._faults(some[0]):
                        obstore.delete(self.client, some)
                except FileNotFoundError:
                    return

            patiently(delete)

    def unfinished(self, folder: str) -> list[Unfinished]:
        uploads = self.uploads
        return patiently(lambda: uploads().unfinished(folder)) if uploads else []

    def abort(self, uploads: Iterable[Unfinished]) -> None:
        if self.uploads:
            self.uploads().abort(uploads)

    def _faults(self, key: str) -> Any:
        return object_faults(f"{self.shown}/{key}" if key else self.shown, self.service)


def _stored(found: Any) -> Stored:
    since: Any = found["last_modified"] - _EPOCH
    modified = (since.days * 86_400 + since.seconds) * 10**9 + since.microseconds * 1000
    return Stored(found["path"], found["size"], modified, found["e_tag"] or found["version"])


def _token(found: Any) -> str:
    """What a conditional request shows: stores differ in which of the two counts."""
    return json.dumps({name: found[name] for name in ("e_tag", "version") if found[name]})
