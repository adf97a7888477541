"""Who is reached by TLS is verified, as far as the connection demands it; a relay speaks TLS for Valkey and Tansu, which cannot."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trustme
from tests.integration.tansu_server import TansuServer
from tests.integration.tls_relay import TlsRelay
from tests.integration.valkey_server import ValkeyServer

from headrace.business.connections import Connection
from headrace.errors import NonRetryableError
from headrace.infrastructure.brokers.kafka.connection import KafkaConnection
from headrace.infrastructure.redis.connection import RedisConnection

Reach = Callable[..., Connection]


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def home(authority: trustme.CA, tmp_path: Path) -> Path:
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    trustme.CA().cert_pem.write_to_path(tmp_path / "another.pem")
    return tmp_path


def redis_behind(stack: ExitStack, authority: trustme.CA, name: str, **options: Any) -> Connection:
    server = ValkeyServer().start()
    stack.callback(server.remove)
    relay = stack.enter_context(TlsRelay(authority, name, server.port))
    return RedisConnection(host="127.0.0.1", port=relay.port, connect_seconds=30, **options)


def kafka_behind(stack: ExitStack, authority: trustme.CA, name: str, **options: Any) -> Connection:
    server = TansuServer()
    relay = stack.enter_context(TlsRelay(authority, name, server.port))
    server.advertised = f"127.0.0.1:{relay.port}"
    server.start()
    stack.callback(server.remove)
    return KafkaConnection(servers=server.advertised, connect_seconds=30, **options)


@pytest.fixture(params=[redis_behind, kafka_behind])
def reach(request: pytest.FixtureRequest, authority: trustme.CA) -> Iterator[Reach]:
    """A connection to a server with a certificate for this name."""
    with ExitStack() as stack:
        yield partial(request.param, stack, authority)


@pytest.mark.parametrize(
    ("name", "options", "verified"),
    [
        ("127.0.0.1", {"ca": "ca.pem"}, True),
        ("elsewhere.example", {"ca": "ca.pem", "tls": "verify-ca"}, True),
        ("elsewhere.example", {"tls": "require"}, False),
    ],
)
def test_a_server_is_verified_as_far_as_it_is_demanded(
    reach: Reach, home: Path, name: str, options: dict[str, Any], verified: bool
) -> None:
    answer = reach(name, **options).reach(home)
    assert (answer.tls, answer.verified) == ("TLS", verified)


@pytest.mark.parametrize(
    ("name", "options"),
    [("127.0.0.1", {"ca": "another.pem"}), ("127.0.0.1", {"tls": "verify-full"}), ("elsewhere.example", {"ca": "ca.pem"})],
)
def test_a_server_that_is_not_who_it_should_be_is_refused_for_good(
    reach: Reach, home: Path, name: str, options: dict[str, Any]
) -> None:
    with pytest.raises(NonRetryableError) as told:
        reach(name, **options).reach(home)
    assert "certificate" in str(told.value)


def test_a_file_that_is_not_there_is_told(reach: Reach, home: Path) -> None:
    with pytest.raises(NonRetryableError, match="the file for `ca` cannot be read"):
        reach("127.0.0.1", ca="nowhere.pem").reach(home)
