"""Speaks TLS on loopback for a server that cannot by itself, and passes on what is within. For tests of how clients verify."""

from __future__ import annotations

import socket
import ssl
import threading
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import Self

import trustme

_PIECE = 65_536


class TlsRelay:
    """A certificate of this authority for this name, in front of a port of this machine."""

    def __init__(self, authority: trustme.CA, name: str, port: int) -> None:
        self._port = port
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(name).configure_cert(self._tls)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listening.accept()
                threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        """Both directions in one thread: a TLS socket is not for two."""
        with suppress(OSError), ExitStack() as open_ends:
            inner = open_ends.enter_context(self._tls.wrap_socket(open_ends.enter_context(near), server_side=True))
            far = open_ends.enter_context(socket.create_connection(("127.0.0.1", self._port)))
            for end in (inner, far):
                end.settimeout(0.002)
            while True:
                for source, target in ((inner, far), (far, inner)):
                    with suppress(TimeoutError):
                        data = source.recv(_PIECE)
                        if not data:
                            return
                        target.sendall(data)
