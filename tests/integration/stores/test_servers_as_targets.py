"""Folders of servers without conditional requests, SFTP and HDFS, are published to by the same laws: the highest number counts."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest
from tests.conformance.sinks.targets import checkpoint, row, stage
from tests.integration.stores.hdfs_server import HdfsServer
from tests.integration.stores.ssh_server import USER, SshServer

from headrace import testing
from headrace.business.connections import Profile
from headrace.business.ports import Fence, FileScan
from headrace.errors import LeaseLost, NonRetryableError, RetryableError
from headrace.infrastructure.connectors.file_sink import FileSink
from headrace.infrastructure.connectors.file_source import FileSource
from headrace.infrastructure.connectors.stores.addresses import parse
from headrace.infrastructure.connectors.stores.connection import StoreConnection
from headrace.infrastructure.connectors.stores.hdfs_connection import HdfsConnection
from headrace.infrastructure.connectors.stores.sftp_connection import SftpConnection
from headrace.infrastructure.connectors.stores.webhdfs_connection import WebHdfsConnection


@dataclass
class Place:
    """A folder of its own on a server, as a target."""

    address: str
    profile: Profile[StoreConnection]
    put: Callable[[str, bytes], None]

    def sink(self, mode: str = "append") -> FileSink:
        return FileSink(path=self.address, connection=self.profile, mode=mode, **({"key": ["id"]} if mode == "merge" else {}))

    @property
    def store(self) -> Any:
        return self.profile.connection.open(self.profile.home, parse(self.address))

    def there(self) -> list[str]:
        folder = parse(self.address).folder
        return sorted(file.key.removeprefix(f"{folder}/") for file in self.store.listed(folder))

    def rows(self, project: Path) -> list[Any]:
        """As a source of the folder gives them."""
        try:
            scan = FileSource(path=(self.address,), connection=self.profile).scan(project)
        except NonRetryableError:
            return []
        assert isinstance(scan, FileScan)
        assert scan.fetch is not None
        scan.fetch(scan.files, scan.schema.names)
        paths = [file.path for file in scan.files]
        with duckdb.connect() as con:
            return con.execute(f"SELECT id, name, amount FROM read_parquet({paths}) ORDER BY ALL").fetchall()


@pytest.fixture(params=["sftp", "webhdfs", "hdfs"])
def place(request: pytest.FixtureRequest, hdfs: HdfsServer) -> Place:
    folder = f"kit-{uuid.uuid4().hex[:8]}/out/orders"
    if request.param == "sftp":
        ssh: SshServer = request.getfixturevalue("ssh_server")
        profile: Profile[Any] = Profile(
            "ssh", SftpConnection(host=ssh.host, user=USER, key="id", known_hosts="known_hosts"), ssh.keys
        )
        return Place(
            f"sftp://{ssh.host}/{folder}/", profile, lambda name, data: (ssh.root / folder / name).write_bytes(data) and None
        )
    web = request.param == "webhdfs"
    host = hdfs.host if web else hdfs.rpc
    profile = Profile("hdfs", WebHdfsConnection(host=host, user="root") if web else HdfsConnection(host=host), Path())
    return Place(f"{request.param}://{host}/{folder}/", profile, lambda name, data: hdfs.put(f"{folder}/{name}", data))


def rehearsed(sink: FileSink) -> FileSink:
    """The sink of a copy of its target on the server, whose folder is one of this machine."""
    assert sink.connection is not None
    address, root = parse(sink.path), sink.connection.home.parent / "root"
    first, _, rest = address.folder.partition("/")
    copy = uuid.uuid4().hex
    if (root / first).exists():
        shutil.copytree(root / first, root / copy)
    return sink.model_copy(update={"path": address.of(f"{copy}/{rest}/")})


def test_the_kit(place: Place, tmp_path: Path):
    crashes = 1 if place.address.startswith("sftp") else 0
    testing.publisher_conforms(place.sink(), tmp_path, place.rows, crashes=crashes, rehearse=rehearsed)


def test_every_mode_and_nothing_left_of_states_that_are_past(place: Place, tmp_path: Path):
    for number, mode in enumerate(("append", "append", "merge", "replace", "append")):
        staged = stage(tmp_path / str(number), [row(1, mode) if mode == "merge" else row(number, mode)])
        place.sink(mode).publish(tmp_path, staged, checkpoint(f"c{number}", day=number + 1))
    assert [name for _, name, _ in place.rows(tmp_path)] == ["replace", "append"]
    assert len([key for key in place.there() if key.endswith(".parquet")]) == 2
    assert [key for key in place.there() if not key.endswith(".parquet")] == ["._manifest.json.000000000005", "_manifest.json"]


def test_of_two_who_read_the_same_state_the_second_comes_too_late(place: Place, tmp_path: Path):
    sink = place.sink()
    sink.publish(tmp_path, stage(tmp_path / "a", [row(1, "a")]), checkpoint("a"))
    with sink._alone(tmp_path) as slow:
        slow.tidy()
        place.sink().publish(tmp_path, stage(tmp_path / "b", [row(2, "b")]), checkpoint("b", day=2))
        place.sink().publish(tmp_path, stage(tmp_path / "c", [row(3, "c")]), checkpoint("c", day=3))
        before = place.there()
        with pytest.raises(RetryableError, match="another run has published there meanwhile"):
            sink._publish(slow, slow.last(), stage(tmp_path / "d", [row(4, "d")]), checkpoint("d", day=4))
    assert [name for _, name, _ in place.rows(tmp_path)] == ["a", "b", "c"]
    place.sink().publish(tmp_path, stage(tmp_path / "e", [row(5, "e")]), checkpoint("e", day=5))
    assert len(place.there()) == len(before) + 1, "what came too late is gone"


def test_what_died_is_removed_and_who_lost_its_lease_is_refused(place: Place, tmp_path: Path):
    place.sink().publish(tmp_path, stage(tmp_path / "a", [row(1)]), checkpoint("a", fence=Fence("here", 5)))
    place.put("0123456789abcdef-00000.parquet", b"a publication that died")
    place.put(".headrace-new-0123456789abcdef-00001.parquet", b"and what it was just writing")
    with pytest.raises(LeaseLost):
        place.sink().publish(tmp_path, stage(tmp_path / "b", [row(2)]), checkpoint("b", day=2, fence=Fence("here", 4)))
    place.sink().publish(tmp_path, stage(tmp_path / "c", [row(3)]), checkpoint("c", day=3, fence=Fence("here", 5)))
    assert not [key for key in place.there() if "0123456789abcdef" in key]


def test_a_target_can_be_looked_at(place: Place, tmp_path: Path):
    staged = stage(tmp_path / "a", [row(1, "a"), row(2, "b")])
    place.sink().publish(tmp_path, staged, checkpoint("a"))
    (tmp_path / "seen").mkdir()
    seen = place.sink().snapshot(tmp_path, staged.schema, tmp_path / "seen")
    assert seen is not None
    assert seen.rows == 2


def test_who_lost_its_lease_is_refused_also_when_the_folder_was_removed(place: Place, tmp_path: Path):
    place.sink().publish(tmp_path, stage(tmp_path / "a", [row(1)]), checkpoint("a", fence=Fence("here", 5)))
    folder = parse(place.address).folder
    place.store.remove([f"{folder}/{key}" for key in place.there()])
    place.sink().publish(tmp_path, stage(tmp_path / "b", [row(2)]), checkpoint("b", day=2))
    with pytest.raises(LeaseLost):
        place.sink().publish(tmp_path, stage(tmp_path / "c", [row(3)]), checkpoint("c", day=3, fence=Fence("here", 4)))
