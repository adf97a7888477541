"""The connection `sftp`: how a server is reached by SSH. A server whose key is not known is never trusted."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from headrace.business.connections import Answer
from headrace.errors import NonRetryableError
from headrace.infrastructure.connectors.stores.addresses import Address
from headrace.infrastructure.connectors.stores.connection import StoreConnection
from headrace.infrastructure.connectors.stores.sftp_faults import sftp_faults
from headrace.infrastructure.connectors.stores.sftp_store import SftpStore
from headrace.security.secrets import Secret

if TYPE_CHECKING:
    import paramiko


class SftpConnection(StoreConnection):
    """A server that gives files by SFTP."""

    kind: ClassVar[str] = "sftp"

    host: str = Field("", description="The server that gets the credentials, with its port unless it is 22")
    user: str | None = Field(None, description="By the address, or the user of this machine, when left out")
    password: Secret | None = Field(None, description="As ${secret:env/NAME}")
    key: str | None = Field(None, description="A file with our private key, which only its owner may read")
    passphrase: Secret | None = Field(None, description="What the private key is encrypted with")
    known_hosts: str | None = Field(None, description="A file with the keys of servers; ~/.ssh/known_hosts when left out")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.passphrase is not None and self.key is None:
            raise ValueError("`passphrase` is that of a `key`")
        if (self.password or self.key) and not self.host:
            raise ValueError("name the `host` that gets these credentials: no other one will")
        return self

    def shown(self) -> str:
        return f"sftp://{self.host}"

    def open(self, home: Path, address: Address) -> SftpStore:
        host = address.place.rpartition("@")[2]
        if self.host and host != self.host:
            raise NonRetryableError(
                f"`{address.store}` is not the host of this connection, which is {self.host}",
                hint="name the connection of that host",
            )
        return SftpStore(address.store, lambda: self._connected(home, address))

    def reach(self, home: Path) -> Answer:
        if not self.host:
            raise NonRetryableError("the connection names no `host`", hint="name one to be tried with")
        address = Address("sftp", self.host, "")
        begun = time.perf_counter()
        client = self._connected(home, address)
        took = (time.perf_counter() - begun) * 1000
        try:
            transport = client.get_transport()
            server = transport.remote_version if transport else "SSH"
            with sftp_faults(self.shown()), client.open_sftp() as files:
                files.listdir_attr(".")
            return Answer(server, self.user, "SSH", verified=True, round_trip_ms=took, rights={"list": True})
        finally:
            client.close()

    def _connected(self, home: Path, address: Address) -> paramiko.SSHClient:
        import paramiko

        parts = urlsplit(f"ssh://{address.place}")
        client = paramiko.SSHClient()
        client.set_missing_host_key_policy(paramiko.RejectPolicy())
        with sftp_faults(address.store):
            if self.known_hosts is None:
                client.load_system_host_keys()
            else:
                client.load_host_keys(str((home / self.known_hosts).resolve()))
            own = self.password is None and self.key is None
            client.connect(
                parts.hostname or "", parts.port or 22, self.user or parts.username,
                password=self.password.reveal() if self.password else None,
                key_filename=str((home / self.key).resolve()) if self.key else None,
                passphrase=self.passphrase.reveal() if self.passphrase else None,
                allow_agent=own, look_for_keys=own,
                timeout=self.timeout, banner_timeout=self.timeout, auth_timeout=self.timeout, channel_timeout=self.timeout,
            )  # fmt: skip
        return client
