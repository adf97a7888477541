"""A cluster of Spark as real processes on loopback: a master, two workers, and a server of Spark Connect that works on them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyspark
from tests.conformance.engines.spark.adapter import SHORT_LIVED

HOME = Path(pyspark.__file__).parent
PATIENCE = 180.0


@dataclass(frozen=True)
class Cluster:
    master: str
    remote: str
    log: Path

    @classmethod
    @contextmanager
    def running(cls, folder: Path) -> Iterator[Cluster]:
        master, connect = _free_port(), _free_port()
        url = f"spark://127.0.0.1:{master}"
        log = folder / "cluster.log"
        deploy = "org.apache.spark.deploy"
        with ExitStack() as running:
            running.enter_context(_process(log, "spark-class", f"{deploy}.master.Master", "--host", "127.0.0.1", "--port", str(master), "--webui-port", "0"))  # fmt: skip
            _until_open(master, log)
            for i in range(2):
                work = folder / f"worker {i}"
                work.mkdir()
                running.enter_context(_process(log, "spark-class", f"{deploy}.worker.Worker", "--host", "127.0.0.1", "--cores", "2", "--memory", "1200M", "--webui-port", "0", "--work-dir", str(work), url))  # fmt: skip
            options = {
                **loopback(),
                "spark.connect.grpc.binding.address": "127.0.0.1",
                "spark.connect.grpc.binding.port": str(connect),
                "spark.ui.enabled": "false",
                "spark.sql.warehouse.dir": str(folder / "warehouse"),
                "spark.cores.max": "1",
            }
            confs = [part for key, value in options.items() for part in ("--conf", f"{key}={value}")]
            server = "org.apache.spark.sql.connect.service.SparkConnectServer"
            running.enter_context(_process(log, "spark-submit", "--master", url, *confs, "--class", server, "spark-internal"))
            _until_open(connect, log)
            yield cls(url, f"sc://127.0.0.1:{connect}", log)


def loopback() -> dict[str, str]:
    """What a driver is told, so that nothing leaves this machine."""
    return {
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.executor.memory": "512m",
        "spark.driver.extraJavaOptions": SHORT_LIVED,
        "spark.executor.extraJavaOptions": SHORT_LIVED,
        "spark.sql.shuffle.partitions": "2",
    }


@contextmanager
def _process(log: Path, script: str, *arguments: str) -> Iterator[None]:
    env = {
        **os.environ,
        "SPARK_HOME": str(HOME),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_DAEMON_JAVA_OPTS": SHORT_LIVED,
        "SPARK_DAEMON_MEMORY": "300m" if script == "spark-class" else "700m",
        "SPARK_MASTER_OPTS": "-Dspark.master.rest.enabled=false",
        "PYSPARK_PYTHON": sys.executable,
    }
    with log.open("a") as out:
        process = subprocess.Popen(
            [HOME / "bin" / script, *arguments], env=env, stdout=out, stderr=out, stdin=subprocess.DEVNULL
        )
        try:
            yield
        finally:
            process.terminate()
            process.wait(60)


def _until_open(port: int, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.2)
        else:
            return
    raise AssertionError(log.read_text()[-4000:])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
