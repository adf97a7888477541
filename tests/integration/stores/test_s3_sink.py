"""Folders in S3 are published to by the laws of the kit; uploads that died leave nothing, and faults of the store pass or are told."""

from __future__ import annotations

import json
import ssl
import uuid
from pathlib import Path
from typing import Any

import duckdb
import obstore
import pytest
import trustme
from obstore.store import S3Store
from tests.conformance.sinks.targets import checkpoint, row, stage
from tests.integration.seaweed_server import GUEST, GUEST_SECRET, KEY, SECRET, SeaweedServer
from tests.integration.stores.faulty import Fault, FaultyProxy
from tests.integration.stores.lake import Lake
from tests.integration.stores.web import Web

from headrace import testing
from headrace.errors import NonRetryableError, RetryableError
from headrace.infrastructure.connectors.file_sink import FileSink
from headrace.infrastructure.connectors.stores.addresses import parse
from headrace.infrastructure.connectors.stores.object_store import ObjectStore
from headrace.security.secrets import Secret


def sink(lake: Lake, mode: str = "append", **changed: Any) -> FileSink:
    key = {"key": ["id"]} if mode == "merge" else {}
    return FileSink(path=f"s3://{lake.bucket}/out/orders/", connection=lake.profile(**changed), mode=mode, **key)


def manifest(lake: Lake) -> dict[str, Any]:
    return dict(json.loads(bytes(obstore.get(lake.client, "out/orders/_manifest.json").bytes())))


def paths(lake: Lake) -> list[str]:
    return [f"out/orders/{file['path']}" for file in manifest(lake)["files"]]


@pytest.fixture
def environment(seaweed_server: SeaweedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**seaweed_server.environment, "AWS_ENDPOINT": seaweed_server.endpoint}.items():
        monkeypatch.setenv(name, value)


def rehearsed(sink: FileSink) -> FileSink:
    """The sink of a copy of its target, among the same objects."""
    address = parse(sink.path)
    client = S3Store(address.place, virtual_hosted_style_request=False, client_options={"allow_http": True})
    copy = f"{uuid.uuid4().hex}/{address.folder}"
    for found in (o for page in obstore.list(client, address.folder.rpartition("/")[0]) for o in page):
        parent = address.folder.rpartition("/")[0]
        obstore.copy(client, found["path"], copy.rpartition("/")[0] + found["path"].removeprefix(parent))
    return sink.model_copy(update={"path": address.of(f"{copy}/")})


def test_the_kit(lake: Lake, environment: None):
    def look(_project: Path) -> list[Any]:
        try:
            keys = paths(lake)
        except (FileNotFoundError, KeyError):
            return []
        for key in keys:
            (lake.project / Path(key).name).write_bytes(bytes(obstore.get(lake.client, key).bytes()))
        names = [str(lake.project / Path(key).name) for key in keys]
        return duckdb.connect().execute(f"SELECT id, name, amount FROM read_parquet({names}) ORDER BY ALL").fetchall()

    (lake.project / "project").mkdir()
    made = FileSink(path=f"s3://{lake.bucket}/out/orders/", mode="merge", key=("id",))
    testing.publisher_conforms(made, lake.project / "project", look, crashes=1, rehearse=rehearsed)


def test_uploads_in_parts_that_died_are_aborted_by_the_next_publication(lake: Lake, tmp_path: Path):
    store = lake.profile().connection.open(tmp_path, parse(f"s3://{lake.bucket}/out"))
    assert store.uploads is not None
    died, foreign = "out/orders/0123456789abcdef-00000.parquet", "out/orders/somebody-elses.bin"
    for key in (died, foreign):
        with store.uploads()._asking("POST", key, {"uploads": ""}) as response:
            assert response.status == 200
            response.read()
    assert {key for key, _ in store.unfinished("out/orders")} == {died, foreign}
    sink(lake).publish(tmp_path, stage(tmp_path / "a", [row(1)]), checkpoint("a"))
    assert {key for key, _ in store.unfinished("out/orders")} == {foreign}


