"""What tests of stores share: a bucket of their own with a project, and servers between that misbehave."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.seaweed_server import SeaweedServer
from tests.integration.stores.faulty import FaultyProxy
from tests.integration.stores.lake import Lake
from tests.integration.stores.ssh_server import SshServer


@pytest.fixture
def lake(seaweed_server: SeaweedServer, tmp_path: Path) -> Lake:
    made = Lake(seaweed_server, seaweed_server.new_bucket(), tmp_path)
    made.settings()
    return made


@pytest.fixture
def proxy(seaweed_server: SeaweedServer) -> Iterator[FaultyProxy]:
    with FaultyProxy.before(seaweed_server.endpoint) as made:
        yield made


@pytest.fixture(scope="session")
def ssh_server() -> Iterator[SshServer]:
    with SshServer.running() as made:
        yield made
