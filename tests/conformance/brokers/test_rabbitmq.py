"""The source `rabbitmq` keeps the laws of sources of messages on a real server, for queues and for streams."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from tests.conformance.brokers.rabbitmq_under_test import RabbitMQUnderTest
from tests.integration.rabbitmq_server import RabbitMQServer

from headrace import testing
from headrace.infrastructure.relay import Relay
from headrace.testing.brokers import Law


@pytest.fixture(scope="module")
def relays(rabbitmq_server: RabbitMQServer) -> Iterator[Mapping[str, Relay]]:
    with Relay("127.0.0.1", rabbitmq_server.port) as queues, Relay("127.0.0.1", rabbitmq_server.stream_port) as streams:
        yield {"queue": queues, "stream": streams}


@pytest.mark.parametrize("by", ["queue", "stream"])
@pytest.mark.parametrize("law", testing.BROKER_LAWS)
def test_rabbitmq(rabbitmq_server: RabbitMQServer, relays: Mapping[str, Relay], by: str, law: Law, tmp_path: Path) -> None:
    broker = RabbitMQUnderTest(rabbitmq_server, relays, by)
    law(broker, tmp_path)
    broker.close()
