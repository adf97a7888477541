"""Light to install and light to start: few distributions, nothing heavy before it is needed, nothing that phones home."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

MOST_DISTRIBUTIONS = 30

#: Loaded when a run needs them, never to answer `--help` or to be imported.
HEAVY = {
    "adbc_driver_postgresql",
    "arrow_odbc",
    "dlt",
    "duckdb",
    "fastavro",
    "numpy",
    "pandas",
    "psycopg",
    "pyarrow",
    "python_calamine",
    "sqlglot",
}

#: Modules that can open a connection by themselves. The product's only ways out are the systems that a definition names.
NETWORK = {
    "aiohttp",
    "confluent_kafka",
    "ftplib",
    "http",
    "httpx",
    "redis",
    "requests",
    "smtplib",
    "socket",
    "telnetlib",
    "urllib",
    "urllib3",
    "xmlrpc",
}

#: The outbox calls whom the settings name, and nobody else: it exists to tell others what happened.
OUTBOX = {
    ("headrace/infrastructure/outbox/redis_stream.py", "redis"),
    ("headrace/infrastructure/posting.py", "http"),
}


def required(name: str, seen: set[str]) -> set[str]:
    """The distributions that installing `name` without extras brings here."""
    if (canonical := canonicalize_name(name)) not in seen:
        seen.add(canonical)
        for requirement in map(Requirement, metadata.requires(name) or ()):
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                required(requirement.name, seen)
    return seen


def test_the_core_is_few_distributions():
    installed = required("headrace", set()) - {"headrace"}
    assert len(installed) <= MOST_DISTRIBUTIONS, sorted(installed)


#: What a run of a file through plain steps has no use for, each of which was once loaded, or is about to be.
SPARED = {
    "asyncio", "rich", "sqlglot.dialects.duckdb", "sqlglot.executor", "sqlglot.generators", "tomllib",
    "headrace.application.orchestrator.rehearsal", "headrace.face", "headrace.infrastructure.loading.json_schema",
    "headrace.infrastructure.odcs", "headrace.presentation", "headrace.testing",
}  # fmt: skip

PLAIN = """\
version: 1
pipeline: plain
sources: {rows: {file: {path: rows.csv}}}
steps: [{filter: x > 1}, {derive: {y: x + 1}}]
sinks: [{file: {path: out/}}]
"""


def loaded_by(code: str, folder: Path | None = None) -> set[str]:
    """The modules that a fresh interpreter holds after `code`."""
    ask = f"{code}\nimport sys\nsys.stderr.write('LOADED ' + ' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True, cwd=folder)
    return set(done.stderr.partition("LOADED ")[2].split())


def command(*words: str) -> str:
    return f"import sys\nsys.argv = ['headrace', *{words}]\nfrom headrace.__main__ import main\ntry: main()\nexcept SystemExit: pass"


@pytest.mark.parametrize(
    "code",
    [
        "import headrace",
        "import headrace.__main__",
        "import headrace.plugin",
        "from headrace.orchestration import *",
        command("--help"),
    ],
    ids=[
        "import headrace",
        "import headrace.__main__",
        "import headrace.plugin",
        "import headrace.orchestration",
        "headrace --help",
    ],
)
def test_nothing_heavy_is_loaded_at_start(code):
    assert loaded_by(code) & HEAVY == set()


@pytest.fixture
def plain(tmp_path):
    (tmp_path / "pipeline.yaml").write_text(PLAIN)
    (tmp_path / "rows.csv").write_text("x\n1\n2\n")
    return tmp_path


def test_a_plain_run_loads_what_it_needs(plain):
    loaded = loaded_by(command("run", "-q"), plain)
    assert (plain / "out").exists()
    assert loaded & (SPARED | HEAVY - {"duckdb", "sqlglot"}) == set()


def test_a_plain_run_looks_at_no_other_distribution(plain):
    """Its plugins are ours, so the metadata of all that is installed beside them need not be read, however much it is."""
    watch = "from importlib import metadata\nmetadata.entry_points = lambda **_: sys.exit('looked for plugins everywhere')\n"
    loaded_by(f"import sys\n{watch}{command('run', '-q')}", plain)
    assert (plain / "out").exists()


def test_a_run_ends_without_a_word(plain):
    """What is left to the end of the process is taken apart there without complaints of libraries about leaks."""
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-m", "headrace", "run", "-q"], capture_output=True, text=True, check=True, cwd=plain
        )
        assert (done.stdout, done.stderr) == ("", "")


WATCHFUL = """
import importlib, pkgutil, sys

