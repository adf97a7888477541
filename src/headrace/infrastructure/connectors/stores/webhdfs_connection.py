"""The connection `webhdfs`: as whom a name node of HDFS is asked, and whether by TLS."""

from __future__ import annotations

import time
from pathlib import Path
from typing import ClassVar, Self

from pydantic import Field, model_validator

from headrace.business.connections import Answer
from headrace.errors import NonRetryableError
from headrace.infrastructure.connectors.stores.addresses import Address
from headrace.infrastructure.connectors.stores.connection import StoreConnection
from headrace.infrastructure.connectors.stores.http_client import HttpClient
from headrace.infrastructure.connectors.stores.webhdfs_store import WebHdfsStore
from headrace.infrastructure.connectors.web.trust import trust
from headrace.security.secrets import Secret


class WebHdfsConnection(StoreConnection):
    """HDFS by WebHDFS or HttpFS. Kerberos is not spoken: where it is demanded, give a delegation token."""

    kind: ClassVar[str] = "webhdfs"

    host: str = Field("", description="The name node, with its port, that gets the token")
    user: str | None = Field(None, description="As whom to ask, where the cluster believes what it is told")
    token: Secret | None = Field(None, description="A delegation token, as ${secret:env/NAME}")
    tls: bool = Field(False, description="Whether to ask by HTTPS")
    ca: str | None = Field(None, description="A file with the certificates of those who vouch for the server, in PEM")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.token is not None and self.user is not None:
            raise ValueError("a `token` says who asks: leave `user` out")
        if self.token is not None and not self.host:
            raise ValueError("name the `host` that gets the token: no other one will")
        if self.ca is not None and not self.tls:
            raise ValueError("`ca` means nothing without `tls: true`")
        return self

    def shown(self) -> str:
        return f"webhdfs://{self.host}"

    def open(self, home: Path, address: Address) -> WebHdfsStore:
        if self.host and address.place != self.host:
            raise NonRetryableError(
                f"`{address.store}` is not the host of this connection, which is {self.host}",
                hint="name the connection of that host",
            )
        url = f"{'https' if self.tls else 'http'}://{address.place}"
        who = {"delegation": self.token.reveal()} if self.token else {"user.name": self.user} if self.user else {}
        client = HttpClient(self.timeout, url, context=lambda: trust(home, self.ca))
        return WebHdfsStore(address.store, url, client, who)

    def reach(self, home: Path) -> Answer:
        if not self.host:
            raise NonRetryableError("the connection names no `host`", hint="name one to be tried with")
        begun = time.perf_counter()
        user = self.open(home, Address("webhdfs", self.host, "")).user()
        took = (time.perf_counter() - begun) * 1000
        return Answer("HDFS", user, "TLS" if self.tls else None, verified=self.tls, round_trip_ms=took)
