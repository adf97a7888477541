"""The connection `mqtt`: how an MQTT server is reached. Not what is read from it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from headrace.business.connections import Answer, Profile
from headrace.infrastructure.brokers.broker_connection import BrokerConnection, ReachedBroker, Scheme
from headrace.infrastructure.brokers.mqtt.protocol import MqttProtocol, Session
from headrace.infrastructure.brokers.wire import Wire, wire_faults
from headrace.infrastructure.round_trips import round_trip_ms
from headrace.security.secrets import Secret

_URL = "mqtt://user@host:port, with the password as ${secret:env/NAME}; mqtts:// with TLS"


class MqttConnection(BrokerConnection):
    """An MQTT 5 server: by `url`, or by its parts."""

    kind: ClassVar[str] = "mqtt"
    schemes: ClassVar[Mapping[str, Scheme]] = {"mqtt": Scheme(1883, encrypted=False), "mqtts": Scheme(8883, encrypted=True)}

    url: Secret | None = Field(None, description=_URL)

    def connect(self, home: Path, session: Session) -> MqttProtocol:
        """An open connection in this session. Raises our errors."""
        at, shown = self.address, self.shown()
        with wire_faults(shown), ExitStack() as opened:
            wire = Wire(at.host, at.port, self.connect_seconds)
            opened.callback(wire.close)
            if self.tls_mode != "off":
                wire.encrypt(self.tls_context(home))
            protocol = MqttProtocol(wire, shown, self.connect_seconds)
            protocol.begin(session, at.user, at.password)
            opened.pop_all()
            return protocol

    def reach(self, home: Path) -> Answer:
        protocol = self.connect(home, passing_session())
        try:
            with wire_faults(self.shown()):
                took = round_trip_ms(protocol.ping)
                encryption = protocol.encryption
                protocol.leave()
        finally:
            protocol.close()
        return Answer("MQTT 5", self.address.user, encryption, self.verifies and encryption is not None, took)


class ReachedMqtt(ReachedBroker):
    """What reaches an MQTT server: by address, or by a connection."""

    url: Secret | None = Field(None, description=f"{_URL}; or give `connection`")
    connection: Profile[MqttConnection] | None = Field(
        None, description="The name of a connection of kind `mqtt` in headrace.toml"
    )

    @property
    def system(self) -> str:
        return self.reached.shown()

    @property
    def reached(self) -> MqttConnection:
        return self.connection.connection if self.connection else MqttConnection(url=self.url)


def passing_session() -> Session:
    """One that nothing is kept of."""
    return Session(f"headrace-{uuid.uuid4().hex[:12]}", 0, 65_535)
