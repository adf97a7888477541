"""A real S3 server for tests (SeaweedFS). Not for production."""

from __future__ import annotations

import json
import random
import socket
import subprocess
import sysconfig
import urllib.request
import uuid
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar, Self

from obstore import sign
from obstore.store import S3Store
from tests.integration.server import Server

_STARTS = 3
KEY, SECRET = "test-key", "test-secret"
GUEST, GUEST_SECRET = "guest-key", "guest-secret"
_PORTS = ("s3.port", "master.port", "volume.port", "filer.port", "admin.port", "s3.port.iceberg")
#: What is not needed is left out: it would take ports that others may have, and tell its makers of us.
_WITHOUT = ("-s3.port.lance=0", "-webdav=false", "-master.telemetry=false")
#: Each bucket takes some; unless said, there are as many as the free disk would hold when they are full.
_ROOM = "-volume.max=20000"


@dataclass
class SeaweedServer(Server):
    """The user `KEY` may do everything, `GUEST` only read the bucket `open`."""

    starts_within: ClassVar[float] = 90
    stops_within: ClassVar[float] = 2  # it has nothing to save

    ports: dict[str, int] = field(default_factory=lambda: dict(zip(_PORTS, _free_ports(len(_PORTS)), strict=True)))

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

    def start(self) -> Self:
        """On other ports if somebody took one of these since they were found free."""
        for _ in range(_STARTS - 1):
            try:
                return self._start()
            except AssertionError:
                self.kill()
                self.ports = dict(zip(_PORTS, _free_ports(len(_PORTS)), strict=True))
        return self._start()

    def _start(self) -> Self:
        (self.folder / "s3.json").write_text(json.dumps({"identities": [
            {"name": "test", "credentials": [{"accessKey": KEY, "secretKey": SECRET}], "actions": ["Admin", "Read", "Write", "List", "Tagging"]},
            {"name": "guest", "credentials": [{"accessKey": GUEST, "secretKey": GUEST_SECRET}], "actions": ["Read:open", "List:open"]},
        ]}))  # fmt: skip
        here = ("-dir=.", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-s3.config=s3.json")
        self._run(self._program, "mini", *here, *_WITHOUT, _ROOM, *(f"-{name}={port}" for name, port in self.ports.items()))
        self._wait_until(self._is_ready)
        return self

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

    def _is_ready(self) -> bool:
        try:
            self.new_bucket("ready")
        except OSError:
            return False
        return True


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
