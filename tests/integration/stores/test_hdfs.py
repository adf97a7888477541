"""Files of a real HDFS, by the web interface and by its own protocol: found, fetched by ranges, told apart, and refused in words."""

from __future__ import annotations

import asyncio
import socket
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.integration.stores.hdfs_server import HdfsServer
from tests.integration.stores.lake import fetched

from headrace import bootstrap
from headrace.business.connections import Profile
from headrace.business.ports import FileScan
from headrace.errors import NonRetryableError, RetryableError
from headrace.infrastructure.connectors.file_source import FileSource
from headrace.infrastructure.connectors.stores import store
from headrace.infrastructure.connectors.stores.addresses import parse
from headrace.infrastructure.connectors.stores.connection import StoreConnection
from headrace.infrastructure.connectors.stores.hdfs_connection import HdfsConnection
from headrace.infrastructure.connectors.stores.webhdfs_connection import WebHdfsConnection
from headrace.resilience.backoff import RetryPolicy

LONG = b"id,text\n" + b"".join(b"%d,some text\n" % i for i in range(600_000))
SHORT = b"id,text\n1,a\n2,b\n"


@dataclass
class Way:
    """One of the protocols that a name node speaks."""

    scheme: str
    host: str
    patch: pytest.MonkeyPatch

    def connection(self, user: str = "root") -> StoreConnection:
        if self.scheme == "webhdfs":
            return WebHdfsConnection(host=self.host, user=user)
        self.patch.setenv("HADOOP_USER_NAME", user)
        return HdfsConnection(host=self.host, timeout=20)

    def scan(self, path: str, project: Path, user: str = "root") -> FileScan:
        profile = Profile("hdfs", self.connection(user), project)
        found = FileSource(path=(f"{self.scheme}://{self.host}/{path}",), connection=profile, format="csv").scan(project)
        assert isinstance(found, FileScan)
        return found


@pytest.fixture(params=["webhdfs", "hdfs"])
def way(request: pytest.FixtureRequest, hdfs: HdfsServer, monkeypatch: pytest.MonkeyPatch) -> Way:
    return Way(request.param, hdfs.host if request.param == "webhdfs" else hdfs.rpc, monkeypatch)


def test_files_are_found_and_fetched(hdfs: HdfsServer, way: Way, tmp_path: Path):
    hdfs.put("in/a.csv", LONG)
    hdfs.put("in/deep/b.csv", SHORT)
    assert fetched(way.scan("in/**/*.csv", tmp_path)) == [LONG, SHORT]
    assert fetched(way.scan("in/deep/b.csv", tmp_path)) == [SHORT]
    assert way.scan("in", tmp_path).files[0].name == f"{way.scheme}://{way.host}/in/a.csv"
    with pytest.raises(NonRetryableError, match=r"there is no file `(web)?hdfs:.*/in/c.csv`") as caught:
        way.scan("in/c.csv", tmp_path)
    assert caught.value.hint


def test_a_file_that_changes_meanwhile_is_an_error_that_passes(hdfs: HdfsServer, way: Way, tmp_path: Path):
    hdfs.put("changing/a.csv", LONG)
    found = way.scan("changing/a.csv", tmp_path)
    hdfs.put("changing/a.csv", LONG.replace(b"some", b"more"))
    with pytest.raises(RetryableError, match="was changed while it was being read"):
        fetched(found)


def test_who_may_not_read_is_told(hdfs: HdfsServer, way: Way, tmp_path: Path):
    hdfs.put("closed/a.csv", SHORT)
    url = f"http://{hdfs.host}/webhdfs/v1/closed?op=SETPERMISSION&permission=700&user.name=root"
    with urllib.request.urlopen(urllib.request.Request(url, method="PUT"), timeout=60):
        pass
    with pytest.raises(NonRetryableError, match="access is denied") as caught:
        way.scan("closed/a.csv", tmp_path, user="somebody")
    assert "right" in str(caught.value.hint)


