"""Names processes so that another on the same machine can tell whether they still live. Not for processes of other machines."""

from __future__ import annotations

import os
import platform
from pathlib import Path


def this_process() -> str:
    """`host/pid/start`: a number that is given out again is not taken for the process that had it before."""
    return f"{this_host()}/{os.getpid()}/{_started(os.getpid())}"


def this_host() -> str:
    return platform.node() or "-"


def this_user() -> str:
    """Who runs this process, for people to read."""
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may have a user without a name
        return f"user {os.getuid()}"


def is_gone(name: str) -> bool:
    """Whether that process was on this machine and is no more."""
    host, _, rest = name.partition("/")
    pid, _, started = rest.partition("/")
    return host == this_host() and pid.isdecimal() and _started(int(pid)) != started


def _started(pid: int) -> str:
    """When a process started, in the kernel's own count; or `-` where that cannot be known, or `gone`."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return "gone"
    except PermissionError:
        pass
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return "-"
    return "gone" if fields[0] == "Z" else fields[19]
