"""The source `nats` keeps the laws of sources of messages on a real server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conformance.brokers.nats_under_test import NatsUnderTest
from tests.integration.nats_server import NatsServer

from headrace import testing
from headrace.testing.brokers import Law


@pytest.fixture(scope="module")
def nats() -> Iterator[NatsServer]:
    with NatsServer.running(config="max_payload: 2MB") as server:
        yield server


@pytest.mark.parametrize("by", ["sequence", "subjects", "consumer"])
@pytest.mark.parametrize("law", testing.BROKER_LAWS)
def test_nats(nats: NatsServer, by: str, law: Law, tmp_path: Path) -> None:
    law(NatsUnderTest(nats, by), tmp_path)
