"""An end to every conversation: after so many seconds the connection is shut, whatever the other side does. Not how it is opened."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def at_most(seconds: float, connection: Callable[[], socket.socket | None]) -> Iterator[None]:
    """Within this, a connection lives for so long. Time limits of sockets alone begin anew with every byte that trickles in."""

    def shut() -> None:
        found = connection()
        if found is not None:
            try:
                found.shutdown(socket.SHUT_RDWR)
            except OSError:
                return

    timer = threading.Timer(seconds, shut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def what_broke(error: Exception) -> str:
    """Why a connection failed, in words that hold neither names nor addresses: those may be secrets."""
    if isinstance(error, TimeoutError):
        return "it did not answer in time"
    if isinstance(error, socket.gaierror):
        return "its name is not known"
    if type(error).__name__ == "SSLCertVerificationError":
        return "its certificate cannot be trusted"
    if isinstance(error, ConnectionError):
        return {"ConnectionRefusedError": "it refused the connection"}.get(type(error).__name__, "it broke the connection off")
    return f"the connection failed ({type(error).__name__})"
