"""S3: Headrace's source and sink against pyarrow, obstore and DuckDB's httpfs on the same server (SeaweedFS), each in a process of its own.

    python bench/stores.py [--rows 6000000] [--small 10000] [--rounds 3] [--gigabyte]

What is read ends as a table in memory, what is written as Parquet in the bucket. `--gigabyte` sends a gigabyte of CSV through a run
with `memory_limit = "256MB"`, from the bucket to the bucket.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from measure import BENCH, DATA, HEADRACE, PYTHON, Cost, keep, measure, table

HOME = DATA / "stores"
BUCKET = "bench"
FILES = 4


def prepare(rows: int) -> list[Path]:
    """Numbers, texts, dates and amounts, as some Parquet files."""
    import duckdb

    HOME.mkdir(parents=True, exist_ok=True)
    made = []
    for number in range(FILES):
        made.append(HOME / f"part-{rows}-{number}.parquet")
        if not made[-1].exists():
            start, stop = number * rows // FILES, (number + 1) * rows // FILES
            duckdb.connect().execute(
                f"""COPY (SELECT i AS id, i % 1000 AS customer, md5(i::VARCHAR) AS reference, (hash(i) % 1000000) / 100.0 AS price,
                date '2020-01-01' + (i % 1500)::INT AS day, 'line ' || (i % 7919) AS comment FROM range({start}, {stop}) t(i))
                TO '{made[-1]}' (FORMAT parquet)"""
            )
    return made


# The contestants: each is one process --------------------------------------------------------------------------------


def client() -> object:
    from obstore.store import S3Store

    return S3Store(BUCKET, client_options={"allow_http": True}, virtual_hosted_style_request=False)


def pyarrow_files() -> object:
    from pyarrow.fs import S3FileSystem

    return S3FileSystem(endpoint_override=os.environ["AWS_ENDPOINT_URL"].removeprefix("http://"), scheme="http")


def read_headrace(columns: list[str] | None, folder: str = "in/", form: str = "parquet") -> int:
    import duckdb

    from headrace.infrastructure.connectors.file_source import FileSource

    scan = FileSource(path=f"s3://{BUCKET}/{folder}", format=form).scan(HOME)
    scan.fetch(scan.files, columns or scan.schema.names)
    paths = [file.path for file in scan.files]
    with duckdb.connect() as engine:
        read = "read_parquet" if form == "parquet" else "read_csv"
        engine.execute(f"CREATE TABLE t AS SELECT {', '.join(columns or ['*'])} FROM {read}({paths})")
        return int(engine.execute("SELECT count(*) FROM t").fetchall()[0][0])


def read_pyarrow(columns: list[str] | None) -> int:
    import pyarrow.parquet as pq

    return pq.read_table(f"{BUCKET}/in", filesystem=pyarrow_files(), columns=columns).num_rows


def read_obstore(columns: list[str] | None) -> int:
    import obstore
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = 0
    for page in obstore.list(client(), "in"):
        for found in page:
            data = pa.py_buffer(obstore.get(client(), found["path"]).bytes())
            rows += pq.read_table(pa.BufferReader(data), columns=columns).num_rows
    return rows


def read_small_pyarrow() -> int:
    import pyarrow.dataset as ds

    return ds.dataset(f"{BUCKET}/small", filesystem=pyarrow_files(), format="csv").to_table().num_rows


def write_headrace(files: list[Path], rows: int) -> int:
    from headrace.business.ports import Checkpoint, Staged
    from headrace.infrastructure.connectors.file_sink import FileSink
    from headrace.infrastructure.connectors.file_source import FileSource

    schema = FileSource(path=tuple(map(str, files))).scan(HOME).schema
    staged = Staged(tuple(files), schema, rows, sum(f.stat().st_size for f in files))
    sink = FileSink(path=f"s3://{BUCKET}/out/headrace-{uuid.uuid4().hex}/", mode="append")
    return sink.publish(HOME, staged, Checkpoint("bench", "bench", "bench", datetime.now(UTC))).inserted


def write_pyarrow(files: list[Path]) -> int:
    import pyarrow.parquet as pq

    rows = 0
    for number, file in enumerate(files):
        part = pq.read_table(file)
        pq.write_table(part, f"{BUCKET}/out/pyarrow/{number}.parquet", filesystem=pyarrow_files())
        rows += part.num_rows
    return rows


def write_obstore(files: list[Path]) -> int:
    import obstore

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda file: obstore.put(client(), f"out/obstore/{file.name}", file), files))
    return 0


def contestants(rows: int) -> dict[str, Callable[[], int]]:
    files, some = prepare(rows), ["id", "price"]
    return {
        "read/headrace": partial(read_headrace, None),
        "read/pyarrow": partial(read_pyarrow, None),
        "read/obstore + pyarrow": partial(read_obstore, None),
        "two columns/headrace": partial(read_headrace, some),
        "two columns/pyarrow": partial(read_pyarrow, some),
        "two columns/obstore + pyarrow": partial(read_obstore, some),
        "write/headrace": partial(write_headrace, files, rows),
        "write/pyarrow": partial(write_pyarrow, files),
        "write/obstore, files as they are": partial(write_obstore, files),
        "small files/headrace": partial(read_headrace, None, "small/", "csv"),
        "small files/pyarrow": read_small_pyarrow,
    }


def by_duckdb(rows: int) -> dict[str, list[str | Path]]:
    """DuckDB 1.5.5 by itself, in a room of its own: `make bench-peers`."""
    room, script = DATA / "venvs" / "duckdb" / "bin" / "python", BENCH / "loading" / "duckdb_httpfs.py"
    tasks: dict[str, list[Path]] = {"read": [], "two columns": [], "write": prepare(rows), "small files": []}
    return {f"{task}/DuckDB, httpfs": [room, script, task, BUCKET, *files] for task, files in tasks.items()}


# The rounds ----------------------------------------------------------------------------------------------------------


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=6_000_000)
    parser.add_argument("--small", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--gigabyte", action="store_true")
    parser.add_argument("--as", dest="name", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.name:
        print(contestants(options.rows)[options.name]())
        return
    sys.path.insert(0, str(BENCH.parent))  # the tests' servers
    from tests.integration.seaweed_server import SeaweedServer

    with SeaweedServer.running() as server:
        os.environ.update({**server.environment, "AWS_ENDPOINT": server.endpoint})
        server.new_bucket(BUCKET)
        fill(options.rows, options.small)
        if options.gigabyte:
            gigabyte()
            return
        names = list(contestants(options.rows))
        me = [PYTHON, Path(__file__), "--rows", str(options.rows), "--as"]
        commands = {name: [*me, name] for name in names} | by_duckdb(options.rows)
        costs: dict[str, list[Cost]] = {name: [] for name in commands}
        for _ in range(options.rounds):
            for name in sorted(commands, key=lambda name: names.index(f"{name.partition('/')[0]}/headrace")):
                costs[name].append(measure(commands[name]))
    report({name: Cost.median(found) for name, found in costs.items()}, options)


def fill(rows: int, small: int) -> None:
    import obstore

    store = client()
    for file in prepare(rows):
        obstore.put(store, f"in/{file.name}", file)
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda n: obstore.put(store, f"small/{n:06}.csv", b"id,price\n%d,1.5\n%d,2.5\n" % (n, n)), range(small)))


def report(costs: dict[str, Cost], options: argparse.Namespace) -> None:
    lines = []
    for name, cost in sorted(costs.items(), key=lambda item: list(costs).index(f"{item[0].partition('/')[0]}/headrace")):
        task, _, who = name.partition("/")
        ours = costs[f"{task}/headrace"]
        lines.append([
            task, f"**{who}**" if who == "headrace" else who, f"{cost.wall_seconds:.2f}", f"{cost.cpu_seconds:.2f}", f"{cost.peak_mb:.0f}",
            f"{cost.wall_seconds / ours.wall_seconds:.2f}", f"{cost.cpu_seconds / ours.cpu_seconds:.2f}",
        ])  # fmt: skip
    size = sum(file.stat().st_size for file in prepare(options.rows)) / 1e6
    figures = {
        "rows": options.rows,
        "megabytes": round(size),
        "small": options.small,
        "costs": {n: vars(c) for n, c in costs.items()},
    }
    keep("stores", figures, table(["", "", "wall s", "CPU s", "peak MB", "wall, times ours", "CPU, times ours"], lines))


def gigabyte() -> None:
    """Runs within 256 MB, over an eighth of a gigabyte and over a whole one: what their processes take at most."""
    lines, figures = [], {}
    for rows in (2_000_000, 16_000_000):
        size, cost = from_bucket_to_bucket(rows)
        figures[str(rows)] = vars(cost)
        lines.append([
            f"{size / 1e9:.2f} GB", f"{rows:,}", f"{cost.wall_seconds:.0f}", f"{cost.cpu_seconds:.0f}", f"{cost.peak_mb:.0f}",
        ])  # fmt: skip
    keep("stores-gigabyte", figures, table(["CSV from S3 to Parquet in S3", "rows", "wall s", "CPU s", "peak MB"], lines))


def from_bucket_to_bucket(rows: int) -> tuple[int, Cost]:
    import duckdb
    import obstore

    project = HOME / "gigabyte"
    project.mkdir(exist_ok=True)
    text = project / "big.csv"
    columns = "i AS id, md5(i::VARCHAR) AS reference, i * 1.5 AS price, 'comment ' || i AS comment"
    duckdb.connect().execute(f"COPY (SELECT {columns} FROM range({rows}) t(i)) TO '{text}'")
    obstore.put(client(), f"big/{rows}.csv", text)
    (project / "headrace.toml").write_text('memory_limit = "256MB"\n')
    (project / "pipeline.yaml").write_text(json.dumps({
        "version": 1, "pipeline": f"big_{rows}", "sources": {"big": {"file": f"s3://{BUCKET}/big/{rows}.csv"}},
        "sinks": [{"file": {"path": f"s3://{BUCKET}/out/big-{uuid.uuid4().hex}/"}}],
    }))  # fmt: skip
    return text.stat().st_size, measure([HEADRACE, "run", "pipeline.yaml"], cwd=project)


if __name__ == "__main__":
    main()
