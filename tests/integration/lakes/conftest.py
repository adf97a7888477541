"""Every place where tests keep lake tables: Delta and Iceberg, on this machine and on a real S3 server."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.integration.lakes.tables import WAYS, Lakes, make
from tests.integration.seaweed_server import SeaweedServer


@pytest.fixture(params=WAYS)
def lakes(request: pytest.FixtureRequest, tmp_path: Path) -> Lakes:
    """Each kind of table in each place."""
    return _made(request.param, request, tmp_path)


@pytest.fixture(params=["delta", "iceberg"])
def local(request: pytest.FixtureRequest, tmp_path: Path) -> Lakes:
    """Each kind of table on this machine."""
    return _made(request.param, request, tmp_path)


@pytest.fixture(params=["delta on s3", "iceberg by rest", "iceberg by sql on s3"])
def remote(request: pytest.FixtureRequest, tmp_path: Path) -> Lakes:
    """Each kind of table on the S3 server."""
    return _made(request.param, request, tmp_path)


def _made(way: str, request: pytest.FixtureRequest, tmp_path: Path) -> Lakes:
    server: SeaweedServer | None = None
    if way not in ("delta", "iceberg"):
        server = request.getfixturevalue("seaweed_server")
    return make(way, tmp_path, server)
