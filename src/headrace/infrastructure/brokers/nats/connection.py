"""The connection `nats`: how NATS servers are reached. Not what is read from them."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import Field, model_validator

from headrace.business.connections import Answer, Profile
from headrace.errors import HeadraceError, NonRetryableError
from headrace.infrastructure.brokers.broker_connection import Address, BrokerConnection, ReachedBroker, Scheme
from headrace.infrastructure.brokers.nats.protocol import NatsProtocol, greeted
from headrace.infrastructure.brokers.wire import Wire, wire_faults
from headrace.infrastructure.round_trips import round_trip_ms
from headrace.security.secrets import Secret

_URL = "nats://user@host:port, with the password as ${secret:env/NAME}; several servers with commas between"


class NatsConnection(BrokerConnection):
    """A NATS server, or several of one cluster: by `url`, or by its parts."""

    kind: ClassVar[str] = "nats"
    schemes: ClassVar[Mapping[str, Scheme]] = {"nats": Scheme(4222, encrypted=False), "tls": Scheme(4222, encrypted=True)}
    upgrades: ClassVar[bool] = True

    url: Secret | None = Field(None, description=_URL)
    token: Secret | None = Field(None, description="As ${secret:env/NAME}, where the server wants a token")
    credentials: str | None = Field(
        None, description="A file with a user's JWT and seed, as `nsc` writes it, which only its owner may read"
    )

    @model_validator(mode="after")
    def _one_identity(self) -> Self:
        given = [name for name in ("user", "token", "credentials") if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"`{given[0]}` and `{given[1]}` are two ways to say who we are: give one")
        return self

    def connect(self, home: Path) -> NatsProtocol:
        """An open connection to the first server that answers. Raises our errors."""
        *others, last = self.addresses
        for address in others:
            try:
                return self._connected(address, home)
            except HeadraceError:
                continue
        return self._connected(last, home)

    def reach(self, home: Path) -> Answer:
        protocol = self.connect(home)
        try:
            with wire_faults(self.shown()):
                took = round_trip_ms(protocol.ping)
                info, encryption = protocol.info, protocol.encryption
        finally:
            protocol.close()
        there = bool(info.get("jetstream"))
        notes = () if there else ("the server has no JetStream: start it with `-js`",)
        verified = self.verifies and encryption is not None
        return Answer(f"NATS {info.get('version')}", self.address.user, encryption, verified, took, {"jetstream": there}, notes)

    def _connected(self, address: Address, home: Path) -> NatsProtocol:
        shown = f"nats://{address}"
        with wire_faults(shown):
            wire = Wire(address.host, address.port, self.connect_seconds)
            with ExitStack() as opened:
                opened.callback(wire.close)
                info, rest = greeted(wire, self.connect_seconds)
                self._encrypt(wire, info, home, shown)
                protocol = NatsProtocol(wire, shown, info, rest, self.connect_seconds)
                protocol.begin(self._identity(address, info, home))
                opened.pop_all()
            return protocol

    def _encrypt(self, wire: Wire, info: Mapping[str, Any], home: Path, shown: str) -> None:
        there = bool(info.get("tls_required") or info.get("tls_available"))
        if self.tls_mode == "off" or (self.tls_mode == "prefer" and not there):
            if info.get("tls_required"):
                raise NonRetryableError(
                    f"{shown}: the server wants TLS", hint="say `tls: require`, or give the `ca` that vouches for it"
                )
            return
        if not there:
            raise NonRetryableError(
                f"{shown}: the server has no TLS", hint="turn TLS on at the server, or do not demand it: `tls: prefer`"
            )
        wire.encrypt(self.tls_context(home))

    def _identity(self, address: Address, info: Mapping[str, Any], home: Path) -> dict[str, Any]:
        if self.token is not None:
            return {"auth_token": self.token.reveal()}
        if self.credentials is not None:
            return _signed((home / self.credentials).resolve(), str(info.get("nonce", "")))
        if address.user is None:
            return {}
        if address.password is None and self.url is not None:
            return {"auth_token": address.user}  # nats://token@host, as all clients of NATS take it
        return {"user": address.user, "pass": address.password or ""}


class ReachedNats(ReachedBroker):
    """What reaches NATS: by address, or by a connection."""

    url: Secret | None = Field(None, description=f"{_URL}; or give `connection`")
    connection: Profile[NatsConnection] | None = Field(
        None, description="The name of a connection of kind `nats` in headrace.toml"
    )

    @property
    def system(self) -> str:
        return self.reached.shown()

    @property
    def reached(self) -> NatsConnection:
        return self.connection.connection if self.connection else NatsConnection(url=self.url)


def _signed(path: Path, nonce: str) -> dict[str, Any]:
    """The JWT of a file of credentials, and the server's nonce signed with the seed there."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    try:
        text = path.read_text()
    except OSError as error:
        raise NonRetryableError(
            f"the file for `credentials` cannot be read: {path} ({error.strerror})", hint="mend `credentials` of the connection"
        ) from None
    found = re.findall(r"-----BEGIN [^-]+-----\s*(\S+)\s*-+END [^-]+-+", text)
    try:
        jwt, seed = found
        key = Ed25519PrivateKey.from_private_bytes(base64.b32decode(seed + "=" * (-len(seed) % 8))[2:34])
    except ValueError:
        raise NonRetryableError(
            f"{path} holds no credentials of a NATS user", hint="give the file that `nsc generate creds` writes"
        ) from None
    signature = base64.urlsafe_b64encode(key.sign(nonce.encode())).rstrip(b"=").decode()
    return {"jwt": jwt, "sig": signature}
