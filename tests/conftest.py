"""What holds for all tests. How long an example takes says something of the machine, and nothing of the code; and what passed once passes
again: the gate tries the same examples each time, and `make search` looks for new ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from tests.integration.rabbitmq_server import RabbitMQServer

settings.register_profile("search", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.register_profile("headrace", settings.get_profile("search"), derandomize=True)
settings.load_profile("headrace")


@pytest.fixture(scope="session")
def rabbitmq_server() -> Iterator[RabbitMQServer]:
    """The server of this worker, which takes ten seconds to start; started by the first test that asks for it."""
    from tests.integration.rabbitmq_server import RabbitMQServer

    with RabbitMQServer.running() as server:
        yield server
