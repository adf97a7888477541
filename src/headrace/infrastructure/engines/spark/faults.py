"""What Spark raises, as our errors: what went wrong and what to do about it, without the traces of three languages."""

from __future__ import annotations

import re

from headrace.engine_settings import SparkSettings
from headrace.errors import HeadraceError, NonRetryableError, RetryableError

_CLASS = re.compile(r"\[([A-Z][A-Z0-9_.]+)\]\s*")
#: The last line of a trace of Python.
_RAISED = re.compile(r"^(?:\w+\.)*\w+(?:Error|Exception|Interrupt): .*$", re.M)
#: What Java says behind an error of Spark's that says no more than where.
_CAUSE = re.compile(r"^Caused by: (?:[\w$]+\.)*[\w$]+: (.+)$", re.M)
_LOST = re.compile(
    "UNAVAILABLE|Connection refused|Connection reset|failed to connect|Answer from Java side is empty|SparkContext was shut down"
    "|No space left on device|ExecutorLostFailure"
)
_MEMORY = re.compile(r"OutOfMemoryError|Java heap space|UNABLE_TO_ACQUIRE_MEMORY|Not enough memory")


def where(settings: SparkSettings) -> str:
    return settings.remote or settings.master


def explained(error: Exception, settings: SparkSettings) -> HeadraceError:
    """Our error for one of Spark's."""
    text = str(error)
    if _MEMORY.search(text):
        return NonRetryableError(
            f"Spark ({where(settings)}) ran out of memory: {said(error)}",
            hint="give it more in [engines.spark]: `spark.executor.memory` on a cluster, `spark.driver.memory` with a local master",
        )
    if _LOST.search(text):
        return RetryableError(
            f"Spark ({where(settings)}) was lost, or an executor of it: {said(error)}",
            hint="see that the cluster runs and that its disks are not full",
        )
    return NonRetryableError(f"Spark ({where(settings)}): {said(error)}")


def said(error: Exception) -> str:
    """The sentence in an error that says what is wrong: the innermost that Spark has given a class, without its place in the SQL."""
    text = str(error)
    if "Python worker" in text and (raised := _RAISED.findall(text)):
        return f"a Python worker raised {raised[-1]}"
    found = list(_CLASS.finditer(text))
    start = found[-1].end() if found else 0
    lines = [line.strip() for line in text[start:].splitlines() if line.strip()]
    sentence = lines[0] if lines else type(error).__name__
    sentence = re.sub(r"\s*SQLSTATE: \w+.*$", "", sentence)
    if "[FAILED_READ_FILE." in text and (causes := _CAUSE.findall(text)):
        return f"{sentence.rstrip('. ')}: {causes[-1]}"
    return sentence
