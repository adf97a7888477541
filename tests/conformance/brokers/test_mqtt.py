"""The source `mqtt` keeps the laws of sources of messages on a real server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conformance.brokers.mqtt_under_test import MqttUnderTest
from tests.integration.mosquitto_server import MosquittoServer

from headrace import testing
from headrace.infrastructure.relay import Relay
from headrace.testing.brokers import Law


@pytest.fixture(scope="module")
def mosquitto() -> Iterator[MosquittoServer]:
    with MosquittoServer.running() as server:
        yield server


@pytest.fixture(scope="module")
def relay(mosquitto: MosquittoServer) -> Iterator[Relay]:
    with Relay("127.0.0.1", mosquitto.port) as relay:
        yield relay


@pytest.mark.parametrize("law", testing.BROKER_LAWS)
def test_mqtt(mosquitto: MosquittoServer, relay: Relay, law: Law, tmp_path: Path) -> None:
    law(MqttUnderTest(mosquitto, relay), tmp_path)
