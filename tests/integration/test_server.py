"""A server of the tests is gone with them, however they end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.faults.processes import is_gone

_TESTS = """
import sys, time
from tests.integration.postgres_server import PostgresServer
server = PostgresServer().start()
print(server._processes[0].pid, server.folder, flush=True)
time.sleep(600)
"""


def test_it_ends_with_the_process_that_started_it_and_leaves_nothing() -> None:
    command = [sys.executable, "-c", _TESTS]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]) as tests:
        assert tests.stdout is not None
        pid, folder = tests.stdout.readline().split()
        assert Path(folder).exists()
        os.kill(tests.pid, signal.SIGKILL)
    deadline = time.monotonic() + 60
    while Path(folder).exists() or not is_gone(int(pid)):
        assert time.monotonic() < deadline, "it is still there"
        time.sleep(0.02)
