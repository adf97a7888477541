"""Connections between the workers of one stream: TCP, open only to those who know a secret. Not what is said on them.

Both ends prove that they know the secret without saying it (`multiprocessing.connection`: a challenge, answered by its HMAC). What is said
afterwards is not encrypted, so the door is on the loopback interface unless the settings name another.
"""

from __future__ import annotations

import os
import secrets
import socket
import struct
import threading
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from multiprocessing import AuthenticationError
from multiprocessing.connection import Connection, answer_challenge, deliver_challenge

from headrace.errors import NonRetryableError, RetryableError

#: How long the two ends may take to show each other that they know the secret, in seconds.
_PATIENCE = 10


class TcpLink:
    """See the port `Link`."""

    def __init__(self, met: socket.socket, peer: str) -> None:
        self.peer = peer
        self._socket = met
        self._socket.settimeout(None)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self._connection = Connection(os.dup(met.fileno()))
        self._sending = threading.Lock()

    def prove(self, secret: bytes, *, first: bool) -> None:
        """Show each other that both know the secret. Raises `AuthenticationError`, `OSError` or `EOFError`."""
        self._limit(_PATIENCE)
        for act in (answer_challenge, deliver_challenge) if first else (deliver_challenge, answer_challenge):
            act(self._connection, secret)
        self._limit(0)

    def send(self, message: bytes) -> None:
        try:
            with self._sending:
                self._connection.send_bytes(message)
        except (OSError, ValueError) as error:
            raise RetryableError(f"{self.peer} is not there any more: {error}") from error

    def receive(self) -> bytes:
        try:
            return self._connection.recv_bytes()
        except (OSError, EOFError) as error:
            raise RetryableError(f"{self.peer} is not there any more") from error

    def waiting(self, seconds: float) -> bool:
        try:
            return self._connection.poll(seconds)
        except (OSError, EOFError):
            return True

    def close(self) -> None:
        """End it, also for a thread that sends or receives."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        with self._sending, suppress(OSError):
            self._connection.close()

    def _limit(self, seconds: int) -> None:
        """How long the other end may take for each message; 0 for as long as it likes."""
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            self._socket.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", seconds, 0))


class TcpDoor:
    """See the port `Door`. `listen` is the interface that it is on, `advertised` the name that others reach it by."""

    def __init__(self, listen: str = "127.0.0.1", advertised: str | None = None) -> None:
        try:
            self._server = socket.create_server((listen, 0))
        except OSError as error:
            hint = "say in `worker_address` of headrace.toml which of this machine's addresses other workers reach"
            raise NonRetryableError(f"no worker can come in at `{listen}`: {error}", hint=hint) from error
        self.address = f"{advertised or listen}:{self._server.getsockname()[1]}"
        self.secret = secrets.token_bytes(32)
        self._come: list[TcpLink] = []
        self._turn = threading.Lock()
        threading.Thread(target=self._stand, name="headrace-door", daemon=True).start()

    def newcomers(self) -> Sequence[TcpLink]:
        with self._turn:
            come, self._come = self._come, []
        return come

    def close(self) -> None:
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        for link in self.newcomers():
            link.close()

    def _stand(self) -> None:
        while True:
            try:
                met, (host, port, *_) = self._server.accept()
            except OSError:
                return  # closed
            link = TcpLink(met, f"{host}:{port}")
            threading.Thread(target=self._meet, args=(link,), name="headrace-meeting", daemon=True).start()

    def _meet(self, link: TcpLink) -> None:
        try:
            link.prove(self.secret, first=False)
        except (AuthenticationError, OSError, EOFError, ValueError, AssertionError):
            link.close()
            return
        with self._turn:
            self._come.append(link)


def come_in(address: str, secret: bytes) -> TcpLink:
    """Go through the door of a stream. Raises `RetryableError` when nobody is there, or does not know the secret."""
    host, _, port = address.rpartition(":")
    with ExitStack() as unless_met:
        try:
            link = TcpLink(socket.create_connection((host, int(port)), _PATIENCE), address)
            unless_met.callback(link.close)
            link.prove(secret, first=True)
        except (AuthenticationError, OSError, EOFError, ValueError, AssertionError) as error:
            raise RetryableError(f"the worker that leads the stream is not at {address}: {error}") from error
        unless_met.pop_all()
        return link
