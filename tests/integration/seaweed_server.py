"""A real S3 server for tests (SeaweedFS): its own folder and ports, stopped by its process id. Not for production."""

from __future__ import annotations

import json
import random
import shutil
import socket
import subprocess
import sysconfig
import tempfile
import time
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from obstore import sign
from obstore.store import S3Store

STARTUP_SECONDS = 90
_STARTS = 3
KEY, SECRET = "test-key", "test-secret"
GUEST, GUEST_SECRET = "guest-key", "guest-secret"
_PORTS = ("s3.port", "master.port", "volume.port", "filer.port", "admin.port", "s3.port.iceberg")
#: What is not needed is left out: it would take ports that others may have, and tell its makers of us.
_WITHOUT = ("-s3.port.lance=0", "-webdav=false", "-master.telemetry=false")
#: Each bucket takes some; unless said, there are as many as the free disk would hold when they are full.
_ROOM = "-volume.max=20000"


@dataclass
class SeaweedServer:
    """A server on free ports of this machine. The user `KEY` may do everything, `GUEST` only read the bucket `open`."""

    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="headrace-seaweed-")))
    ports: dict[str, int] = field(default_factory=lambda: dict(zip(_PORTS, _free_ports(len(_PORTS)), strict=True)))
    _process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.ports['s3.port']}"

    @property
    def environment(self) -> dict[str, str]:
        """What leads the official clients here."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": "us-east-1",
        }

    @classmethod
    @contextmanager
    def running(cls) -> Iterator[SeaweedServer]:
        server = cls()
        try:
            yield server.start_somewhere()
        finally:
            server.stop()
            shutil.rmtree(server.folder, ignore_errors=True)

    def start_somewhere(self) -> SeaweedServer:
        """Start, on other ports if somebody took one of these since they were found free."""
        for _ in range(_STARTS - 1):
            try:
                return self.start()
            except AssertionError:
                self.stop()
                self.ports = dict(zip(_PORTS, _free_ports(len(_PORTS)), strict=True))
        return self.start()

    def start(self) -> SeaweedServer:
        (self.folder / "s3.json").write_text(json.dumps({"identities": [
            {"name": "test", "credentials": [{"accessKey": KEY, "secretKey": SECRET}], "actions": ["Admin", "Read", "Write", "List", "Tagging"]},
            {"name": "guest", "credentials": [{"accessKey": GUEST, "secretKey": GUEST_SECRET}], "actions": ["Read:open", "List:open"]},
        ]}))  # fmt: skip
        options = [*_WITHOUT, _ROOM, *(f"-{name}={port}" for name, port in self.ports.items())]
        command = [
            self._program,
            "mini",
            "-dir=.",
            "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1",
            "-s3.config=s3.json",
        ]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen([*command, *options], stdout=log, stderr=log, cwd=self.folder)
        self._wait_until_ready()
        return self

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(timeout=2)  # it has nothing to save
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(timeout=10)
            self._process = None

    def client(self, bucket: str, **more: Any) -> S3Store:
        return S3Store(
            bucket, endpoint=self.endpoint, access_key_id=KEY, secret_access_key=SECRET, region="us-east-1",
            virtual_hosted_style_request=False, client_options={"allow_http": True}, **more,
        )  # fmt: skip

    def new_bucket(self, name: str | None = None) -> str:
        made = name or f"b{uuid.uuid4().hex[:12]}"
        url = sign(self.client(made), "PUT", "", timedelta(minutes=5))
        with urllib.request.urlopen(urllib.request.Request(url, method="PUT", data=b""), timeout=30):
            return made

    @property
    def catalog(self) -> str:
        """The address of its REST catalog of Iceberg tables."""
        return f"http://127.0.0.1:{self.ports['s3.port.iceberg']}"

    def new_table_bucket(self) -> str:
        """A bucket for Iceberg tables, each of which is a catalog of its own."""
        made = f"t{uuid.uuid4().hex[:12]}"
        places = [f"-{name}=127.0.0.1:{self.ports[f'{name}.port']}" for name in ("master", "filer")]
        words = f"s3tables.bucket -create -name {made} -account admin\nexit\n"
        subprocess.run([self._program, "shell", *places], input=words.encode(), capture_output=True, check=True, timeout=60)
        return made

    @property
    def _program(self) -> str:
        return str(Path(sysconfig.get_path("scripts")) / "weed")

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + STARTUP_SECONDS
        while True:
            try:
                self.new_bucket("ready")
            except OSError:
                exited = self._process is None or self._process.poll() is not None
                if exited or time.monotonic() > deadline:
                    raise AssertionError("SeaweedFS did not start:\n" + (self.folder / "log").read_text()[-3000:]) from None
                time.sleep(0.1)
            else:
                return


def _free_ports(number: int) -> list[int]:
    """Ports that are free together with those that the server takes for gRPC, 10,000 above."""
    found: list[int] = []
    chance = random.SystemRandom()  # tests seed the usual one, and those that run side by side alike
    while len(found) < number:
        port = chance.randrange(15_000, 32_000)
        if port not in found and all(map(_is_free, (port, port + 10_000))):
            found.append(port)
    return found


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
