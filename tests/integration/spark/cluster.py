"""A cluster of Spark as real processes on loopback: a master, two workers, and a server of Spark Connect that works on them."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Self

import pyspark
from tests.conformance.engines.spark.adapter import SHORT_LIVED
from tests.integration.server import Server, answers, free_port

HOME = Path(pyspark.__file__).parent


@dataclass
class Cluster(Server):
    starts_within: ClassVar[float] = 180

    port: int = field(default_factory=free_port)
    connect_port: int = field(default_factory=free_port)

    @property
    def master(self) -> str:
        return f"spark://127.0.0.1:{self.port}"

    @property
    def remote(self) -> str:
        return f"sc://127.0.0.1:{self.connect_port}"

    def start(self) -> Self:
        deploy = "org.apache.spark.deploy"
        self._class(f"{deploy}.master.Master", "--port", self.port)
        self._wait_until(lambda: answers(self.port))
        for i in range(2):
            work = self.folder / f"worker {i}"
            work.mkdir()
            self._class(f"{deploy}.worker.Worker", "--cores", 2, "--memory", "1200M", "--work-dir", work, self.master)
        options = {
            **loopback(),
            "spark.connect.grpc.binding.address": "127.0.0.1",
            "spark.connect.grpc.binding.port": str(self.connect_port),
            "spark.ui.enabled": "false",
            "spark.sql.warehouse.dir": str(self.folder / "warehouse"),
            "spark.cores.max": "1",
        }
        confs = [part for key, value in options.items() for part in ("--conf", f"{key}={value}")]
        connect = "org.apache.spark.sql.connect.service.SparkConnectServer"
        environment = _environment("700m")
        self._run(
            HOME / "bin" / "spark-submit",
            "--master",
            self.master,
            *confs,
            "--class",
            connect,
            "spark-internal",
            env=environment,
        )
        self._wait_until(lambda: answers(self.connect_port))
        return self

    def _class(self, name: str, *arguments: object) -> None:
        here = ("--host", "127.0.0.1", "--webui-port", "0")
        self._run(HOME / "bin" / "spark-class", name, *here, *arguments, env=_environment("300m"))


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


def _environment(memory: str) -> dict[str, str]:
    return {
        **os.environ,
        "SPARK_HOME": str(HOME),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_DAEMON_JAVA_OPTS": SHORT_LIVED,
        "SPARK_DAEMON_MEMORY": memory,
        "SPARK_MASTER_OPTS": "-Dspark.master.rest.enabled=false",
        "PYSPARK_PYTHON": sys.executable,
    }
