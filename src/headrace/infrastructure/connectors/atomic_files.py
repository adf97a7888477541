"""Changes of files and folders that a reader sees whole or not at all, also after a crash. Not what is in them.

A new folder is built beside its target under a hidden name, then the two change places in one act of the kernel. Where
the file system cannot do that, two renames follow each other, and a crash between them is mended by `tidy`. Whatever a
crashed publication left behind has a name that `tidy` knows.
"""

from __future__ import annotations

import errno
import os
import shutil
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from headrace.errors import NonRetryableError, RetryableError
from headrace.infrastructure.connectors import milestones

_AT_FDCWD = -100
_EXCHANGE = 2
_UNSUPPORTED = {errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP}


def hidden(target: Path, role: str) -> str:
    """The name of what lies beside a target to serve it."""
    return f".{target.name}.headrace-{role}"


@contextmanager
def publishing_lock(target: Path) -> Iterator[None]:
    """Keep other publications away from `target`. The lock goes with its process, and leaves no file behind."""
    import fcntl

    path = target.with_name(hidden(target, "lock"))
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            raise RetryableError(f"{target}: another run is publishing there", hint="try again when it has ended") from None
        if _is_open_file(path, handle):
            break
        os.close(handle)
    try:
        yield
    finally:
        path.unlink()
        os.close(handle)


def _is_open_file(path: Path, handle: int) -> bool:
    """Whether the path still leads to the file that was locked, and not to one that replaced it since."""
    try:
        return path.stat().st_ino == os.fstat(handle).st_ino
    except FileNotFoundError:
        return False


def new_beside(target: Path) -> Path:
    """A free hidden name beside the target."""
    return target.with_name(f"{hidden(target, 'new')}-{uuid.uuid4().hex[:12]}")


def tidy(target: Path) -> None:
    """Remove what crashed publications left beside the target, and put it back if one of them had just moved it away."""
    left = [p for p in target.parent.iterdir() if p.name.startswith((hidden(target, "new"), hidden(target, "old")))]
    for path in left:
        if path.name.startswith(hidden(target, "old")) and not os.path.lexists(target):
            path.rename(target)
        else:
            remove(path)


def aside(target: Path) -> Path | None:
    """Where the target stands if a publication crashed after it had moved it away, for those that only read."""
    if os.path.lexists(target) or not target.parent.is_dir():
        return None
    return next((p for p in target.parent.iterdir() if p.name.startswith(hidden(target, "old"))), None)


def put_folder(new: Path, target: Path) -> None:
    """Let the folder `new` become `target`; what was there before is gone afterwards."""
    try:
        if not target.exists():
            new.rename(target)
            sync_folder(target.parent)
            return
        if not exchange(new, target):
            old = target.with_name(f"{hidden(target, 'old')}-{uuid.uuid4().hex[:12]}")
            target.rename(old)
            milestones.reached("moved away")
            new.rename(target)
            new = old
        sync_folder(target.parent)
        milestones.reached("exchanged")
        shutil.rmtree(new, ignore_errors=True)  # what cannot be removed now is tidied up by the next publication
    except OSError as error:
        if error.errno in (errno.EBUSY, errno.EXDEV):
            hint = "it is where a file system is mounted, so it cannot be replaced as a whole: publish to a folder inside it"
            raise NonRetryableError(f"{target}: cannot be exchanged for its new state: {error.strerror}", hint=hint) from error
        raise


def exchange(a: Path, b: Path) -> bool:
    """Let two paths change places in one act. False where this system or file system cannot."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    first, second = os.fsencode(a), os.fsencode(b)
    if sys.platform == "darwin":
        call = getattr(libc, "renamex_np", None)
        result = call(first, second, ctypes.c_uint(_EXCHANGE)) if call else None
    else:
        call = getattr(libc, "renameat2", None)
        result = call(_AT_FDCWD, first, _AT_FDCWD, second, ctypes.c_uint(_EXCHANGE)) if call else None
    if result == 0:
        return True
    code = ctypes.get_errno() if call else errno.ENOSYS
    if code in _UNSUPPORTED:
        return False
    raise OSError(code, os.strerror(code), str(a), None, str(b))


def link_or_copy(source: Path, target: Path) -> None:
    """The same content under another name: without copying it where the file system can."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def write_whole(path: Path, data: bytes, new: Path) -> None:
    """Write a small file so that it is there completely or as it was. It is made as `new`, on the same file system."""
    with new.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    sync_folder(path.parent)


def sync_file(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_folder(path: Path) -> None:
    sync_file(path)


def sync_tree(folder: Path) -> None:
    """Bring everything below a folder to the disk."""
    for path in folder.rglob("*"):
        sync_file(path)
    sync_folder(folder)


def remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
