"""Finds the files that an address means: one file, all below a folder, or what a pattern matches. One listing, nothing is read.

Below a folder that was published by Headrace the manifest says which files count: others are of publications that are under way,
or died.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from headrace.business.model.schema import did_you_mean
from headrace.errors import NonRetryableError
from headrace.infrastructure.connectors import manifest
from headrace.infrastructure.connectors.stores.addresses import Address
from headrace.infrastructure.connectors.stores.store import Changed, Store, Stored, WritableStore, changed, patiently

#: So often a folder is looked at that is published to meanwhile.
_LOOKS = 3


def meant(store: Store, address: Address) -> list[Stored]:
    """The files, sorted by their keys. Raises `NonRetryableError` when there are none."""
    if address.has_magic:
        found = _matching(store, address)
        if not found:
            raise NonRetryableError(f"no file matches `{address}`", hint=f"the pattern is meant from {address.store}/")
        return found
    if address.key and not address.key.endswith("/") and (one := patiently(lambda: store.look(address.key))):
        return [one]
    for attempt in range(_LOOKS):
        below = [file for file in store.listed(address.folder) if is_below(file.key, address.folder)]
        try:
            found = _published(store, address, below)
        except Changed:  # something was published between the listing and the look at its manifest
            if attempt + 1 == _LOOKS:
                raise
        else:
            break
    if not found:
        raise _nothing(store, address)
    return found


def is_below(key: str, folder: str) -> bool:
    return not folder or key.startswith(f"{folder}/")


def _matching(store: Store, address: Address) -> list[Stored]:
    pattern = address.key.split("/")
    found = [file for file in store.listed(address.folder) if _matches(file.key.split("/"), pattern)]
    return sorted((f for f in found if _is_shown(f.key, address.folder)), key=lambda f: f.key)


def _matches(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    if not pattern:
        return not parts
    if pattern[0] == "**":
        return _matches(parts, pattern[1:]) or (bool(parts) and _matches(parts[1:], pattern))
    return bool(parts) and fnmatchcase(parts[0], pattern[0]) and _matches(parts[1:], pattern[1:])


def _is_shown(key: str, folder: str) -> bool:
    parts = key.removeprefix(folder).strip("/").split("/")
    return not parts[-1].startswith("_") and bool(parts[-1]) and not any(part.startswith(".") for part in parts)


def _published(store: Store, address: Address, below: Iterable[Stored]) -> list[Stored]:
    """The files of a folder that count."""
    folder = address.folder
    start = f"{folder}/" if folder else ""
    by_key = {file.key: file for file in below}
    if written := by_key.get(start + manifest.NAME):
        found = store.load(written.key) if isinstance(store, WritableStore) else None
        if found is None:
            raise changed(address.of(written.key))
        document = manifest.understood(address.of(written.key), found.data)
        wanted = [start + f.path for f in manifest.decode(document).files] if manifest.has_state(document) else []
        if missing := [key for key in wanted if key not in by_key]:
            raise changed(address.of(missing[0]))
        return [by_key[key] for key in sorted(wanted)]
    shown = (
        f for key, f in by_key.items() if not any(part.startswith(("_", ".")) for part in key.removeprefix(start).split("/"))
    )
    return sorted((f for f in shown if not f.key.endswith("/")), key=lambda f: f.key)


def _nothing(store: Store, address: Address) -> NonRetryableError:
    if address.key.endswith("/") or not address.key:
        return NonRetryableError(
            f"there are no files below `{address}`", hint="hidden files, and names that start with _, are not read"
        )
    folder, _, name = address.key.rpartition("/")
    names = sorted({f.key.removeprefix(f"{folder}/" if folder else "").partition("/")[0] for f in store.listed(folder)})
    hint = did_you_mean(name, names) if names else f"there is nothing below {address.of(folder)}"
    return NonRetryableError(f"there is no file `{address}`", hint=hint)