def test_files_of_a_publication_that_died_are_removed_and_nothing_else_is(lake: Lake, tmp_path: Path):
    first = sink(lake, "replace")
    first.publish(tmp_path, stage(tmp_path / "a", [row(1)]), checkpoint("a"))
    lake.put("out/orders/0123456789abcdef-00000.parquet", b"half of it")
    lake.put("out/orders/.keep", b"")
    first.publish(tmp_path, stage(tmp_path / "b", [row(2)]), checkpoint("b", day=2))
    assert sorted(lake.keys("out/orders")) == sorted(["out/orders/.keep", "out/orders/_manifest.json", *paths(lake)])
    lake.put("out/orders/mine.parquet", b"of somebody")
    with pytest.raises(NonRetryableError, match=r"holds files that Headrace did not write there: mine.parquet"):
        first.publish(tmp_path, stage(tmp_path / "c", [row(3)]), checkpoint("c", day=3))


def test_of_two_who_publish_at_once_one_comes_too_late_and_changes_nothing(lake: Lake, proxy: FaultyProxy, tmp_path: Path):
    slow, quick = sink(lake, endpoint=proxy.url), sink(lake)
    proxy.faults.append(Fault("PUT", "_manifest.json", then=lambda: publish_quick()))

    def publish_quick() -> None:
        quick.publish(tmp_path, stage(tmp_path / "quick", [row(2, "quick")]), checkpoint("quick"))

    with pytest.raises(RetryableError, match="another run has published there meanwhile"):
        slow.publish(tmp_path, stage(tmp_path / "slow", [row(1, "slow")]), checkpoint("slow"))
    assert [entry["name"] for entry in manifest(lake)["ledger"]] == ["quick"]
    assert set(paths(lake)) <= set(lake.keys("out/orders"))
    slow.publish(tmp_path, stage(tmp_path / "again", [row(1, "slow")]), checkpoint("slow"))
    assert [entry["name"] for entry in manifest(lake)["ledger"]] == ["quick", "slow"]
    assert sorted(lake.keys("out/orders")) == sorted([*paths(lake), "out/orders/_manifest.json"]), "what came too late is gone"


@pytest.mark.parametrize(
    "fault",
    [
        Fault("PUT", "out/orders/", times=3, status=503),
        Fault("PUT", "out/orders/", times=3, status=500),
        Fault("PUT", "_manifest.json", times=2, status=429),
        Fault("PUT", "_manifest.json", lose_answer=True),
        Fault("GET", "list-type=2", times=2, cut_at=20),
        Fault("GET", "_manifest.json", times=2, cut_at=5),
    ],
    ids=["503", "500", "429", "lost-answer", "cut-listing", "cut-manifest"],
)
def test_what_passes_is_tried_again_and_nothing_is_published_twice(
    lake: Lake, proxy: FaultyProxy, tmp_path: Path, fault: Fault
):
    made = sink(lake, endpoint=proxy.url)
    made.publish(tmp_path, stage(tmp_path / "a", [row(1)]), checkpoint("a"))
    proxy.faults.append(fault)
    assert made.publish(tmp_path, stage(tmp_path / "b", [row(2)]), checkpoint("b", day=2)).inserted == 1
    assert fault.times == 0
    assert [entry["name"] for entry in manifest(lake)["ledger"]] == ["a", "b"]
    assert manifest(lake)["rows"] == 2
    assert sorted(lake.keys("out/orders")) == sorted([*paths(lake), "out/orders/_manifest.json"])


@pytest.mark.parametrize("fault", [{"status": 503}, {"cut_at": 100}, {"status": 429, "headers": {"Retry-After": "0"}}], ids=str)
def test_a_body_that_breaks_off_is_not_taken_for_the_end(lake: Lake, proxy: FaultyProxy, fault: dict[str, Any]):
    data = b"id,text\n" + b"".join(b"%d,some text\n" % i for i in range(500_000))
    lake.put("t.csv", data)
    proxy.faults.append(Fault("GET", "/t.csv", times=4, **fault))
    scan = lake.scan(f"s3://{lake.bucket}/t.csv", connection=lake.profile(endpoint=proxy.url))
    assert scan.fetch is not None
    scan.fetch(scan.files, [])
    assert Path(scan.files[0].path).read_bytes() == data


