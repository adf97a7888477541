"""Finds the files that a path means, and refuses what is no file of rows. Reads nothing of them but for their hash."""

from __future__ import annotations

import glob
import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from headrace.business.model.schema import did_you_mean
from headrace.business.ports import InputFile
from headrace.errors import NonRetryableError
from headrace.infrastructure.connectors.stores.places import problem_with_address

_BLOCK = 1 << 20


def problem_with(path: str) -> str | None:
    """What is wrong with a written path, before any look at the disk."""
    if not path:
        return "the path is empty"
    if "\0" in path:
        return "a path has no NUL in it"
    return problem_with_address(path)


def list_files(project: Path, paths: Iterable[str]) -> tuple[InputFile, ...]:
    """The files, each once: those of a list in its order, those of a pattern or folder sorted by their names.

    Hidden files, and those whose names start with an underscore, such as manifests, are left out unless they are named.
    """
    found: dict[str, InputFile] = {}
    for written in paths:
        if problem := problem_with(written):
            raise NonRetryableError(f"`{written[:200]!s}` cannot be read: {problem}")
        for path in _meant(project, written):
            found.setdefault(path, _looked_at(path))
    return tuple(found.values())


def _meant(project: Path, written: str) -> list[str]:
    """The paths that one written path means: itself if it exists, all files below a folder, or what a pattern matches."""
    path = os.path.abspath(project / written)  # noqa: PTH100 - `resolve` would follow links, and name another file than the user
    if os.path.isdir(path):  # noqa: PTH112
        files = sorted(_below(path))
        if not files:
            raise NonRetryableError(
                f"the folder `{written}` has no files in it", hint="hidden files, and names that start with _, are not read"
            )
        return files
    if os.path.lexists(path):
        return [path]
    if glob.has_magic(written):
        matches = (match for match in glob.iglob(path, recursive=True) if not os.path.isdir(match))  # noqa: PTH112, PTH207
        files = sorted(match for match in matches if _is_shown(os.path.relpath(match, project)))
        if not files:
            raise NonRetryableError(f"no file matches `{written}`", hint=f"the pattern is meant from {project.resolve()}")
        return files
    raise NonRetryableError(f"there is no file `{written}`", hint=_instead(path, written))


def _below(folder: str) -> Iterator[str]:
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith((".", "_"))]
        yield from (os.path.join(parent, name) for name in files if not name.startswith((".", "_")))  # noqa: PTH118


def _is_shown(relative: str) -> bool:
    parts = Path(relative).parts
    return not parts[-1].startswith("_") and not any(part.startswith(".") and part not in (".", "..") for part in parts)


def _instead(path: str, written: str) -> str:
    folder, name = Path(path).parent, Path(path).name
    if not folder.is_dir():
        return f"there is no folder `{Path(written).parent}`"
    names = sorted(n.name for n in folder.iterdir() if not n.name.startswith("."))
    return did_you_mean(name, names) if names else f"{folder} is empty"


def _looked_at(path: str) -> InputFile:
    try:
        about = os.stat(path)  # noqa: PTH116
    except OSError as error:
        raise NonRetryableError(f"`{path}` cannot be read: {error.strerror}", hint="see that a link leads to a file") from error
    if not stat.S_ISREG(about.st_mode):
        raise NonRetryableError(f"`{path}` is not a regular file", hint="devices, pipes and sockets are not read")
    return InputFile(path, about.st_size, about.st_mtime_ns)


def content_hash(file: InputFile) -> InputFile:
    """The same file with the SHA-256 of its content."""
    digest = hashlib.sha256()
    with open(file.path, "rb") as opened:  # noqa: PTH123
        while block := opened.read(_BLOCK):
            digest.update(block)
    return replace(file, sha256=digest.hexdigest())
