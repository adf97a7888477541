"""Lets a process die somewhere in a sink's own code, as a machine that goes down would. Not what has to hold afterwards."""

from __future__ import annotations

import os
import pickle
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from headrace.testing.laws import demand

_DIED = 42


#: A method of a sink; or a function of a module, which is given the sink first.
Act = str | Callable[..., object]
#: Gives a sink with a target of its own, in the same state as that of a sink: for targets that do not lie in the project folder.
Rehearse = Callable[[Any], Any]


def in_the_project(sink: Any) -> Any:
    """A sink whose target lies in the project folder has another one in a copy of the folder."""
    return sink


def die_within(
    sink: Any, project: Path, act: Act, arguments: Sequence[Any], share: float, rehearse: Rehearse = in_the_project
) -> None:
    """Act in a process that dies after this share of the lines of the sink's own code. In the place of a sink that holds a secret, which
    does not leave its process, comes a function that makes it."""
    job = project / ".kit" / "job.pickle"
    job.parent.mkdir(exist_ok=True)
    job.write_bytes(pickle.dumps((sink, project, act, tuple(arguments), share, rehearse)))
    code = "import pickle, sys\nfrom headrace.testing.dying import die_on_the_way\ndie_on_the_way(*pickle.load(open(sys.argv[1], 'rb')))"
    paths = os.pathsep.join(path for path in sys.path if path)
    done = subprocess.run(  # noqa: S603 - our own interpreter and our own words
        [sys.executable, "-c", code, str(job)],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    demand(done.returncode == _DIED, f"the process that was to die ended with {done.returncode}: {done.stderr[-2000:]}")


def killed_within(work: Callable[..., None], arguments: Sequence[Any], folder: Path, after: float) -> int:
    """Let a process do `work(say, *arguments)`, which says numbers as it goes on, and kill it so many seconds after the first: the last
    number that it said. `work` is a function of a module."""
    folder.mkdir(parents=True, exist_ok=True)
    job, told, complaints = (folder / name for name in ("work.pickle", "told", "complaints"))
    job.write_bytes(pickle.dumps((work, tuple(arguments))))
    code = "import pickle, sys\nfrom headrace.testing.dying import work_on\nwork_on(*pickle.load(open(sys.argv[1], 'rb')))"
    with told.open("wb") as out, complaints.open("wb") as err:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and our own words
            [sys.executable, "-c", code, str(job)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            stdout=out,
            stderr=err,
        )
        while not told.stat().st_size and process.poll() is None:
            time.sleep(0.005)
        time.sleep(after)
        process.kill()
        process.wait()
    said = told.read_text().rpartition("\n")[0]  # a line that was cut off was not said
    demand(said, f"the process that was to be killed ended before it had done anything: {complaints.read_text()[-2000:]}")
    return int(said.rpartition("\n")[2])


def work_on(work: Callable[..., None], arguments: Sequence[Any]) -> None:
    """In the process that is killed."""

    def say(number: int) -> None:
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()

    work(say, *arguments)


def die_on_the_way(sink: Any, project: Path, act: Act, arguments: Sequence[Any], share: float, rehearse: Rehearse) -> None:
    """Count the lines that it runs in the sink's own package, on a copy; then die there after a share of them."""
    sink = sink() if callable(sink) else sink
    home = str(Path(str(sys.modules[type(sink).__module__].__file__)).parent)
    lines, last = 0, -1

    def trace(frame: Any, event: str, _argument: Any) -> Any:
        nonlocal lines
        if not frame.f_code.co_filename.startswith(home):
            return None
        lines += event == "line"
        if lines == last:
            os._exit(_DIED)
        return trace

    with tempfile.TemporaryDirectory() as folder:
        for number, watch in enumerate((None, trace)):  # what is imported on the way is imported once
            copy = Path(folder) / str(number)
            shutil.copytree(project, copy)
            rehearsed = rehearse(sink)
            sys.settrace(watch)
            _act(rehearsed, act)(copy, *arguments)
            sys.settrace(None)
    last, lines = max(1, int(lines * share)), 0
    sys.settrace(trace)
    _act(sink, act)(project, *arguments)


def _act(sink: Any, act: Act) -> Callable[..., object]:
    return getattr(sink, act) if isinstance(act, str) else partial(act, sink)
