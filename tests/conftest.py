"""What holds for all tests. How long an example takes says something of the machine, and nothing of the code; and what passed once passes
again: the gate tries the same examples each time, and `make search` looks for new ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from tests.integration.mysql_server import MySQLServer
    from tests.integration.postgres_server import PostgresServer
    from tests.integration.rabbitmq_server import RabbitMQServer
    from tests.integration.seaweed_server import SeaweedServer
    from tests.integration.snowflake_server import SnowflakeServer
    from tests.integration.stores.hdfs_server import HdfsServer
    from tests.integration.tansu_server import TansuServer
    from tests.integration.valkey_server import ValkeyServer

settings.register_profile("search", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.register_profile("headrace", settings.get_profile("search"), derandomize=True)
settings.load_profile("headrace")


#: Their tests come first, so that one of the processes that tests run in starts these servers, and no other does.
_SLOW_TO_START = {"hdfs", "rabbitmq_server"}


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: not _SLOW_TO_START & set(getattr(item, "fixturenames", ())))


# One server of each kind for each process that tests run in, started by the first test that asks for it --------------------------


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    from tests.integration.postgres_server import PostgresServer

    with PostgresServer.running() as server:
        yield server


@pytest.fixture
def postgres(postgres_server: PostgresServer) -> Iterator[str]:
    """The URL of an empty database that is dropped after the test."""
    url = postgres_server.new_database()
    yield url
    postgres_server.drop(url)


@pytest.fixture(scope="session")
def mysql_server() -> Iterator[MySQLServer]:
    from tests.integration.mysql_server import MySQLServer

    with MySQLServer.running() as server:
        yield server


@pytest.fixture
def mysql(mysql_server: MySQLServer) -> Iterator[str]:
    """The URL of an empty database that is dropped after the test."""
    url = mysql_server.new_database()
    yield url
    mysql_server.ask(f"DROP DATABASE {url.rpartition('/')[2]}")


@pytest.fixture(scope="session")
def seaweed_server() -> Iterator[SeaweedServer]:
    from tests.integration.seaweed_server import SeaweedServer

    with SeaweedServer.running() as server:
        yield server


@pytest.fixture(scope="session")
def snowflake_server() -> Iterator[SnowflakeServer]:
    from tests.integration.snowflake_server import SnowflakeServer

    with SnowflakeServer.running() as server:
        yield server


@pytest.fixture(scope="session")
def rabbitmq_server() -> Iterator[RabbitMQServer]:
    from tests.integration.rabbitmq_server import RabbitMQServer

    with RabbitMQServer.running() as server:
        yield server


@pytest.fixture(scope="session")
def hdfs() -> Iterator[HdfsServer]:
    from tests.integration.stores.hdfs_server import HdfsServer

    with HdfsServer.running() as server:
        yield server


# One for each module, which may stop it or leave things in it ------------------------------------------------------------------


@pytest.fixture(scope="module")
def valkey() -> Iterator[ValkeyServer]:
    from tests.integration.valkey_server import ValkeyServer

    with ValkeyServer.running() as server:
        yield server


@pytest.fixture(scope="module")
def tansu() -> Iterator[TansuServer]:
    from tests.integration.tansu_server import TansuServer

    with TansuServer.running() as server:
        yield server
