"""What an address says, and what is refused before anything is reached."""

from __future__ import annotations

import pytest

from headrace.infrastructure.connectors.stores.addresses import parse


@pytest.mark.parametrize(
    ("written", "store", "key", "kind", "folder"),
    [
        ("s3://lake/in/*.csv", "s3://lake", "in/*.csv", "s3", "in"),
        ("s3a://lake/a/b/**/x?.csv", "s3a://lake", "a/b/**/x?.csv", "s3", "a/b"),
        ("S3://lake/", "s3://lake", "", "s3", ""),
        ("gs://lake/day=1/", "gs://lake", "day=1/", "gcs", "day=1"),
        ("az://box/a.csv", "az://box", "a.csv", "azure", "a.csv"),
        ("sftp://me@host:2222/in/a.csv", "sftp://me@host:2222", "in/a.csv", "sftp", "in/a.csv"),
        ("https://host:8443/a.csv?x=[1]", "https://host:8443", "a.csv?x=[1]", "http", "a.csv?x=[1]"),
        ("webhdfs://node:9870/in/[ab].csv", "webhdfs://node:9870", "in/[ab].csv", "webhdfs", "in"),
    ],
)
def test_an_address_has_a_store_and_a_key(written: str, store: str, key: str, kind: str, folder: str):
    found = parse(written)
    assert (found.store, found.key, found.kind, found.folder) == (store, key, kind, folder)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("ftp://host/a.csv", "there is no store `ftp://`; there are az://, gs://"),
        ("s3:///a.csv", "it names no bucket"),
        ("https:///a.csv", "it names no host"),
        ("s3://la ke/a.csv", "cannot be the name of a bucket"),
        ("https://host:99999/a.csv", "its port is no number from 1 to 65535"),
        ("https://me:hunter2@host/a.csv", "no user and no password stand in an address"),
        ("https://me@host/a.csv", "no user and no password stand in an address"),
        ("sftp://me:hunter2@host/a.csv", "no user and no password stand in an address"),
        ("s3://lake/../other/a.csv", "`.` and `..` mean nothing in a store"),
        ("s3://lake/" + "x" * 1025, "longer than 1,024 bytes"),
    ],
)
def test_what_is_no_address_is_told_without_its_secrets(written: str, said: str):
    with pytest.raises(ValueError, match=r".") as caught:
        parse(written)
    assert said in str(caught.value)
    assert "hunter2" not in str(caught.value)
