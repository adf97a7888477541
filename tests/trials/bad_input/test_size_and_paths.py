"""What is far too long, far too wide, packed a thousand times over, or no file at all: refused or read, in bounded memory."""

from __future__ import annotations

import bz2
import gzip
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.integration.runs.project import Project

from headrace.errors import DefinitionError

MIB = 1 << 20
_LINE = 64 * MIB

#: Runs a pipeline in a process of its own, and says what came of it. On Linux `ru_maxrss` begins with what the parent had; `VmHWM` does not.
_RUN = """
import json, resource, sys
from pathlib import Path
from headrace import bootstrap
run = bootstrap.run(bootstrap.load(Path(sys.argv[1]), {}))
counts = {k: v for k, v in run.sources["rows"].items() if k in ("read", "good", "quarantined")}
status = Path("/proc/self/status")
own = [line.split()[1] for line in status.read_text().split("\\n") if line.startswith("VmHWM")] if status.exists() else []
peak = int(own[0]) if own else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps(counts | {"peak": peak << 10}))
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def ran(project: Project) -> dict[str, int]:
    done = subprocess.run([sys.executable, "-c", _RUN, str(project.file)], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def zeros(size: int) -> Iterator[bytes]:
    yield from (b"0" * MIB for _ in range(size // MIB))


@pytest.mark.parametrize("name", ["in.csv", "in.jsonl", "in.tsv"])
def test_a_line_that_does_not_end_is_held_back_and_the_rest_is_read(name: str, project: Project) -> None:
    start, end = (b'{"a": "', b'"}\n') if name.endswith("jsonl") else (b"", b"\n")
    first = b'{"a": "1"}\n' if name.endswith("jsonl") else b"a\n1\n"
    last = b'{"a": "2"}\n' if name.endswith("jsonl") else b"2\n"
    with (project.folder / name).open("wb") as out:
        out.write(first + start)
        out.writelines(zeros(_LINE))
        out.write(end + last)
    project.one(path=name, sinks=[{"name": "out", "file": "out.csv"}])
    found = ran(project)
    assert (found["read"], found["good"], found["quarantined"]) == (3, 2, 1)
    assert found["peak"] < 400 * MIB


def _gzip(path: Path, blocks: Iterator[bytes]) -> None:
    with gzip.open(path, "wb", compresslevel=1) as out:
        out.writelines(blocks)


def _bz2(path: Path, blocks: Iterator[bytes]) -> None:
    with bz2.open(path, "wb") as out:
        out.writelines(blocks)


def _zstd(path: Path, blocks: Iterator[bytes]) -> None:
    import pyarrow as pa

    with pa.output_stream(str(path), compression="zstd") as out:
        for block in blocks:
            out.write(block)


@pytest.mark.parametrize(("ending", "pack"), [("gz", _gzip), ("bz2", _bz2), ("zst", _zstd)])
def test_a_bomb_is_held_back_in_bounded_memory(
    ending: str, pack: Callable[[Path, Iterator[bytes]], None], project: Project
) -> None:
    size = 256 * MIB
    path = project.folder / f"in.csv.{ending}"
    pack(path, (block for part in ([b"a,b\n1,2\n"], zeros(size), [b"\n3,4\n"]) for block in part))
    assert path.stat().st_size < size / 100
    project.one(path=path.name, sinks=[{"name": "out", "file": "out.csv"}])
    found = ran(project)
    assert (found["read"], found["good"], found["quarantined"]) == (3, 2, 1)
    assert found["peak"] < 400 * MIB


def test_a_pipe_and_a_device_are_no_files(project: Project) -> None:
    os.mkfifo(project.folder / "pipe.csv")
    (project.folder / "zero.csv").symlink_to("/dev/zero")
    for name in ("pipe.csv", "zero.csv"):
        with pytest.raises(DefinitionError, match="is not a regular file"):
            project.one(path=name).run()


def test_a_link_to_a_file_is_that_file_and_one_to_nowhere_is_none(project: Project) -> None:
    project.data("real.csv", ["a"], [[1]])
    (project.folder / "in.csv").symlink_to("real.csv")
    assert project.one().run().sources["rows"]["good"] == 1
    (project.folder / "gone.csv").symlink_to("nowhere.csv")
    with pytest.raises(DefinitionError, match=r"gone\.csv"):
        project.one(path="gone.csv").run()


@pytest.mark.parametrize("path", ["%2e%2e/secret.csv", "%2e%2e%2fsecret.csv", "sub/%2e%2e/secret.csv"])
def test_what_is_written_with_percent_signs_is_a_name_and_leads_nowhere(path: str, project: Project) -> None:
    (project.folder.parent / "secret.csv").write_text("a\n1\n")
    with pytest.raises(DefinitionError, match="there is no file"):
        project.one(path=path).run()
    project.data(path, ["a"], [[5]])
    project.one(path=path).run()
    assert project.multiset() == {("5",): 1}


@pytest.mark.parametrize(
    "name",
    [
        "a\nb.csv",
        "\u202evsc.csv",
        "-rf.csv",
        "--help.csv",
        "a;b.csv",
        "a b.csv",
        "'.csv",
        '".csv',
        "$(x).csv",
        "[a].csv",
        "*.csv",
        "a=1.csv",
        "é.csv",
    ],
)
def test_any_name_of_a_file_is_a_name(name: str, project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    project.data(name, ["a"], [[1], ["x"]])
    project.data("other.csv", ["a"], [[7]])
    run = project.one({"columns": {"a": "int64"}}, path=name).run()
    assert project.multiset() == {("1",): 1}
    assert [row["file"] for row in project.held(run)] == [name]
    assert project.cli("show", "latest", "--project", str(project.folder)) == 0
    shown = capsys.readouterr().out
    assert "\u202e" not in shown
    assert "a\nb.csv" not in shown


def test_a_target_with_such_a_name(project: Project) -> None:
    project.data("in.csv", ["a"], [[1]])
    for name in ("-o.csv", "o o.csv", "%2e%2e.csv", "[o].csv", "é.csv"):
        project.one(sinks=[{"name": "out", "file": name}]).run()
        assert project.multiset(name) == {("1",): 1}


@pytest.mark.parametrize(("name", "count"), [("in.csv", 200_000), ("in.jsonl", 1_000_000), ("in.jsonl", 20_000)])
def test_far_too_many_columns_are_refused(name: str, count: int, project: Project) -> None:
    if name.endswith("csv"):
        project.text(name, ",".join(f"c{i}" for i in range(count)) + "\n" + ",".join(["1"] * count) + "\n")
    else:
        project.text(name, json.dumps({f"c{i}": i for i in range(count)}) + "\n")
    with pytest.raises(DefinitionError) as caught:
        project.one(path=name).run()
    assert any(
        word in str(caught.value) for word in ("columns, and at most 10,000 can be judged", "no object was found", "longer")
    )
