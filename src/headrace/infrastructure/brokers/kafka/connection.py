"""The connection `kafka`: how brokers are reached that speak the protocol of Kafka, for the sources and sinks that name it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from headrace.business.connections import Answer, Profile
from headrace.business.model.plugin import Plugin
from headrace.errors import NonRetryableError
from headrace.infrastructure.brokers.kafka.faults import explained
from headrace.infrastructure.tls import TlsOptions
from headrace.security.secrets import Secret

if TYPE_CHECKING:
    from confluent_kafka import KafkaError

CONNECT_SECONDS = 15
_SERVERS = "Where brokers are found first, each as `host:port`"

Servers = Annotated[
    tuple[Annotated[str, Field(pattern=r"^(\[[0-9a-fA-F:.]+\]|[^\s:,/]+):[0-9]{1,5}$")], ...],
    BeforeValidator(lambda written: tuple(s.strip() for s in written.split(",")) if isinstance(written, str) else written),
    Field(min_length=1),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}),
]


class KafkaConnection(TlsOptions):
    """Brokers that speak the protocol of Kafka."""

    kind: ClassVar[str] = "kafka"

    servers: Servers = Field(description=_SERVERS)
    user: str | None = None
    password: Secret | None = Field(None, description="As ${secret:env/NAME} or ${secret:file/NAME}")
    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = Field(
        None, description="How user and password are proved; SCRAM-SHA-512 unless said"
    )
    connect_seconds: Annotated[int, Field(ge=1, le=600)] = Field(CONNECT_SECONDS, description="How long to wait for a broker")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.user is None) != (self.password is None):
            raise ValueError("`user` and `password` belong together")
        if self.mechanism is not None and self.user is None:
            raise ValueError("`mechanism` proves a `user` with its `password`: give them, too")
        if self.mechanism == "PLAIN" and not self._encrypted:
            raise ValueError("PLAIN shows the password to everybody on the way: turn `tls` on, or name another mechanism")
        if self.tls == "prefer":
            raise ValueError("a port of Kafka speaks TLS or does not: say `tls: off`, `require`, `verify-ca` or `verify-full`")
        return self

    def shown(self) -> str:
        return f"kafka://{','.join(self.servers)}"

    def settings(self, home: Path, told: list[KafkaError]) -> dict[str, Any]:
        """What a client is made with. `told` gets what the client says beside its answers; it is emptied by whoever reads it."""
        files = self.tls_files(home)
        secured: dict[str, Any] = {
            name: files[option]
            for option, name in (("ca", "ssl.ca.location"), ("cert", "ssl.certificate.location"), ("key", "ssl.key.location"))
            if option in files
        }
        if self._encrypted:
            secured["enable.ssl.certificate.verification"] = self.tls not in ("require",)
            secured["ssl.endpoint.identification.algorithm"] = "none" if self.tls in ("require", "verify-ca") else "https"
        if self.user is not None and self.password is not None:
            secured |= {"sasl.username": self.user, "sasl.password": self.password.reveal()}
            secured["sasl.mechanism"] = self.mechanism or "SCRAM-SHA-512"
        protocol = ("SASL_" if self.user else "") + ("SSL" if self._encrypted else "PLAINTEXT")
        return {
            "bootstrap.servers": ",".join(self.servers), "client.id": "headrace", "security.protocol": protocol,
            "socket.connection.setup.timeout.ms": self.connect_seconds * 1000, "reconnect.backoff.max.ms": 2000,
            "log.connection.close": False, "error_cb": lambda error: remember(told, error), "logger": _SILENT, **secured,
        }  # fmt: skip

    def asked_for_topics(self, client: Any, told: list[KafkaError], *name: str) -> Any:
        """What brokers say of all topics, or of one. Gives up as soon as the client has said what no waiting mends.

        Not for a consumer with partitions: to hear what the client says takes a message from it.
        """
        import confluent_kafka

        deadline = time.monotonic() + self.connect_seconds
        while True:
            try:
                found = client.list_topics(*name, timeout=max(0.1, min(1.0, deadline - time.monotonic())))
            except confluent_kafka.KafkaException as error:
                client.poll(0)
                failed = explained(self.shown(), error.args[0], told)
                if isinstance(failed, NonRetryableError) or time.monotonic() > deadline:
                    raise failed from error
            else:
                return found

    @property
    def _encrypted(self) -> bool:
        return self.tls not in (None, "off") or self.ca is not None

    def reach(self, home: Path) -> Answer:
        from confluent_kafka.admin import AdminClient

        told: list[KafkaError] = []
        client = AdminClient(self.settings(home, told))
        begun = time.perf_counter()
        found = self.asked_for_topics(client, told)
        took = (time.perf_counter() - begun) * 1000
        count = len(found.brokers)
        server = f"Kafka protocol, {count} broker{'s' * (count != 1)}"
        verified = self._encrypted and self.tls != "require"
        notes = (f"{len(found.topics)} topics can be seen",)
        return Answer(server, self.user, "TLS" if self._encrypted else None, verified, took, {}, notes)


class _Silent:
    """What librdkafka would print to standard error is told by our errors."""

    def log(self, *_arguments: Any, **_options: Any) -> None: ...


_SILENT = _Silent()
#: How many of the things that a client says are remembered: while brokers are away it says the same again and again.
_REMEMBERED = 20


def remember(told: list[KafkaError], error: KafkaError) -> None:
    told.append(error)
    del told[:-_REMEMBERED]


class ReachedKafka(Plugin):
    """What reaches Kafka: by the addresses of its brokers, or by a connection."""

    servers: Servers | None = Field(None, description=f"{_SERVERS}; or give `connection`")
    connection: Profile[KafkaConnection] | None = Field(
        None, description="The name of a connection of kind `kafka` in headrace.toml"
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.servers is None) == (self.connection is None):
            raise ValueError("give either `connection` or `servers`" + ("" if self.servers is None else ", not both"))
        return self

    @property
    def reached(self) -> KafkaConnection:
        return self.connection.connection if self.connection else KafkaConnection(servers=self.servers or ())

    @property
    def home(self) -> Path:
        """The folder that the files of the connection are meant from."""
        return self.connection.home if self.connection else Path()


def reasons(told: list[KafkaError]) -> Sequence[KafkaError]:
    """What was told since the last time, once."""
    some = tuple(told)
    told.clear()
    return some