def test_a_connection_is_tried(hdfs: HdfsServer, way: Way, tmp_path: Path):
    answer = way.connection("somebody").reach(tmp_path)
    assert (answer.server, answer.user, answer.verified) == ("HDFS", "somebody" if way.scheme == "webhdfs" else None, False)


# Its own protocol ----------------------------------------------------------------------------------------------------


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store.patiently, "__defaults__", (RetryPolicy(attempts=1),))


def reached(host: str, **options: Any) -> None:
    HdfsConnection(**options).open(Path(), parse(f"hdfs://{host}/")).listed("in")


@pytest.mark.usefixtures("impatient")
def test_who_is_not_there_or_speaks_otherwise_is_told(hdfs: HdfsServer):
    with pytest.raises(RetryableError, match="it refused the connection"):
        reached("127.0.0.1:9")
    with pytest.raises(RetryableError, match="its name is not known"):
        reached("nowhere.invalid:9")
    with pytest.raises(RetryableError, match="it broke the connection off") as caught:
        reached(hdfs.host)
    assert "name node's RPC" in str(caught.value)
    with pytest.raises(NonRetryableError, match="it has no port"):
        reached("127.0.0.1")


@pytest.mark.usefixtures("impatient")
def test_a_server_that_is_silent_is_not_waited_for_for_ever():
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(RetryableError, match="did not answer in time"):
        reached(f"127.0.0.1:{silent.getsockname()[1]}", timeout=1)


def test_a_file_that_grew_or_shrank_is_no_longer_the_same(hdfs: HdfsServer, tmp_path: Path):
    hdfs.put("sizes/a.csv", LONG)
    found = HdfsConnection().open(tmp_path, parse(f"hdfs://{hdfs.rpc}/sizes/a.csv"))
    file = found.look("sizes/a.csv")
    assert file is not None
    for other in (SHORT, LONG + SHORT):
        hdfs.put("sizes/a.csv", other)
        with pytest.raises(store.Changed):
            found.read(file, file.bytes - 100, 100)
    found.remove(["sizes/a.csv"])  # type: ignore[attr-defined]
    with pytest.raises(store.Changed):
        found.read(file, 0, 100)


def test_it_can_be_asked_where_coroutines_run(hdfs: HdfsServer, tmp_path: Path):
    hdfs.put("loop/a.csv", SHORT)

    async def asked() -> int:
        return len(list(HdfsConnection().open(tmp_path, parse(f"hdfs://{hdfs.rpc}/loop")).listed("loop")))

    assert asyncio.run(asked()) == 1


def test_a_pipeline_reads_and_publishes(hdfs: HdfsServer, tmp_path: Path):
    hdfs.put("pipe/in/day=1/a.csv", LONG)
    hdfs.put("pipe/in/day=2/a.csv", SHORT)
    (tmp_path / "pipeline.yaml").write_text(
        f"version: 1\npipeline: p\nsources: {{t: {{file: 'hdfs://{hdfs.rpc}/pipe/in/**/*.csv', incremental: {{by: file}}}}}}\n"
        f"sinks: [{{file: {{path: 'hdfs://{hdfs.rpc}/pipe/out/', mode: append, partition_by: [day]}}}}]\n"
    )

    def run() -> None:
        assert bootstrap.run(bootstrap.load(tmp_path / "pipeline.yaml")).state == "succeeded"

    def files() -> list[str]:
        found = HdfsConnection().open(tmp_path, parse(f"hdfs://{hdfs.rpc}/pipe/out")).listed("pipe/out")
        return sorted(file.key.split("/")[2] for file in found if file.key.endswith(".parquet"))

    run()
    assert files() == ["day=1", "day=2"]
    hdfs.put("pipe/in/day=3/a.csv", SHORT)
    run()
    run()
    assert files() == ["day=1", "day=2", "day=3"]