def watch(event, details):
    writes = event == "open" and isinstance(details[1], str) and set(details[1]) & set("wax+")
    if writes or event in ("os.mkdir", "os.remove", "socket.connect", "sqlite3.connect", "subprocess.Popen"):
        raise SystemExit(f"{event} {details}")

import headrace
sys.addaudithook(watch)
for room in pkgutil.walk_packages(headrace.__path__, "headrace."):
    if room.name != "headrace.bootstrap.warming":  # whose import is its deed: a server of processes can do nothing else beforehand
        importlib.import_module(room.name)
"""


def test_importing_touches_nothing():
    """No room opens, writes, connects or starts anything when it is imported."""
    done = subprocess.run([sys.executable, "-B", "-c", WATCHFUL], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


#: The rooms that deliver what a definition's `notify` asks for, to the server that stands there.
TELLS_PEOPLE = {
    ("headrace/infrastructure/notifying/email.py", "smtplib"),
    ("headrace/infrastructure/patience.py", "socket"),
    ("headrace/infrastructure/posting.py", "http"),
}


_CONNECTORS = "headrace/infrastructure/connectors"
#: The rooms that ask, by HTTP, what a definition names, and that read the answers of APIs.
ASKS = {
    *((f"{_CONNECTORS}/web/{room}.py", "http") for room in ("connections", "faults")),
    (f"{_CONNECTORS}/web/connections.py", "socket"),
    (f"{_CONNECTORS}/rest/exchange.py", "http"),
}
_STORES = f"{_CONNECTORS}/stores"
#: The rooms that speak with the stores of files that a definition names.
READS_FILES = {
    *((f"{_STORES}/{room}.py", "http") for room in ("http_client", "http_files", "s3_uploads", "webhdfs_store")),
    (f"{_STORES}/sftp_faults.py", "socket"),
}

#: What stands between a copy of a pipeline and its servers while `headrace chaos` cuts connections.
STANDS_BETWEEN = {("headrace/infrastructure/relay.py", "socket")}

#: Whether anybody is at the address of a cluster, which its own client would go on asking for a minute.
ASKS_CLUSTERS = {("headrace/infrastructure/engines/spark/starting.py", "socket")}

_BROKERS = "headrace/infrastructure/brokers"

#: Brokers of messages, and what else stands on their servers.
MESSAGES = {
    *(
        (f"{_BROKERS}/kafka/{room}.py", "confluent_kafka")
        for room in ("connection", "faults", "feed", "records", "sink", "source")
    ),
    *((f"{_BROKERS}/redis/{room}.py", "redis") for room in ("feed", "sink")),
    (f"{_BROKERS}/wire.py", "socket"),
    ("headrace/infrastructure/formats/messages/registry_connection.py", "http"),
    ("headrace/infrastructure/storage/state_redis.py", "redis"),
    ("headrace/infrastructure/formats/messages/registry_connection.py", "http"),
    *((f"headrace/infrastructure/redis/{room}.py", "redis") for room in ("connection", "faults")),
}


#: Workers of one stream talk to each other.
WORKS_TOGETHER = {("headrace/infrastructure/links.py", "socket")}


def test_no_room_can_phone_home(rooms):
    imported = {
        (room.name, alias.split(".")[0])
        for room in rooms
        for node in ast.walk(room.tree)
        for alias in _imports(node)
        if alias.split(".")[0] in NETWORK and alias != "urllib.parse"
    }
    known = OUTBOX | TELLS_PEOPLE | READS_FILES | STANDS_BETWEEN | ASKS | ASKS_CLUSTERS | MESSAGES | WORKS_TOGETHER
    assert imported == known


def _imports(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.level == 0:
        return [node.module or ""]
    return []
