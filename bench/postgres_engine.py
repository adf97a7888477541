"""`engine: postgres` against SQL written by hand that does the same in the same database: load, judge, hold back, stage, audit, publish.

    python bench/postgres_engine.py [--rows 500000] [--rounds 3]

The same dirty CSV file, the same ten rules, the same result, by turns on a server of its own. What counts is the processor time of server
and client together, because a busy machine does not change it; it is read from /proc.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from dirty_lines import CONTRACT, NAMES, generate
from measure import BENCH, keep, table

sys.path.insert(0, str(BENCH.parent))  # the tests' servers

import psycopg
from tests.integration.postgres_server import PostgresServer

DEFINITION = """
version: 1
pipeline: engine
engine: postgres
sources:
  lines:
    file: {{path: lines.csv}}
    contract:{contract}
steps:
  - derive: {{net: price * (1 - discount), late: received > shipped}}
checks:
  - row_count: {{min: 1}}
sinks:
  - postgres: {{url: '{url}', table: by_headrace, mode: append}}
"""

#: What a careful hand would write: guards before casts, each value cast once, one scan that splits good rows from bad, and the result
#: checked before it is published in one transaction.
BY_HAND = [
    "CREATE UNLOGGED TABLE raw (n bigint GENERATED ALWAYS AS IDENTITY (CACHE 1000), {columns})",
    "COPY raw ({names}) FROM STDIN (FORMAT csv, HEADER)",
    r"""CREATE UNLOGGED TABLE judged AS SELECT *, CASE WHEN v_id IS NULL THEN 1 ELSE 0 END + CASE WHEN v_customer IS NULL OR v_customer < 1 THEN 2 ELSE 0 END
        + CASE WHEN v_quantity NOT BETWEEN 1 AND 50 OR (v_quantity IS NULL AND quantity IS NOT NULL) THEN 4 ELSE 0 END
        + CASE WHEN v_price < 0 OR (v_price IS NULL AND price IS NOT NULL) THEN 8 ELSE 0 END
        + CASE WHEN v_discount NOT BETWEEN 0 AND 1 OR (v_discount IS NULL AND discount IS NOT NULL) THEN 16 ELSE 0 END
        + CASE WHEN v_shipped IS NULL THEN 32 ELSE 0 END + CASE WHEN v_received IS NULL AND received IS NOT NULL THEN 64 ELSE 0 END
        + CASE WHEN status NOT IN ('O', 'F', 'P') THEN 128 ELSE 0 END + CASE WHEN mode IS NULL THEN 256 ELSE 0 END
        + CASE WHEN v_received < v_shipped THEN 512 ELSE 0 END AS mask
        FROM (SELECT n, quantity, price, discount, received, status, mode, comment,
        CASE WHEN id ~ '^[+-]?\d{{1,18}}$' THEN id::bigint END AS v_id, CASE WHEN customer ~ '^[+-]?\d{{1,9}}$' THEN customer::integer END AS v_customer,
        CASE WHEN quantity ~ '^[+-]?\d{{1,9}}$' THEN quantity::integer END AS v_quantity,
        CASE WHEN price ~ '^[+-]?\d{{1,10}}(\.\d{{0,2}})?$' THEN price::numeric(12, 2) END AS v_price,
        CASE WHEN discount ~ '^[+-]?\d{{1,2}}(\.\d{{0,2}})?$' THEN discount::numeric(4, 2) END AS v_discount,
        CASE WHEN pg_input_is_valid(shipped, 'date') AND shipped ~ '^\d{{4}}-\d\d-\d\d$' THEN shipped::date END AS v_shipped,
        CASE WHEN pg_input_is_valid(received, 'date') AND received ~ '^\d{{4}}-\d\d-\d\d$' THEN received::date END AS v_received
        FROM raw OFFSET 0) AS typed OFFSET 0""",
    "SELECT mask, count(*) FROM judged GROUP BY mask",
    "CREATE UNLOGGED TABLE held AS SELECT raw.*, mask FROM judged JOIN raw USING (n) WHERE mask <> 0",
    """CREATE UNLOGGED TABLE staged AS SELECT v_id AS id, v_customer AS customer, v_quantity AS quantity, v_price AS price, v_discount AS discount,
        v_shipped AS shipped, v_received AS received, status, mode, comment, v_price * (1 - v_discount) AS net, v_received > v_shipped AS late
        FROM judged WHERE mask = 0""",
    "SELECT count(*) FROM staged",
    """CREATE TABLE by_hand (id bigint, customer integer, quantity integer, price numeric(12, 2), discount numeric(4, 2), shipped date, received date,
        status text, mode text, comment text, net numeric(18, 4), late boolean)""",
    "INSERT INTO by_hand SELECT * FROM staged",
    "DROP TABLE raw, judged, held, staged",
]  # fmt: skip


def by_hand(url: str, file: Path) -> None:
    """In a process of its own, as a user would run a script."""
    script = Path(tempfile.gettempdir()) / f"by_hand_{os.getpid()}.py"
    columns = ", ".join(f"{name} text" for name in NAMES)
    statements = [s.format(columns=columns, names=", ".join(NAMES)) for s in BY_HAND]
    script.write_text(
        f"import psycopg\nwith psycopg.connect({url!r}, autocommit=True) as db, open({str(file)!r}, 'rb') as text:\n"
        f"    for statement in {statements!r}:\n        if statement.startswith('COPY'):\n            with db.cursor().copy(statement) as copy:\n"
        "                while block := text.read(1 << 20):\n                    copy.write(block)\n        else:\n            db.execute(statement)\n"
    )
    subprocess.run([sys.executable, str(script)], check=True)
    script.unlink()


def by_copy(url: str, file: Path) -> None:
    """No rules at all: raw text into a table."""
    with psycopg.connect(url, autocommit=True) as db, file.open("rb") as text:
        db.execute(f"CREATE TABLE by_copy ({', '.join(f'{name} text' for name in NAMES)})")  # type: ignore[call-overload]
        with db.cursor().copy("COPY by_copy FROM STDIN (FORMAT csv, HEADER)") as copy:
            while block := text.read(1 << 20):
                copy.write(block)


def by_headrace(project: Path) -> None:
    subprocess.run([sys.executable, "-m", "headrace", "run", "--quiet", "--force", "pipeline.yaml"], cwd=project, check=True)


def spent(server: PostgresServer) -> float:
    """Seconds of processor time of this process, of those that it waited for, and of the server with all that it started."""
    mine = os.times()
    ticks = os.sysconf("SC_CLK_TCK")
    time.sleep(0.5)  # until the backends that have ended are added up
    children = _family(int((server.folder / "data" / "postmaster.pid").read_text().split()[0]))
    return mine.user + mine.system + mine.children_user + mine.children_system + sum(map(_of, children)) / ticks


def _family(pid: int) -> list[int]:
    found = [pid]
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            if parent == pid:
                found.append(int(entry.name))
    return found


def _of(pid: int) -> int:
    """Ticks of a process; of the postmaster also those of its backends that have ended."""
    try:
        fields = (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return sum(int(fields[i]) for i in (11, 12, 13, 14))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=500_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="headrace-bench-"))
    server = PostgresServer().start()
    try:
        file = folder / "lines.csv"
        generate(file, options.rows)
        (folder / "headrace.toml").write_text(f'[engines.postgres]\nurl = "{server.url()}"\n')
        (folder / "pipeline.yaml").write_text(DEFINITION.format(url=server.url(), contract=CONTRACT.rstrip()))
        ways: dict[str, Callable[[], None]] = {
            "copy": lambda: by_copy(server.url(), file),
            "hand": lambda: by_hand(server.url(), file),
            "headrace": lambda: by_headrace(folder),
        }
        times: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(options.rounds):
            with psycopg.connect(server.url(), autocommit=True) as db:
                db.execute("DROP TABLE IF EXISTS by_hand, by_headrace, by_copy, _headrace_ledger, _headrace_fences")
            for name, way in ways.items():
                before = spent(server)
                way()
                times[name].append(spent(server) - before)
            with psycopg.connect(server.url(), autocommit=True) as db:
                found = [
                    db.execute(f"SELECT count(*), sum(net), count(*) FILTER (WHERE late) FROM {t}").fetchone()
                    for t in ("by_hand", "by_headrace")
                ]  # type: ignore[call-overload]
            if found[0] != found[1]:
                raise SystemExit(f"the two tables differ: {found}")
    finally:
        server.remove()
        shutil.rmtree(folder)
    middle = {name: median(found) for name, found in times.items()}
    names = {"copy": "raw `COPY` of the text, no rules", "hand": "SQL by hand", "headrace": "**Headrace**, `engine: postgres`"}
    lines = [[names[n], f"{middle[n]:.2f}", f"{middle[n] / middle['hand']:.2f}"] for n in ways]
    keep("postgres-engine", {"rows": options.rows, "cpu_seconds": times}, table(["", "CPU s", "times by hand"], lines))


if __name__ == "__main__":
    main()