@pytest.mark.parametrize(
    ("changed", "kind", "said"),
    [
        ({"access_key": Secret("nobody")}, NonRetryableError, "the access key is not known there"),
        ({"secret_key": Secret("hunter2-hunter2")}, NonRetryableError, "the secret key is wrong"),
        ({"access_key": Secret(GUEST), "secret_key": Secret(GUEST_SECRET)}, NonRetryableError, "access is denied"),
    ],
    ids=["key", "secret", "right"],
)
def test_what_is_wrong_with_the_keys_is_told_without_them(lake: Lake, tmp_path: Path, changed: Any, kind: Any, said: str):
    for act in (
        lambda: lake.scan(f"s3://{lake.bucket}/in/*.csv", connection=lake.profile(**changed)),
        lambda: sink(lake, **changed).publish(tmp_path, stage(tmp_path / "a", [row(1)]), checkpoint("a")),
        lambda: lake.profile(**changed, bucket=lake.bucket).connection.reach(tmp_path),
    ):
        with pytest.raises(kind, match=said) as caught:
            act()
        assert caught.value.hint
        assert not {KEY, SECRET, "hunter2-hunter2", GUEST_SECRET} & set(str(caught.value).replace("`", " ").split())


def test_a_bucket_that_is_not_there_and_a_host_that_is_not(lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from headrace.infrastructure.connectors.stores import store
    from headrace.resilience.backoff import RetryPolicy

    monkeypatch.setattr(store.patiently, "__defaults__", (RetryPolicy(attempts=1),))
    made = FileSink(path="s3://no-such-bucket/out/", connection=lake.profile())
    with pytest.raises(NonRetryableError, match="there is no such bucket") as caught:
        made.publish(tmp_path, stage(tmp_path / "a", [row(1)]), checkpoint("a"))
    assert "Headrace creates none" in str(caught.value.hint)
    for endpoint, said in (
        ("http://nohost.invalid:9000", "its name is not known"),
        ("http://127.0.0.1:9", "it refused the connection"),
    ):
        with pytest.raises(RetryableError, match=said):
            lake.scan("s3://lake/a.csv", connection=lake.profile(endpoint=endpoint))


def test_a_server_that_nobody_vouches_for_is_not_trusted(lake: Lake, tmp_path: Path):
    context, authority = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), trustme.CA()
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(lake.project / "ca.pem"))
    with Web.running(context) as web:
        with pytest.raises(NonRetryableError, match="its certificate cannot be trusted") as caught:
            lake.profile(endpoint=web.url, bucket="b").connection.reach(lake.project)
        assert "`ca`" in str(caught.value.hint)
        with pytest.raises(NonRetryableError, match="it is not there"):  # it is trusted, and is no S3
            lake.profile(endpoint=web.url, bucket="b", ca="ca.pem").connection.reach(lake.project)


def test_a_connection_is_tried(lake: Lake, tmp_path: Path):
    answer = lake.profile(bucket=lake.bucket).connection.reach(tmp_path)
    assert (answer.rights, answer.tls) == ({"list": True}, None)
    with pytest.raises(NonRetryableError, match="only be asked for one bucket"):
        lake.profile().connection.reach(tmp_path)


def test_what_cannot_be_published_is_refused_before_anything_happens(lake: Lake):
    for path, said in (
        ("s3://b/out/t.parquet", "is one file"),
        ("s3://b/", "is a whole bucket"),
        ("s3://b/out/*/", "is a pattern"),
        ("https://example.com/out/", "nothing can be published to `https://`"),
        ("ftp://example.com/out/", "there is no store `ftp://`"),
        ("s3://u:p@b/out/", "no user and no password stand in an address"),
    ):
        with pytest.raises(ValueError, match=said):
            FileSink(path=path)
    with pytest.raises(ValueError, match="means nothing for files of this machine"):
        FileSink(path="out/", connection=lake.profile())
    with pytest.raises(ValueError, match="by a connection of kind `gcs`, and `lake` is of kind `s3`"):
        FileSink(path="gs://b/out/", connection=lake.profile())


def test_an_etag_is_enough_to_know_what_was_read(lake: Lake):
    lake.put("t.csv", b"a\n1\n")
    store: ObjectStore = lake.profile().connection.open(lake.project, parse(f"s3://{lake.bucket}/t.csv"))
    found = store.look("t.csv")
    assert found is not None
    assert found.version
    assert store.look("u.csv") is None
