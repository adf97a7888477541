"""Our sources of messages keep the laws that the public kit has for everyone's, on servers that run."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.conformance.brokers.under_test import KafkaUnderTest, RedisUnderTest, TailUnderTest
from tests.integration.tansu_server import TansuServer
from tests.integration.valkey_server import ValkeyServer

from headrace import testing
from headrace.testing.brokers import Law


@pytest.mark.parametrize("law", testing.BROKER_LAWS)
def test_redis(valkey: ValkeyServer, law: Law, tmp_path: Path) -> None:
    law(RedisUnderTest(valkey), tmp_path)


@pytest.mark.parametrize("law", testing.BROKER_LAWS)
def test_kafka_protocol_by_tansu(tansu: TansuServer, law: Law, tmp_path: Path) -> None:
    law(KafkaUnderTest(tansu), tmp_path)


@pytest.mark.parametrize("law", testing.BROKER_LAWS)
def test_tail(law: Law, tmp_path: Path) -> None:
    law(TailUnderTest(tmp_path), tmp_path)
