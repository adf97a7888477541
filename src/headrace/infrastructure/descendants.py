"""Finds and ends the processes that a process has started, whatever sessions and groups they have put themselves into.

On Linux: an orphan falls to the next process above that adopts orphans (PR_SET_CHILD_SUBREAPER, prctl(2)), so nothing leaves the tree
below that one. Elsewhere nothing is adopted or found, and only process groups can be ended.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36
_PROC = Path("/proc")
#: How often to look at most for what was started meanwhile, and how often nothing must have been there: the kernel's list may miss
#: a process while another one ends.
_ROUNDS, _SURE = 100, 2


def adopt_orphans() -> None:
    """From here on the orphans among all that this process starts are its children. Not inherited by what it starts."""
    if sys.platform == "linux":
        import ctypes  # heavy, and wanted by processes that carry out runs alone

        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def parent_of(pid: int) -> int | None:
    """The parent of a process; None where that is not known, or the process is no more."""
    found = _stat(pid)
    return int(found[1]) if found else None


def children_of(pid: int) -> Sequence[int]:
    """What a process has started or adopted, as far as that is known."""
    return (_told_children if _kernel_tells() else _scanned())(pid)


def end_descendants(pid: int, spared: Collection[int] = ()) -> None:
    """Kill whatever a process has started, and they in turn, but for some of its children with all that is theirs."""
    quiet = 0
    for _ in range(_ROUNDS):
        there = list(_descendants(pid, spared))
        quiet = 0 if there else quiet + 1
        if quiet == _SURE:
            return
        for found in there:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(found, signal.SIGKILL)


def _descendants(pid: int, spared: Collection[int]) -> Iterator[int]:
    """Those that live: dead ones that nobody has buried yet have nothing that is theirs."""
    children = _told_children if _kernel_tells() else _scanned()
    below = [child for child in children(pid) if child not in spared]
    while below:
        found = below.pop()
        state = _stat(found)
        if state and state[0] not in "ZX":
            yield found
        below += children(found)


@cache
def _kernel_tells() -> bool:
    """Whether the kernel lists the children of a process, which most do; to look through all processes takes thirty times as long."""
    return (_PROC / "self" / "task" / str(os.getpid()) / "children").exists()


def _told_children(pid: int) -> list[int]:
    found: list[int] = []
    with suppress(OSError):
        for task in (_PROC / str(pid) / "task").iterdir():
            found += map(int, (task / "children").read_text().split())
    return found


def _scanned() -> Callable[[int], list[int]]:
    """The same from the parents of all processes."""
    children: dict[int, list[int]] = {}
    for entry in _PROC.iterdir() if _PROC.is_dir() else ():
        found = _stat(int(entry.name)) if entry.name.isdecimal() else None
        if found:
            children.setdefault(int(found[1]), []).append(int(entry.name))
    return lambda pid: children.get(pid, [])


def _stat(pid: int) -> list[str] | None:
    """What the kernel tells of a process behind its name: the state, the parent, and more (proc(5))."""
    try:
        return (_PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
