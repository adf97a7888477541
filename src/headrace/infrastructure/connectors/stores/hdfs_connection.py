"""The connection `hdfs`: which name node is asked by Hadoop's own protocol. As whom is said by the environment, as to Hadoop's tools."""

from __future__ import annotations

import os
import time
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from headrace.business.connections import Answer
from headrace.errors import NonRetryableError
from headrace.infrastructure.connectors.stores.addresses import Address
from headrace.infrastructure.connectors.stores.connection import StoreConnection
from headrace.infrastructure.connectors.stores.coroutines import Coroutines
from headrace.infrastructure.connectors.stores.hdfs_faults import hdfs_faults
from headrace.infrastructure.connectors.stores.hdfs_store import HdfsStore

if TYPE_CHECKING:
    from hdfs_native import AsyncClient

#: What the client is told by the environment when it is made.
_SAID = ("HADOOP_USER_NAME", "HADOOP_CONF_DIR")
#: Calls are tried again by us, in view of the run's time; the client would do so for minutes, and fails in coroutines when it does.
_ONCE = {"dfs.client.failover.max.attempts": "0"}


class HdfsConnection(StoreConnection):
    """HDFS by its own protocol. The user is that of `HADOOP_USER_NAME`, or of this machine; `HADOOP_CONF_DIR` is read."""

    kind: ClassVar[str] = "hdfs"

    host: str = Field("", description="The name node, with the port of its RPC, that `headrace connection test` asks")

    def shown(self) -> str:
        return f"hdfs://{self.host}"

    def open(self, home: Path, address: Address) -> HdfsStore:  # noqa: ARG002 - it has no files of its own
        if self.host and address.place != self.host:
            raise NonRetryableError(
                f"`{address.store}` is not the host of this connection, which is {self.host}",
                hint="name the connection of that host",
            )
        return HdfsStore(
            address.store, Coroutines(self.timeout), partial(_client, address.store, os.getpid(), *map(os.environ.get, _SAID))
        )

    def reach(self, home: Path) -> Answer:
        if not self.host:
            raise NonRetryableError("the connection names no `host`", hint="name one to be tried with")
        store = self.open(home, Address("hdfs", self.host, ""))
        begun = time.perf_counter()
        store.ask()
        return Answer("HDFS", None, None, verified=False, round_trip_ms=(time.perf_counter() - begun) * 1000)


@cache
def _client(url: str, process: int, *said: str | None) -> AsyncClient:  # noqa: ARG001 - what is forked has no threads of it
    """Never let go: the garbage collector would wait for threads of the client, and they for the collector's thread."""
    from hdfs_native import AsyncClient

    with hdfs_faults(url):
        return AsyncClient(url, dict(_ONCE))
