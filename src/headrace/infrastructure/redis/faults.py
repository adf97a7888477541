"""What a Redis server refused, in words for people, and whether trying again may help. Never shows a password."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from headrace.errors import NonRetryableError, RetryableError, RunError

_WHO = "see that user and password are right, and that the user may use these keys and commands"

#: By the first word of what the server says: what to do, and whether it passes.
_SAID: dict[str, tuple[str, bool]] = {
    "WRONGPASS": (_WHO, False), "NOAUTH": ("the server wants a password: give `password` in the connection", False),
    "NOPERM": (_WHO, False), "WRONGTYPE": ("name a key that holds a stream, or one that is not there yet", False),
    "OOM": ("make room in the server's memory, or let it trim its streams", True),
    "LOADING": ("the server reads its data; it is asked again", True), "BUSY": ("a script keeps the server; it is asked again", True),
    "MISCONF": ("the server cannot save: see its log, and its disk", True),
    "READONLY": ("this is a replica: give the address of the primary", True),
    "MASTERDOWN": ("the replica waits for its primary", True), "CLUSTERDOWN": ("the cluster is not complete; it is asked again", True),
    "TRYAGAIN": ("the cluster moves its slots; it is asked again", True),
    "MOVED": ("this is a node of a cluster, and the key is on another: give the address of the node that has it", False),
    "CROSSSLOT": ("the keys are on different nodes of a cluster: give them one hash tag, such as {orders}", False),
}  # fmt: skip

#: Of a connection that does not come about, which has one class for many reasons.
_REFUSALS: tuple[tuple[str, str, bool], ...] = (
    (
        r"Name or service not known|nodename nor servname|Temporary failure in name|No address associated",
        "see that `host` is spelt right and known here",
        True,
    ),
    (r"Hostname mismatch|IP address mismatch", "name the host as its certificate does", False),
    (
        r"CERTIFICATE_VERIFY_FAILED|certificate verify failed",
        "give in `ca` the certificate of who vouches for the server",
        False,
    ),
    (
        r"WRONG_VERSION_NUMBER|SSL|ssl",
        "see whether the port speaks TLS, and that `ca`, `cert` and `key` belong together",
        False,
    ),
    (r"invalid DB index|DB index is out of range", "see how many databases the server has; the first is 0", False),
    (
        r"timed out|Timeout|unreachable|No route",
        "see that host and port are right, that the port speaks TLS if TLS is asked for, and that no firewall is between",
        True,
    ),
)


@contextmanager
def redis_faults(shown: str) -> Iterator[None]:
    """Turn what redis-py raises into our errors."""
    import redis

    try:
        yield
    except redis.RedisError as error:
        raise explained(shown, error) from error


def explained(shown: str, error: Exception) -> RunError:
    import redis

    said = " ".join(str(error).split())
    kind = said.partition(" ")[0]
    if isinstance(error, redis.AuthenticationError | redis.exceptions.NoPermissionError):
        return NonRetryableError(f"{shown}: {said}", hint=_SAID["NOAUTH"][0] if "required" in said.lower() else _WHO)
    if kind in _SAID:
        hint, passing = _SAID[kind]
        return (RetryableError if passing else NonRetryableError)(f"{shown}: {said}", hint=hint)
    for pattern, hint, passing in _REFUSALS:
        if re.search(pattern, said):
            return (RetryableError if passing else NonRetryableError)(f"{shown}: {said}", hint=hint)
    if isinstance(error, redis.ConnectionError | redis.TimeoutError):
        return RetryableError(f"{shown}: {said}", hint="see that the server runs, and listens at this host and port")
    return NonRetryableError(f"{shown}: {said}", hint="see that the server is of version 6.2 or newer, and mend the cause")
