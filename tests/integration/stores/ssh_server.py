"""An SFTP server of the tests (asyncssh), in a process of its own: a folder as its root, a user with a password or a key."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asyncssh

USER, PASSWORD = "loader", "sesam-offne-dich"


class _Server(asyncssh.SSHServer):
    def begin_auth(self, username: str) -> bool:
        return True

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return (username, password) == (USER, PASSWORD)


@dataclass
class SshServer:
    """The side of the tests. `keys` has our private key `id`, the server's, and `known_hosts`."""

    folder: Path
    port: int = 0
    _process: subprocess.Popen[str] | None = field(default=None, repr=False)

    @property
    def root(self) -> Path:
        return self.folder / "root"

    @property
    def keys(self) -> Path:
        return self.folder / "keys"

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @classmethod
    @contextmanager
    def running(cls, folder: Path) -> Iterator[SshServer]:
        server = cls(folder)
        server.root.mkdir()
        server.keys.mkdir()
        for name in ("id", "host"):
            key = asyncssh.generate_private_key("ssh-ed25519")
            key.write_private_key(str(server.keys / name))
            key.write_public_key(str(server.keys / f"{name}.pub"))
            (server.keys / name).chmod(0o600)
        server.start()
        public = (server.keys / "host.pub").read_text().strip()
        (server.keys / "known_hosts").write_text(f"[127.0.0.1]:{server.port} {public}\n")
        try:
            yield server
        finally:
            server.stop()

    def start(self) -> None:
        command = [sys.executable, __file__, str(self.folder), str(self.port)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())

    def stop(self) -> None:
        """Its connections are cut."""
        if self._process is not None and self._process.stdout is not None:
            self._process.kill()
            self._process.wait(60)
            self._process.stdout.close()


async def _serve(folder: Path, port: int) -> None:
    made = await asyncssh.create_server(
        _Server, "127.0.0.1", port, server_host_keys=[str(folder / "keys" / "host")],
        authorized_client_keys=str(folder / "keys" / "id.pub"), reuse_address=True,
        sftp_factory=lambda channel: asyncssh.SFTPServer(channel, chroot=str(folder / "root")),
    )  # fmt: skip
    print(made.get_port(), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1]), int(sys.argv[2])))
