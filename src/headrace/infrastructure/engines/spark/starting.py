"""Starts Spark: a JVM beside this process, which stays for the runs to come, or a session with a server of Spark Connect."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING
from urllib.parse import urlsplit

from headrace.business.engine import Limits
from headrace.engine_settings import SparkSettings
from headrace.errors import NonRetryableError, RetryableError
from headrace.infrastructure.engines.spark.faults import said
from headrace.settings import in_bytes

if TYPE_CHECKING:
    from pyspark import SparkConf, SparkContext
    from pyspark.sql import SparkSession

#: How long a machine is waited for that does not answer, in seconds.
_PATIENCE = 10.0
_CONNECT_PORT = 15002
#: The least memory that Spark starts with.
_LEAST_MEMORY = 512 * 2**20

#: A process has one JVM for Spark; which settings it was started with.
_running: dict[str, tuple[SparkSettings, Limits]] = {}
_starting = threading.Lock()


def connected(settings: SparkSettings) -> SparkSession:
    """A session of its own with a server of Spark Connect."""
    address = str(settings.remote)
    parts = urlsplit(address)
    _demand_there([(parts.hostname or "", parts.port or _CONNECT_PORT)], address, "the server of Spark Connect")
    with quietly():
        from pyspark.sql import SparkSession

        return SparkSession.builder.remote(address).create()  # type: ignore[no-any-return, attr-defined, unused-ignore]


def started(settings: SparkSettings, limits: Limits) -> SparkSession:
    """A session of its own in the JVM of this process, which is started when it is not there, or was started for other settings."""
    with _starting, quietly():
        from pyspark import SparkContext
        from pyspark.sql import SparkSession

        active = SparkContext._active_spark_context  # noqa: SLF001 - PySpark has no other word for "is there one?"
        if active is None or _running.get("jvm") != (settings, limits):
            _demand_able(settings)
            if active is not None:
                active.stop()
            active = _start(settings, limits)
        _running["jvm"] = (settings, limits)
        return SparkSession(active).newSession()


def _start(settings: SparkSettings, limits: Limits) -> SparkContext:
    from py4j.protocol import Py4JError
    from pyspark import SparkConf, SparkContext
    from pyspark.errors import PySparkException

    conf = SparkConf(loadDefaults=False)
    for key, value in _options(settings, limits).items():
        conf.set(key, value)
    with tempfile.TemporaryFile("w+") as log, _own_signals():
        try:
            context = SparkContext(conf=conf, gateway=_gateway(conf, log))
        except (PySparkException, Py4JError, OSError) as error:
            log.seek(0)
            raise NonRetryableError(
                f"Spark did not start ({settings.master}): {_reason(log.read()) or said(error)}",
                hint="see [engines.spark] in headrace.toml; Spark 4 needs Java 17 or 21",
            ) from error
    # PySpark itself asks the environment for it, and no setting.
    context.pythonExec = conf.get("spark.pyspark.python") or context.pythonExec
    return context


def _gateway(conf: SparkConf, log: IO[str]) -> object:
    """The JVM, whose words go to a file and not among ours."""
    from pyspark import SparkContext
    from pyspark.java_gateway import launch_gateway

    if SparkContext._gateway is not None:  # noqa: SLF001 - a JVM outlives its context, and a process has one
        return SparkContext._gateway  # noqa: SLF001
    return launch_gateway(conf, {"stdout": log, "stderr": log})  # type: ignore[no-untyped-call]


def _options(settings: SparkSettings, limits: Limits) -> dict[str, str]:
    local = settings.master.startswith("local")
    options = {
        "spark.app.name": "headrace",
        "spark.ui.enabled": "false",
        "spark.sql.warehouse.dir": str(Path(tempfile.gettempdir()) / "headrace-spark-warehouse"),
        "spark.master": f"local[{limits.threads}]" if settings.master == "local[*]" and limits.threads else settings.master,
    }
    if local:
        options |= {
            "spark.driver.host": "127.0.0.1",
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.pyspark.python": sys.executable,
        }
    if local and limits.memory is not None:
        options["spark.driver.memory"] = f"{max(in_bytes(limits.memory), _LEAST_MEMORY) // 2**20}m"
    return options | dict(settings.options)


def _demand_able(settings: SparkSettings) -> None:
    """Whether it is worth trying; asked before anything that runs is given up."""
    _demand_java()
    if settings.master.startswith("spark://"):
        masters = [_address(part) for part in settings.master.removeprefix("spark://").split(",")]
        _demand_there(masters, settings.master, "the master of Spark")


def _demand_java() -> None:
    home = os.environ.get("JAVA_HOME")
    if shutil.which(str(Path(home) / "bin" / "java") if home else "java") is None:
        place = f"in JAVA_HOME ({home})" if home else "on the PATH"
        raise NonRetryableError(
            f"the engine spark needs Java, and there is none {place}",
            hint="install Java 17 or 21 (`apt-get install openjdk-17-jre-headless`), or work on a server of Spark Connect: `remote`",
        )


def _demand_there(addresses: list[tuple[str, int]], shown: str, what: str) -> None:
    """One of the addresses has to take a connection. Spark itself would go on asking for a minute."""
    reason: OSError | None = None
    for address in addresses:
        try:
            socket.create_connection(address, timeout=_PATIENCE).close()
        except OSError as error:
            reason = error
        else:
            return
    raise RetryableError(
        f"{what} at {shown} cannot be reached: {reason}", hint="see that it runs there, and [engines.spark] in headrace.toml"
    ) from reason


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return (host, int(port)) if host and port.isdecimal() else (text, 7077)


def _reason(log: str) -> str:
    """The line of the JVM's log that says why it ended."""
    lines = [line for line in log.splitlines() if "Exception" in line or "rror" in line]
    return lines[-1].strip() if lines else ""


@contextmanager
def _own_signals() -> Iterator[None]:
    """PySpark takes Ctrl-C for itself; it is ours."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGINT)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def quietly() -> Iterator[None]:
    """Without what PySpark has to say of the versions of libraries that are not used here; nor, from now on, of errors, which we tell."""
    for name in ("SQLQueryContextLogger", "DataFrameQueryContextLogger"):
        logging.getLogger(name).disabled = True
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
