"""The real queue and a plain model agree, on SQLite and on PostgreSQL; the longer series is in `bench/faults`."""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test
from tests.faults.queue_model import QueueModel
from tests.integration.postgres_server import PostgresServer

from headrace.infrastructure.storage.database import Database
from headrace.infrastructure.storage.postgres_database import PostgresDatabase


def bounded(examples: int, steps: int) -> settings:
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    return settings(max_examples=examples, stateful_step_count=steps, deadline=None, suppress_health_check=checks)


def test_on_sqlite() -> None:
    run_state_machine_as_test(QueueModel, settings=bounded(30, 40))


def test_on_postgres(postgres_server: PostgresServer) -> None:
    def opened() -> Database:
        url = postgres_server.new_database()
        return PostgresDatabase(lambda: url, "postgres")

    class OnPostgres(QueueModel):
        """The same, in an empty database each time."""

    OnPostgres.opened = staticmethod(opened)
    run_state_machine_as_test(OnPostgres, settings=bounded(6, 40))
