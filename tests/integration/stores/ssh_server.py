"""An SFTP server of the tests (asyncssh), in a process of its own: a folder as its root, a user with a password or a key."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Self

import asyncssh
from tests.integration.server import Server, answers, free_port

USER, PASSWORD = "loader", "sesam-offne-dich"


class _Server(asyncssh.SSHServer):
    def begin_auth(self, username: str) -> bool:
        return True

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return (username, password) == (USER, PASSWORD)


@dataclass
class SshServer(Server):
    """The side of the tests. `keys` has our private key `id`, the server's, and `known_hosts`."""

    ended_by: ClassVar[signal.Signals] = signal.SIGKILL

    port: int = field(default_factory=free_port)

    @property
    def root(self) -> Path:
        return self.folder / "root"

    @property
    def keys(self) -> Path:
        return self.folder / "keys"

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> Self:
        if not self.keys.exists():
            self._prepare()
        home = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
        self._run(sys.executable, __file__, self.folder, self.port, env=home)
        self._wait_until(lambda: answers(self.port, answer=b"SSH-2.0"))
        return self

    def _prepare(self) -> None:
        self.root.mkdir()
        self.keys.mkdir()
        for name in ("id", "host"):
            key = asyncssh.generate_private_key("ssh-ed25519")
            key.write_private_key(str(self.keys / name))
            key.write_public_key(str(self.keys / f"{name}.pub"))
            (self.keys / name).chmod(0o600)
        public = (self.keys / "host.pub").read_text().strip()
        (self.keys / "known_hosts").write_text(f"[127.0.0.1]:{self.port} {public}\n")


async def _serve(folder: Path, port: int) -> None:
    await asyncssh.create_server(
        _Server, "127.0.0.1", port, server_host_keys=[str(folder / "keys" / "host")],
        authorized_client_keys=str(folder / "keys" / "id.pub"), reuse_address=True,
        sftp_factory=lambda channel: asyncssh.SFTPServer(channel, chroot=str(folder / "root")),
    )  # fmt: skip
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1]), int(sys.argv[2])))
