"""For people who write plugins: laws that a source, step, check or sink must keep, and stand-ins to test them with. Not a test runner.

    from headrace import testing

    def test_my_source(tmp_path):
        testing.source_conforms(MySource(path="a.xyz"), tmp_path)

Each law raises `AssertionError` with a sentence on what was broken. Install `headrace[arrow]` to use it.
"""

from __future__ import annotations

from headrace.testing.brokers import BROKER_LAWS, BrokerUnderTest
from headrace.testing.checks import check_conforms
from headrace.testing.outlets import outlet_conforms
from headrace.testing.sinks import publisher_conforms
from headrace.testing.sources import (
    source_closes,
    source_conforms,
    source_has_its_schema,
    source_names_its_partitions,
    source_repeats,
    source_resumes,
)
from headrace.testing.stand_ins import MemoryPublisher, RowsSource, run_plugins, stage
from headrace.testing.state_stores import state_store_conforms
from headrace.testing.steps import step_conforms

__all__ = [
    "BROKER_LAWS",
    "BrokerUnderTest",
    "MemoryPublisher",
    "RowsSource",
    "check_conforms",
    "outlet_conforms",
    "publisher_conforms",
    "run_plugins",
    "source_closes",
    "source_conforms",
    "source_has_its_schema",
    "source_names_its_partitions",
    "source_repeats",
    "source_resumes",
    "stage",
    "state_store_conforms",
    "step_conforms",
]
