"""Every target of the kit, once in each mode."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conformance.sinks.crasher import Crasher
from tests.conformance.sinks.targets import NAMES, WAYS, Target, make_target
from tests.integration.seaweed_server import SeaweedServer


@pytest.fixture(params=NAMES)
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Target:
    """Every target."""
    return _target(request.param, request, tmp_path)


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest, tmp_path: Path) -> Target:
    """One target for each way of publishing."""
    return _target(request.param, request, tmp_path)


def _target(name: str, request: pytest.FixtureRequest, tmp_path: Path) -> Target:
    if name == "store":
        request.getfixturevalue("s3_environment")
    url = request.getfixturevalue(name) if name in ("postgres", "mysql") else ""
    home = tmp_path / "home"
    home.mkdir()
    return make_target(name, home, url)


@pytest.fixture(scope="session")
def s3_environment(seaweed_server: SeaweedServer) -> Iterator[None]:
    """What leads this process, and those that it starts from now on, to a bucket for the kit."""
    seaweed_server.new_bucket("kit")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in seaweed_server.environment.items():
            patch.setenv(name, value)
        patch.setenv("AWS_ENDPOINT", seaweed_server.endpoint)
        yield


@pytest.fixture(scope="session")
def crasher(tmp_path_factory: pytest.TempPathFactory, s3_environment: None) -> Iterator[Crasher]:
    made = Crasher.start(tmp_path_factory.mktemp("crasher"))
    yield made
    made.stop()
