"""Files of a real HDFS: found, fetched by ranges from where the name node says, told apart, and refused in words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.integration.stores.hdfs_server import HdfsServer
from tests.integration.stores.lake import fetched

from headrace.business.connections import Profile
from headrace.business.ports import FileScan
from headrace.errors import NonRetryableError, RetryableError
from headrace.infrastructure.connectors.file_source import FileSource
from headrace.infrastructure.connectors.stores.webhdfs_connection import WebHdfsConnection

LONG = b"id,text\n" + b"".join(b"%d,some text\n" % i for i in range(600_000))
SHORT = b"id,text\n1,a\n2,b\n"


def scan(hdfs: HdfsServer, path: str, project: Path, **options: Any) -> FileScan:
    connection = WebHdfsConnection(**{"host": hdfs.host, "user": "root", **options})
    profile = Profile("hdfs", connection, project)
    found = FileSource(path=(f"webhdfs://{hdfs.host}/{path}",), connection=profile, format="csv").scan(project)
    assert isinstance(found, FileScan)
    return found


def test_files_are_found_and_fetched(hdfs: HdfsServer, tmp_path: Path):
    hdfs.put("in/a.csv", LONG)
    hdfs.put("in/deep/b.csv", SHORT)
    assert fetched(scan(hdfs, "in/**/*.csv", tmp_path)) == [LONG, SHORT]
    assert fetched(scan(hdfs, "in/deep/b.csv", tmp_path)) == [SHORT]
    assert scan(hdfs, "in", tmp_path).files[0].name == f"webhdfs://{hdfs.host}/in/a.csv"
    with pytest.raises(NonRetryableError, match=r"there is no file `webhdfs:.*/in/c.csv`") as caught:
        scan(hdfs, "in/c.csv", tmp_path)
    assert caught.value.hint


def test_a_file_that_changes_meanwhile_is_an_error_that_passes(hdfs: HdfsServer, tmp_path: Path):
    hdfs.put("changing/a.csv", LONG)
    found = scan(hdfs, "changing/a.csv", tmp_path)
    hdfs.put("changing/a.csv", LONG.replace(b"some", b"more"))
    with pytest.raises(RetryableError, match="was changed while it was being read"):
        fetched(found)


def test_who_may_not_read_is_told(hdfs: HdfsServer, tmp_path: Path):
    import urllib.request

    hdfs.put("closed/a.csv", SHORT)
    url = f"http://{hdfs.host}/webhdfs/v1/closed?op=SETPERMISSION&permission=700&user.name=root"
    with urllib.request.urlopen(urllib.request.Request(url, method="PUT"), timeout=60):
        pass
    with pytest.raises(NonRetryableError, match="access is denied") as caught:
        scan(hdfs, "closed/a.csv", tmp_path, user="somebody")
    assert "right" in str(caught.value.hint)


def test_a_connection_is_tried(hdfs: HdfsServer, tmp_path: Path):
    answer = WebHdfsConnection(host=hdfs.host, user="somebody").reach(tmp_path)
    assert (answer.server, answer.user, answer.verified) == ("HDFS", "somebody", False)
