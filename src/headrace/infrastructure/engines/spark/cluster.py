"""A session of Spark, by whatever way it is reached: in this process's JVM, on a cluster, or by Spark Connect. All that is asked of it is
SQL, so that one code serves all three. Not what the SQL says.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from headrace.business.engine import Limits
from headrace.engine_settings import MEANING, SparkSettings
from headrace.infrastructure.engines.spark.faults import explained
from headrace.infrastructure.engines.spark.starting import connected, quietly, started

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

#: How long it is waited, in seconds, for a statement to hear that it is not wanted any more; and between saying so and saying so again.
_SHORTLY = 2.0
_BETWEEN = 0.2
#: Pages of Parquet that have a checksum are checked against it, as on every engine.
_CAREFUL = {"parquet.page.verify-checksum.enabled": "true"}


def library_problem() -> str | None:
    """What is not installed, or None."""
    if any(find_spec(module) is None for module in ("pyspark", "pyarrow")):
        return "the engine spark needs more: pip install 'headrace[spark]'"
    return None


class Cluster:
    """One run's session. Opened when it is first asked for something."""

    def __init__(self, settings: SparkSettings, limits: Limits, about: str) -> None:
        self.settings, self.limits, self.about = settings, limits, about
        self._spark: SparkSession | None = None
        self._interrupted = self._asked = False

    @property
    def spark(self) -> SparkSession:
        if self._spark is None:
            with self.faults():
                self._spark = connected(self.settings) if self.settings.remote else started(self.settings, self.limits)
                for key, value in {**self._options(), **MEANING, **_CAREFUL}.items():
                    self._spark.conf.set(key, value)
        return self._spark

    def run(self, statement: str) -> None:
        """Carry out a statement that gives no rows."""
        self._asking(lambda: self.spark.sql(statement))

    def rows(self, query: str) -> Sequence[tuple[Any, ...]]:
        """The few rows that a query gives."""
        found: Sequence[tuple[Any, ...]] = self._asking(lambda: self.spark.sql(query).collect())
        return found

    def define(self, name: str, frame: Callable[[SparkSession], DataFrame]) -> None:
        """Give a name to rows that no SQL can say."""
        with quietly():
            self._asking(lambda: frame(self.spark).createOrReplaceTempView(name))

    def interrupt(self) -> None:
        """Stop what is carried out, from another thread."""
        self._interrupted = True
        if self._spark is None:
            return
        if self.settings.remote:
            self._spark.interruptTag(self.about)
            return
        # A statement may have jobs to come, which belong to the same group.
        while self._asked:
            self._spark.sparkContext.cancelJobGroup(self.about)
            time.sleep(_BETWEEN)

    def close(self) -> None:
        """A session of ours on somebody's server ends; the JVM of this process stays for the next run."""
        if self._spark is not None and self.settings.remote:
            self._spark.stop()
        self._spark = None

    @contextmanager
    def faults(self) -> Iterator[None]:
        """Turn what Spark raises into our errors."""
        from py4j.protocol import Py4JError
        from pyspark.errors import PySparkException

        try:
            yield
        except (PySparkException, Py4JError) as error:
            if self._interrupted:
                raise KeyboardInterrupt from error
            raise explained(error, self.settings) from error

    def _asking(self, ask: Callable[[], Any]) -> Any:
        if self._interrupted:
            raise KeyboardInterrupt
        spark = self.spark
        if self.settings.remote:
            spark.addTag(self.about)
        else:
            spark.sparkContext.setJobGroup(self.about, self.about, interruptOnCancel=True)
        try:
            self._asked = True
            with self.faults():
                return ask()
        except KeyboardInterrupt:
            # In a thread of its own: this one's line to the JVM still waits for the answer that nobody wants.
            stopping = threading.Thread(target=self.interrupt, name="headrace-interrupt", daemon=True)
            stopping.start()
            stopping.join(_SHORTLY)
            raise
        finally:
            self._asked = False

    def _options(self) -> dict[str, str]:
        """What was set for sessions; a JVM that we start ourselves knows it already."""
        return dict(self.settings.options) if self.settings.remote else {}
