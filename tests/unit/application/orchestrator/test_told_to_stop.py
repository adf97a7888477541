"""A process that is told to stop hears it whatever it is at: also when it was just about to wait for that."""

from __future__ import annotations

import subprocess
import sys

import pytest

# In a process of its own, which can be given up: what is tried here once waited for itself.
_ABOUT_TO_WAIT = """
import signal, threading
from headrace.application.orchestrator.serving import until_told_to_stop

stopping = threading.Event()
with until_told_to_stop(stopping):
    with stopping._cond:
        signal.raise_signal(signal.NAME)
    assert stopping.wait(20)
    try:
        signal.raise_signal(signal.SIGINT)
    except KeyboardInterrupt:
        print("at once")
assert not [thread for thread in threading.enumerate() if thread.name == "headrace-signals"]
"""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_signal_does_not_wait_for_the_thread_that_it_interrupts(name: str) -> None:
    script = _ABOUT_TO_WAIT.replace("NAME", name)
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout) == (0, "at once\n"), ended.stderr
