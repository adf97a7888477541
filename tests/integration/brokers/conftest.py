"""Servers of messages for these tests, one of each kind for a module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.integration.tansu_server import TansuServer
from tests.integration.valkey_server import ValkeyServer


@pytest.fixture(scope="module")
def valkey() -> Iterator[ValkeyServer]:
    server = ValkeyServer().start()
    yield server
    server.remove()


@pytest.fixture(scope="module")
def tansu() -> Iterator[TansuServer]:
    server = TansuServer().start()
    yield server
    server.remove()
