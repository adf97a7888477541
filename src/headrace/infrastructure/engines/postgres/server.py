"""What PostgreSQL lacks, as functions of the session: they live in `pg_temp` and go with it. Which statement calls which is said by
the tables of functions and casts.

A function that is a single SELECT is put into the statement by the planner, and costs what its text costs. None of them catches an
error: that would take a subtransaction a call, and keep the statement from running in parallel.
"""

from __future__ import annotations

from collections.abc import Sequence

from headrace.infrastructure.engines.postgres.server_lists import LISTS
from headrace.infrastructure.engines.postgres.server_numbers import NUMBERS
from headrace.infrastructure.engines.postgres.server_plain import plain
from headrace.infrastructure.engines.postgres.server_reading import reading
from headrace.infrastructure.engines.postgres.server_texts import texts
from headrace.infrastructure.engines.postgres.server_times import TIMES

#: The first version whose functions and types suffice.
LEAST_VERSION = 14

#: What every session has to be set to: texts of dates, floats and bytes, and the zone in which instants are read.
SETTINGS: dict[str, str] = {
    "TimeZone": "UTC", "DateStyle": "ISO, YMD", "IntervalStyle": "postgres", "extra_float_digits": "1", "bytea_output": "hex",
    "standard_conforming_strings": "on", "client_encoding": "UTF8",
}  # fmt: skip


def prelude(version: int) -> Sequence[str]:
    """The statements that make a session of a server of that major version ready for what is printed here."""
    settings = [f"SET {name} TO '{value}'" for name, value in SETTINGS.items()]
    return [*settings, *NUMBERS, *texts(version), *TIMES, *LISTS, *plain(version), *reading(version)]
