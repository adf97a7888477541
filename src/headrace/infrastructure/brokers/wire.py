"""One TCP connection to a broker, with TLS or without, used by one thread: bytes out, bytes in, and an end to every wait. No protocol."""

from __future__ import annotations

import re
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from headrace.errors import HeadraceError, NonRetryableError, RetryableError, RunError

_CHUNK = 1 << 18

#: Of a connection that does not come about, or breaks: what it looks like, what to do, and whether it passes.
_BREAKS: tuple[tuple[str, str, bool], ...] = (
    (r"Name or service not known|nodename nor servname|Temporary failure in name", "see that `host` is spelt right and known here", True),
    (r"ame mismatch|doesn't match|address mismatch", "name the host as its certificate does, or verify only by `tls: verify-ca`", False),
    (r"CERTIFICATE_VERIFY_FAILED|certificate verify failed", "give in `ca` the certificate of whoever vouches for the server", False),
    (r"WRONG_VERSION_NUMBER|UNEXPECTED_EOF|record layer failure", "see that this port speaks TLS, or do not demand it", False),
    (r"alert|certificate required|bad certificate", "give in `cert` and `key` a certificate that the server accepts", False),
    (r"timed out|unreachable|No route", "see that host and port are right, and no firewall is between", True),
)  # fmt: skip
_SERVER = "see that the server runs, and listens at this host and port"


class Wire:
    """An open connection. Its methods raise `OSError` when it breaks."""

    def __init__(self, host: str, port: int, seconds: float) -> None:
        self.host = host
        self._seconds = seconds
        self._socket: socket.socket = socket.create_connection((host, port), timeout=seconds)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

    def encrypt(self, context: ssl.SSLContext) -> None:
        self._socket = context.wrap_socket(self._socket, server_hostname=self.host)

    @property
    def encryption(self) -> str | None:
        """The version and cipher of TLS; None when nothing is encrypted."""
        if not isinstance(self._socket, ssl.SSLSocket):
            return None
        cipher = self._socket.cipher()
        return f"{self._socket.version()} {cipher[0] if cipher else ''}".strip()

    def send(self, data: bytes) -> None:
        self._socket.settimeout(self._seconds)
        self._socket.sendall(data)

    def receive(self, wait_seconds: float) -> bytes:
        """What has come, as soon as there is something; nothing when nothing comes in time."""
        self._socket.settimeout(max(wait_seconds, 0.0))
        try:
            data = self._socket.recv(_CHUNK)
        except (TimeoutError, BlockingIOError, ssl.SSLWantReadError):
            return b""
        if not data:
            raise ConnectionResetError("the server closed the connection")
        return data

    def close(self) -> None:
        with suppress(OSError):
            self._socket.close()

    def __del__(self) -> None:
        if hasattr(self, "_socket"):  # a feed may be left without being closed
            self.close()


def read_until(done: Callable[[], bool], read: Callable[[float], object], seconds: float, shown: str) -> None:
    """Read what comes, for so long at the most each time, until it is done. Raises `RetryableError` when it is not in time."""
    deadline = time.monotonic() + seconds
    while not done():
        left = deadline - time.monotonic()
        if left <= 0:
            raise RetryableError(f"{shown}: the server did not answer in time", hint="see what the server is doing")
        read(left)


@contextmanager
def wire_faults(shown: str) -> Iterator[None]:
    """Turn what sockets raise into our errors."""
    try:
        yield
    except HeadraceError:
        raise
    except OSError as error:
        raise broken(shown, error) from error


def broken(shown: str, error: BaseException) -> RunError:
    """That a server cannot be reached, or is no longer there, in words for people."""
    said = " ".join(str(getattr(error, "strerror", None) or error).split()) or type(error).__name__
    for pattern, hint, passing in _BREAKS:
        if re.search(pattern, str(error)) or re.search(pattern, said):
            return (RetryableError if passing else NonRetryableError)(f"{shown}: {said}", hint=hint)
    return RetryableError(f"{shown}: {said}", hint=_SERVER)
