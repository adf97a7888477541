"""The connection `redis`: how a Redis or Valkey server is reached, for the sources, sinks and stores that are told of it by name."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self
from urllib.parse import unquote, urlsplit

from pydantic import Field, model_validator

from headrace.business.connections import Answer, Profile
from headrace.business.model.plugin import Plugin
from headrace.errors import NonRetryableError
from headrace.infrastructure.redis.faults import redis_faults
from headrace.infrastructure.tls import TlsOptions
from headrace.security.secrets import Secret

if TYPE_CHECKING:
    import redis

PORT = 6379
CONNECT_SECONDS = 15
#: How much is taken from the socket at once: replies with thousands of entries are large.
_READ_BYTES = 1 << 20
_QUESTIONS = 5
_PARTS = ("host", "port", "user", "password", "database")
_URL = "redis://user@host:port/database, with the password as ${secret:env/NAME}; rediss:// with TLS"


class RedisConnection(TlsOptions):
    """A database of a Redis or Valkey server: by `url`, or by its parts."""

    kind: ClassVar[str] = "redis"

    url: Secret | None = Field(None, description=_URL)
    host: str | None = Field(None, description="Its name or address; a path for a socket there")
    port: Annotated[int, Field(ge=1, le=65_535)] | None = Field(None, description=f"{PORT} unless said")
    user: str | None = None
    password: Secret | None = Field(None, description="As ${secret:env/NAME} or ${secret:file/NAME}")
    database: Annotated[int, Field(ge=0)] | None = Field(None, description="Its number; 0 unless said")
    connect_seconds: Annotated[int, Field(ge=1, le=600)] = Field(CONNECT_SECONDS, description="How long to wait for the server")

    @model_validator(mode="after")
    def _by_address_or_parts(self) -> Self:
        parts = [name for name in _PARTS if getattr(self, name) is not None]
        if self.url is not None and parts:
            raise ValueError(f"give either `url` or its parts, not `url` and `{parts[0]}`")
        if self.url is None and self.host is None:
            raise ValueError("give `host`, or the whole address as `url`")
        if self.tls == "prefer":
            raise ValueError("a port of Redis speaks TLS or does not: say `tls: off`, `require`, `verify-ca` or `verify-full`")
        return self

    def shown(self) -> str:
        try:
            parts = self._parts()
        except NonRetryableError:
            return str(self.url)
        place = parts["host"] if str(parts["host"]).startswith("/") else f"{parts['host']}:{parts['port']}"
        return f"{'rediss' if parts['tls'] else 'redis'}://{place}/{parts['database']}"

    def client(self, home: Path) -> redis.Redis:
        """A client that tries nothing again by itself. Making it contacts nobody."""
        import redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        parts = self._parts()
        kind: Any = redis.Connection
        where: dict[str, Any] = {"host": parts["host"], "port": parts["port"], "socket_keepalive": True}
        if str(parts["host"]).startswith("/"):
            kind, where = redis.UnixDomainSocketConnection, {"path": parts["host"]}
        elif parts["tls"]:
            kind, where = redis.SSLConnection, {**where, **self._tls(home)}
        pool = redis.ConnectionPool(
            connection_class=kind, **where, db=parts["database"], username=parts["user"], password=parts["password"],
            socket_timeout=self.connect_seconds, socket_connect_timeout=self.connect_seconds, socket_read_size=_READ_BYTES,
            protocol=2, retry=Retry(NoBackoff(), 0), client_name="headrace",
        )  # fmt: skip
        return redis.Redis.from_pool(pool)

    def reach(self, home: Path) -> Answer:
        with redis_faults(self.shown()), self.client(home) as client:
            took = round_trip_ms(client)
            info: Any = client.info()
            who: Any = client.execute_command("ACL WHOAMI")
            persistent = bool(info.get("aof_enabled"))
        valkey = str(info.get("server_name", "")).lower() == "valkey"
        server = f"Valkey {info['valkey_version']}" if valkey else f"Redis {info.get('redis_version', '?')}"
        notes = [] if persistent else ["the server keeps no append-only file: what it was told last is lost when it dies"]
        notes += ["this is a replica, which takes no changes"] if info.get("role") == "slave" else []
        notes += [] if fast() else [SLOW]
        encrypted = self._parts()["tls"]
        user = who.decode() if isinstance(who, bytes) else str(who)
        return Answer(server, user, "TLS" if encrypted else None, bool(encrypted and self._verified), took, {}, tuple(notes))

    @property
    def _verified(self) -> bool:
        return self.tls_mode not in ("off", "require")

    def _parts(self) -> dict[str, Any]:
        """Host, port, user, password and database, and whether TLS is spoken."""
        wrong = NonRetryableError("`url` is not the address of a Redis server", hint=f"write it as {_URL}")
        if self.url is None:
            return {
                "host": self.host, "port": self.port or PORT, "user": self.user, "database": self.database or 0,
                "password": self.password.reveal() if self.password else None,
                "tls": self.tls not in (None, "off") or self.ca is not None,
            }  # fmt: skip
        try:
            found = urlsplit(self.url.reveal())
            port, database = found.port or PORT, found.path.lstrip("/") if found.scheme != "unix" else ""
            number = int(database or 0)
        except ValueError:
            raise wrong from None
        if found.scheme not in ("redis", "rediss", "unix") or found.query or not (found.hostname or found.scheme == "unix"):
            raise wrong
        return {
            "host": found.path if found.scheme == "unix" else found.hostname, "port": port, "database": number,
            "user": unquote(found.username) if found.username else None,
            "password": unquote(found.password) if found.password else None,
            "tls": found.scheme == "rediss",
        }  # fmt: skip

    def _tls(self, home: Path) -> dict[str, Any]:
        names = {"ca": "ssl_ca_certs", "cert": "ssl_certfile", "key": "ssl_keyfile"}
        return {names[option]: path for option, path in self.tls_files(home).items()} | {
            "ssl_cert_reqs": "required" if self._verified else "none",
            "ssl_check_hostname": self._verified and self.tls_mode != "verify-ca",
        }


SLOW = "redis-py reads without hiredis 3.2 or newer, three times slower: pip install 'headrace[redis]'"


def fast() -> bool:
    """Whether redis-py parses replies in C."""
    from redis.utils import HIREDIS_AVAILABLE

    return bool(HIREDIS_AVAILABLE)


def round_trip_ms(client: redis.Redis) -> float:
    """How long the shortest of some questions takes."""
    trips = []
    for _ in range(_QUESTIONS):
        begun = time.perf_counter()
        client.ping()
        trips.append((time.perf_counter() - begun) * 1000)
    return min(trips)


class ReachedRedis(Plugin):
    """What reaches a Redis server: by its address, or by a connection."""

    url: Secret | None = Field(None, description=f"{_URL}; or give `connection`")
    connection: Profile[RedisConnection] | None = Field(
        None, description="The name of a connection of kind `redis` in headrace.toml"
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.url is None) == (self.connection is None):
            raise ValueError("give either `connection` or `url`" + ("" if self.url is None else ", not both"))
        return self

    @property
    def reached(self) -> RedisConnection:
        return self.connection.connection if self.connection else RedisConnection(url=self.url)

    def client(self) -> redis.Redis:
        return self.reached.client(self.connection.home if self.connection else Path())
