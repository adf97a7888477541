"""Files of an SSH server: found, fetched, told apart by size and time, and nobody trusted whose key is not known."""

from __future__ import annotations

import os
from typing import Any

import pytest
from tests.integration.stores.lake import fetched
from tests.integration.stores.ssh_server import PASSWORD, USER, SshServer

from headrace.business.connections import Profile
from headrace.business.ports import FileScan
from headrace.errors import NonRetryableError, RetryableError
from headrace.infrastructure.connectors.file_source import FileSource
from headrace.infrastructure.connectors.stores.sftp_connection import SftpConnection
from headrace.security.secrets import Secret

LONG = b"id,text\n" + b"".join(b"%d,some text\n" % i for i in range(600_000))
SHORT = b"id,text\n1,a\n2,b\n"


@pytest.fixture
def ssh(ssh_server: SshServer) -> SshServer:
    """The server with the same files as at the start."""
    (ssh_server.root / "in" / "deep").mkdir(parents=True, exist_ok=True)
    (ssh_server.root / "in" / "a.csv").write_bytes(LONG)
    (ssh_server.root / "in" / "deep" / "b c.csv").write_bytes(SHORT)
    return ssh_server


def connection(ssh: SshServer, **changed: Any) -> SftpConnection:
    given = {"host": ssh.host, "user": USER, "password": Secret(PASSWORD), "known_hosts": "known_hosts", **changed}
    return SftpConnection(**{k: v for k, v in given.items() if v is not None})


def scan(ssh: SshServer, path: str, **changed: Any) -> FileScan:
    profile = Profile("ssh", connection(ssh, **changed), ssh.keys)
    found = FileSource(path=(f"sftp://{ssh.host}/{path}",), connection=profile, format="csv").scan(ssh.keys)
    assert isinstance(found, FileScan)
    return found


def test_files_are_found_and_fetched(ssh: SshServer):
    assert fetched(scan(ssh, "in/**/*.csv")) == [LONG, SHORT]
    assert fetched(scan(ssh, "in/deep/b c.csv")) == [SHORT]
    assert scan(ssh, "in/").files[0].name == f"sftp://{ssh.host}/in/a.csv"
    with pytest.raises(NonRetryableError, match="there is no file") as caught:
        scan(ssh, "in/c.csv")
    assert caught.value.hint


def test_a_key_is_as_good_as_a_password(ssh: SshServer):
    assert fetched(scan(ssh, "in/deep/", password=None, key="id")) == [SHORT]


def test_a_file_that_changes_meanwhile_is_an_error_that_passes(ssh: SshServer):
    found = scan(ssh, "in/a.csv")
    (ssh.root / "in" / "a.csv").write_bytes(LONG + b"7,more\n")
    with pytest.raises(RetryableError, match="was changed while it was being read"):
        fetched(found)
    found = scan(ssh, "in/a.csv")
    os.utime(ssh.root / "in" / "a.csv", (1, 1))
    with pytest.raises(RetryableError, match="was changed while it was being read"):
        fetched(found)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"password": Secret("hunter2")}, "the server does not know us"),
        ({"known_hosts": "none"}, "the key of the server is not known"),
        ({"known_hosts": "other"}, "the server has another key than the one that is known"),
        ({"password": None, "key": "missing"}, "missing is not there"),
    ],
)
def test_what_is_wrong_is_told_without_secrets(ssh: SshServer, changed: dict[str, Any], said: str):
    import asyncssh

    (ssh.keys / "none").touch()
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().strip()
    (ssh.keys / "other").write_text(f"[127.0.0.1]:{ssh.port} {other}\n")
    for act in (lambda: scan(ssh, "in/", **changed), lambda: connection(ssh, **changed).reach(ssh.keys)):
        with pytest.raises(NonRetryableError, match=said) as caught:
            act()
        assert caught.value.hint
        assert "hunter2" not in str(caught.value)


def test_a_connection_is_tried(ssh: SshServer):
    answer = connection(ssh).reach(ssh.keys)
    assert "SSH" in answer.server
    assert answer.verified
    with pytest.raises(NonRetryableError, match="is not the host of this connection"):
        FileSource(path=("sftp://elsewhere/a.csv",), connection=Profile("ssh", connection(ssh), ssh.keys)).scan(ssh.keys)


def test_a_connection_that_is_cut_is_made_anew(ssh: SshServer):
    found = scan(ssh, "in/*.csv")
    ssh.stop()
    ssh.start()
    assert fetched(found) == [LONG]
