"""The fixture itself: each test has a database of its own."""

import psycopg
import pytest


@pytest.mark.parametrize("attempt", [1, 2])
def test_each_test_gets_an_empty_database(postgres: str, attempt: int) -> None:
    with psycopg.connect(postgres) as connection:
        connection.execute("CREATE TABLE t (i int)")
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
    assert tables == [("t",)]
