"""Stands on loopback before a remote server, passes everything on, and closes connections when it is told. It understands nothing of it."""

from __future__ import annotations

import socket
import struct
import threading
import time
from contextlib import suppress
from types import TracebackType
from typing import Self

_PIECE = 65_536
_CONNECT_SECONDS = 15
#: Closes at once, as when a line is cut: what was not sent yet is lost, and the other side is told of a reset.
_AT_ONCE = struct.pack("ii", 1, 0)


class Relay:
    """A server of its own for one remote server."""

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        self.last_at = 0.0
        """When something passed last, in seconds since 1970."""
        self._turn = threading.Lock()
        self._open: set[_Connection] = set()
        self._next_is_doomed = False
        self._listening = socket.create_server(("127.0.0.1", 0))

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._listening.getsockname()[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True, name="headrace-relay").start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._cut_open()

    def cut(self) -> None:
        """Close all connections; where there are none, the next one with its first answer."""
        if not self._cut_open():
            self._next_is_doomed = True

    def lose(self) -> None:
        """Let what is asked next over each connection reach the server, and close it in place of the answer; where there are none, so
        with the next one."""
        with self._turn:
            for connection in self._open:
                connection.doomed = True
            self._next_is_doomed = not self._open

    def _cut_open(self) -> int:
        with self._turn:
            there = list(self._open)
        for connection in there:
            connection.close()
        return len(there)

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listening.accept()
            except OSError:
                return
            try:
                far = socket.create_connection((self.host, self.port), _CONNECT_SECONDS)
            except OSError:
                near.close()  # So it looks from here when the server is away.
                continue
            far.settimeout(None)
            with self._turn:
                connection = _Connection(near, far, self, doomed=self._next_is_doomed)
                self._next_is_doomed = False
                self._open.add(connection)
            connection.start()

    def forget(self, connection: _Connection) -> None:
        """It is closed."""
        with self._turn:
            self._open.discard(connection)


class _Connection:
    """Both ends of one connection, with a thread for each direction."""

    def __init__(self, near: socket.socket, far: socket.socket, relay: Relay, *, doomed: bool) -> None:
        self.near, self.far, self.relay, self.doomed = near, far, relay, doomed

    def start(self) -> None:
        for source, target in ((self.near, self.far), (self.far, self.near)):
            threading.Thread(target=self._pass_on, args=(source, target), daemon=True, name="headrace-relay").start()

    def close(self) -> None:
        self.relay.forget(self)
        for end in (self.near, self.far):
            with suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(_PIECE):
                if self.doomed and source is self.far:
                    break
                self.relay.last_at = time.time()
                target.sendall(data)
        self.close()
