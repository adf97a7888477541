"""A folder of a store as the target of publications: files under names that were never there, then the manifest in one exchange.

Nothing is locked. The manifest holds the state, the ledger and the tokens of who may publish, and is exchanged on the condition
that it is still the one that was read; so of two who publish at once one changes nothing. A folder is listed before its manifest is
read, and what was found then and belongs to no state is removed after the exchange: who had put it there came too late.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from headrace.business.connections import Profile
from headrace.business.ports import Fence
from headrace.errors import NonRetryableError, RetryableError
from headrace.infrastructure.connectors import manifest, milestones
from headrace.infrastructure.connectors.fence_file import Tokens, admitted, as_json, tokens
from headrace.infrastructure.connectors.file_layout import digest_of
from headrace.infrastructure.connectors.ledger import Mode
from headrace.infrastructure.connectors.manifest import DataFile, Manifest
from headrace.infrastructure.connectors.stores.addresses import Address
from headrace.infrastructure.connectors.stores.connection import StoreConnection
from headrace.infrastructure.connectors.stores.copies import Copies
from headrace.infrastructure.connectors.stores.fetched import FetchedFolder
from headrace.infrastructure.connectors.stores.places import opened
from headrace.infrastructure.connectors.stores.store import Stored, Unfinished, WritableStore, changed

#: How files of publications are called, by which those of a publication that died are known.
_OURS = re.compile(r"(?:.*/)?[0-9a-f]{16}-\d{5,}\.(?:parquet|csv|jsonl|arrow)(?:\.gz|\.zst)?")
#: So many uploads side by side, and so many attempts to note a token while others change the manifest.
_UPLOADS, _ATTEMPTS = 3, 10


def folder_target(address: Address, connection: Profile[StoreConnection] | None, project: Path) -> StoreFolder:
    store: Any = opened(address, connection, project)
    return StoreFolder(store, address, project)


@dataclass
class StoreFolder:
    """See `FileTarget`."""

    store: WritableStore
    address: Address
    project: Path
    _document: Mapping[str, Any] = field(default_factory=dict)
    _token: str | None = None
    _found: tuple[Stored, ...] = ()
    _unfinished: tuple[Unfinished, ...] = ()

    def __str__(self) -> str:
        return f"{self.address.store}/{self.folder}/"

    @property
    def folder(self) -> str:
        return self.address.folder

    @cached_property
    def _copies(self) -> FetchedFolder:
        return FetchedFolder(self.project)

    @property
    def root(self) -> Path:
        return self._copies.path / "last"

    @property
    def fences(self) -> StoreFolder:
        return self

    @contextmanager
    def alone(self) -> Iterator[None]:
        self._read()
        try:
            yield
        finally:
            if "_copies" in self.__dict__:
                self._copies.remove()

    def tidy(self) -> None:
        """Look what is there. What has to go, goes after the exchange."""
        self._found = tuple(self.store.listed(self.folder))
        self._unfinished = tuple(u for u in self.store.unfinished(self.folder) if _OURS.fullmatch(u[0]))
        self._read()

    def workplace(self) -> Path:
        return self._copies.path / "next"

    def last(self) -> Manifest | None:
        if not self._document:
            self._read()
        return manifest.decode(self._document) if manifest.has_state(self._document) else None

    def _read(self) -> None:
        found = self.store.load(self._key(manifest.NAME))
        self._token = found.token if found else None
        self._document = manifest.understood(f"{self}{manifest.NAME}", found.data) if found else {}

    def _key(self, path: str) -> str:
        return f"{self.folder}/{path}"

    # Who may publish -------------------------------------------------------------------------------------------------

    def highest(self, pipeline: str, issuer: str) -> int | None:
        return self._tokens().get((pipeline, issuer))

    def remember(self, pipeline: str, fence: Fence) -> None:
        for _ in range(_ATTEMPTS):
            known = as_json(admitted(self._tokens(), pipeline, fence))
            if self._exchange({**self._document, "fences": known}):
                self._remember_beside(known)
                return
            self._read()
            if (self.highest(pipeline, fence.issuer) or 0) > fence.token:
                break
        raise self._overtaken()

    def _tokens(self) -> Tokens:
        if not self._document and (beside := self.store.load(self._beside)):
            return tokens(manifest.understood(self._beside, beside.data)["fences"])
        return tokens(self._document.get("fences", ()))

    @property
    def _beside(self) -> str:
        """Where the tokens stay when somebody removes the folder: beside it."""
        parent, slash, name = self.folder.rpartition("/")
        return f"{parent}{slash}.{name}.headrace-fences"

    def _remember_beside(self, known: Sequence[Mapping[str, Any]]) -> None:
        """A copy for later. It decides nothing while there is a manifest."""
        data = manifest.encode({"headrace": manifest.VERSION, "fences": known, "written": uuid.uuid4().hex})
        there = self.store.load(self._beside)
        self.store.swap(self._beside, data, there.token if there else None)

    # The last state --------------------------------------------------------------------------------------------------

    def check(self, last: Manifest | None, mode: Mode) -> None:
        there = {file.key.removeprefix(f"{self.folder}/"): file.bytes for file in self._found}
        known = {manifest.NAME, *(f.path for f in last.files)} if last else {manifest.NAME}
        foreign = sorted(
            p
            for p in there.keys() - known
            if not (_OURS.fullmatch(p) or p.rpartition("/")[2].startswith(".") or p.endswith("/"))
        )
        if foreign:
            shown = ", ".join(foreign[:3]) + (f" and {len(foreign) - 3} more" if len(foreign) > 3 else "")
            raise NonRetryableError(
                f"{self}: holds files that Headrace did not write there: {shown}",
                hint="move them away, or publish to a folder of its own",
            )
        if last and mode != "replace":
            odd = [f for f in last.files if there.get(f.path) != f.bytes]  # which also those are that came after the listing
            changed = [f.path for f in odd if (now := self.store.look(self._key(f.path))) is None or now.bytes != f.bytes]
            if changed:
                raise NonRetryableError(
                    f"{self}: `{changed[0]}` is not what the last publication left there",
                    hint="put it back, or publish with `mode: replace`",
                )

    def bring(self, files: Sequence[DataFile]) -> None:
        stored = [self._stored(file) for file in files]
        copies = Copies(self.store, self._copies.path, stored, self.address.of)
        copies.bring({copy: copy.whole for copy in copies.all})
        for file, copy in zip(files, copies.all, strict=True):
            if digest_of(copy.path).sha256 != file.sha256:
                raise NonRetryableError(
                    f"{self}: `{file.path}` is not what the last publication left there",
                    hint="put it back, or publish with `mode: replace`",
                )
            path = self.root / file.path
            path.parent.mkdir(parents=True, exist_ok=True)
            copy.path.rename(path)

    def _stored(self, file: DataFile) -> Stored:
        key = self._key(file.path)
        found = next((f for f in self._found if f.key == key), None) or self.store.look(key)
        if found is None:
            raise changed(self.address.of(key))
        return found

    def keep(self, file: DataFile, made: Path) -> None:
        """It is there, and stays."""

    # The next state --------------------------------------------------------------------------------------------------

    def put(self, made: Path, state: Manifest, last: Manifest | None) -> None:
        before = {f.path for f in last.files} if last else set()
        new = [f.path for f in state.files if f.path not in before]
        with ThreadPoolExecutor(_UPLOADS) as pool:
            for done in [pool.submit(self.store.upload, self._key(path), made / path) for path in new]:
                done.result()
        milestones.reached("files uploaded")
        if not self._exchange({**state.to_json(), "fences": as_json(self._tokens())}):
            raise self._overtaken()
        milestones.reached("exchanged")
        self._clear(state, before)

    def settle(self, state: Manifest) -> None:
        """What lies there may be of one who publishes now: behind an exchange that one comes too late, and only then it goes."""
        kept = {self._key(f.path) for f in state.files}
        if any(_OURS.fullmatch(f.key) for f in self._found if f.key not in kept) and self._exchange(self._document):
            self._clear(state, set())

    def _exchange(self, document: Mapping[str, Any]) -> bool:
        """Put a manifest in the place of the one that was read, if that is still there."""
        written = {"headrace": manifest.VERSION, **document, "written": uuid.uuid4().hex}
        token = self.store.swap(self._key(manifest.NAME), manifest.encode(written), self._token)
        if token is not None:
            self._document, self._token = written, token
        return token is not None

    def _clear(self, state: Manifest, before: set[str]) -> None:
        """Remove what belonged to the last state alone, and what was there before and belongs to none."""
        kept = {self._key(f.path) for f in state.files}
        died = {f.key for f in self._found if _OURS.fullmatch(f.key)}
        self.store.remove(sorted(({self._key(path) for path in before} | died) - kept))
        self.store.abort(self._unfinished)

    def _overtaken(self) -> RetryableError:
        return RetryableError(
            f"{self}: another run has published there meanwhile", hint="try again: nothing of this run was published"
        )
