"""Buckets by the rules of Google Cloud Storage: read, published to by the laws of the kit, exchanged by their generations, refused in words.

Against fake-gcs-server behind a front of the tests (see `gcs_server`). What is large enough to be uploaded in parts, and Google's ways of
saying who we are, are not proved.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest
from tests.conformance.sinks.targets import checkpoint, row, stage
from tests.integration.stores.gcs_server import GcsServer
from tests.integration.stores.lake import fetched

from headrace import testing
from headrace.business.connections import Profile
from headrace.business.ports import Fence, FileScan
from headrace.errors import LeaseLost, NonRetryableError, RetryableError
from headrace.infrastructure.connectors.file_sink import FileSink
from headrace.infrastructure.connectors.file_source import FileSource
from headrace.infrastructure.connectors.stores.addresses import parse
from headrace.infrastructure.connectors.stores.object_connections import GCSConnection
from headrace.infrastructure.connectors.stores.object_store import ObjectStore
from headrace.infrastructure.connectors.stores.store import Changed
from headrace.security.secrets import Secret

SHORT = b"id,text\n1,a\n2,b\n"


@pytest.fixture(scope="module")
def server() -> Iterator[GcsServer]:
    with GcsServer.running() as made:
        yield made


@dataclass
class Bucket:
    name: str
    profile: Profile[GCSConnection]

    @property
    def store(self) -> ObjectStore:
        return self.profile.connection.open(Path(), parse(f"gs://{self.name}/"))

    def put(self, key: str, data: bytes) -> None:
        self.store.remove([key])
        assert self.store.swap(key, data, None)

    def sink(self, mode: str = "append") -> FileSink:
        key = {"key": ["id"]} if mode == "merge" else {}
        return FileSink(path=f"gs://{self.name}/out/orders/", connection=self.profile, mode=mode, **key)

    def scan(self, project: Path, path: str, **options: Any) -> FileScan:
        found = FileSource(path=(f"gs://{self.name}/{path}",), connection=self.profile, **options).scan(project)
        assert isinstance(found, FileScan)
        return found

    def rows(self, project: Path) -> list[Any]:
        try:
            scan = self.scan(project, "out/orders/")
        except NonRetryableError:
            return []
        assert scan.fetch is not None
        scan.fetch(scan.files, scan.schema.names)
        paths = [file.path for file in scan.files]
        with duckdb.connect() as con:
            return con.execute(f"SELECT id, name, amount FROM read_parquet({paths}) ORDER BY ALL").fetchall()


@pytest.fixture
def bucket(server: GcsServer) -> Bucket:
    name = f"lake-{uuid.uuid4().hex[:12]}"
    server.new_bucket(name)
    connection = GCSConnection(endpoint=server.endpoint, service_account=Secret(server.service_account), bucket=name)
    return Bucket(name, Profile("lake", connection, Path()))


def test_files_are_found_and_fetched_by_ranges(bucket: Bucket, server: GcsServer, tmp_path: Path):
    long = b"id,text\n" + b"".join(b"%d,some text\n" % i for i in range(600_000))
    bucket.put("in/day=1/a b+c.csv", long)
    bucket.put("in/day=2/é.csv", SHORT)
    assert fetched(bucket.scan(tmp_path, "in/**/*.csv")) == [long, SHORT]
    assert bucket.scan(tmp_path, "in/").schema.names == ("id", "text", "day")
    with pytest.raises(NonRetryableError, match=r"there is no file `gs://.*/in/no.csv`"):
        bucket.scan(tmp_path, "in/no.csv")


def test_a_file_that_changes_meanwhile_is_not_mixed(bucket: Bucket, tmp_path: Path):
    bucket.put("a.csv", SHORT)
    file = bucket.store.look("a.csv")
    assert file is not None
    assert bucket.store.read(file, 3, 4) == SHORT[3:7]
    bucket.put("a.csv", SHORT.upper())
    with pytest.raises(Changed):
        bucket.store.read(file, 3, 4)


def test_an_exchange_succeeds_only_on_the_generation_that_was_read(bucket: Bucket):
    store = bucket.store
    first = store.swap("m", b"1", None)
    assert first is not None
    assert store.swap("m", b"2", None) is None, "there is one already"
    second = store.swap("m", b"2", first)
    assert second is not None
    assert store.swap("m", b"3", first) is None, "it is another one by now"
    found = store.load("m")
    assert found is not None
    assert (found.data, found.token) == (b"2", second)
    store.remove(["m", "never there"])
    assert store.load("m") is None


def test_the_kit(bucket: Bucket, tmp_path: Path):
    testing.publisher_conforms(bucket.sink(), tmp_path, bucket.rows, crashes=0)


def test_every_mode_and_nothing_left_of_states_that_are_past(bucket: Bucket, tmp_path: Path):
    for number, mode in enumerate(("append", "append", "merge", "replace", "append")):
        staged = stage(tmp_path / str(number), [row(1, mode) if mode == "merge" else row(number, mode)])
        bucket.sink(mode).publish(tmp_path, staged, checkpoint(f"c{number}", day=number + 1))
    assert [name for _, name, _ in bucket.rows(tmp_path)] == ["replace", "append"]
    assert len(bucket.store.listed("out/orders")) == 3, "two files and the manifest"


def test_of_two_who_read_the_same_state_the_second_comes_too_late(bucket: Bucket, tmp_path: Path):
    sink = bucket.sink()
    sink.publish(tmp_path, stage(tmp_path / "a", [row(1, "a")]), checkpoint("a"))
    with sink._alone(tmp_path) as slow:
        slow.tidy()
        bucket.sink().publish(tmp_path, stage(tmp_path / "b", [row(2, "b")]), checkpoint("b", day=2))
        with pytest.raises(RetryableError, match="another run has published there meanwhile"):
            sink._publish(slow, slow.last(), stage(tmp_path / "d", [row(4, "d")]), checkpoint("d", day=4))
    assert [name for _, name, _ in bucket.rows(tmp_path)] == ["a", "b"]


def test_who_lost_its_lease_is_refused(bucket: Bucket, tmp_path: Path):
    bucket.sink().publish(tmp_path, stage(tmp_path / "a", [row(1)]), checkpoint("a", fence=Fence("here", 5)))
    with pytest.raises(LeaseLost):
        bucket.sink().publish(tmp_path, stage(tmp_path / "b", [row(2)]), checkpoint("b", day=2, fence=Fence("here", 4)))


def test_a_connection_is_tried(bucket: Bucket, tmp_path: Path):
    answer = bucket.profile.connection.reach(tmp_path)
    assert (answer.server, answer.verified, answer.rights) == (f"gcs, gs://{bucket.name}", False, {"list": True})
